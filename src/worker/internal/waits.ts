/** The life of a wait: that it began, that it is over, and what the body is given (G12, G13). */
import { Result } from "effect"
import type { Effect } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Path from "../../outbox/Path.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type * as RunState from "../../outbox/RunState.ts"
import { nameable, type Waiting } from "../../wait/internal/waiting.ts"
import type { Desk, Unfinished } from "./progress.ts"
import type { Room } from "./room.ts"
import type { Answer, Verdict } from "./scope.ts"

/** What waits need of the run they belong to. */
export interface WaitingDesk extends Pick<Desk, "lease" | "pen" | "placed" | "stamp" | "state"> {
  readonly room: Room
  /** The ids of messages that a wait has used, in entries that may not be durable yet: none is used twice. */
  readonly used: Set<string>
  /** Whether nobody wants to know the end any more; then there is none in the record. */
  readonly isGivenUp: () => boolean
  /** Goes on once all written so far is durable; the run is not let go of before that. */
  readonly soon: (then: () => void) => void
  /** There is nothing more to do until the next notice. */
  readonly noticed: () => void
  /** Does something for the wait at `path`, once all written so far is durable. */
  readonly begin: (path: string, effect: Effect.Effect<void, OutboxError>) => void
}

/** The paths of waits whose end is written and may not be durable yet, by run: each has one end. */
const over = new WeakMap<RunState.RunState, Set<string>>()

const overIn = (state: RunState.RunState): Set<string> => {
  const found = over.get(state) ?? new Set()
  over.set(state, found)
  return found
}

const recordedOpen = (state: RunState.RunState, path: string): RunState.Wait | undefined => {
  const found = recorded(state, path)
  return found?.outcome === undefined ? found : undefined
}

/** The entry with which a wait begins. */
export const awaited = (path: string, waiting: Waiting, now: number): Entry.Awaited => {
  const until = waiting.until(now)
  return {
    _tag: "awaited",
    path,
    wait: waiting.kind,
    name: waiting.name,
    ...(waiting.asked === undefined ? {} : { digest: digestOfText(waiting.asked), value: waiting.asked }),
    ...(until === undefined ? {} : { until: nameable(until) }),
    ...(waiting.run === undefined ? {} : { run: waiting.run })
  }
}

/** What the record knows of the wait at `path`. */
export const recorded = ({ steps, waits }: RunState.RunState, path: string): RunState.Wait | undefined => {
  const step = waits.get(path) ?? steps.get(path)
  return step?._tag === "wait" ? step : undefined
}

/**
 * Waits, from wherever the record says that it is. `then` is told of the end once it has its place in the record; without
 * one where it was given up.
 */
export const wait = (
  desk: WaitingDesk,
  path: string,
  waiting: Waiting,
  recorded: RunState.Wait | undefined,
  then: (answered: Entry.Answered | undefined) => void
): void => {
  const now = desk.lease.now()
  // What was asked before and is answered may be asked again.
  let standing = recorded?.outcome === undefined ? recorded : undefined
  if (standing === undefined) {
    const asked = awaited(path, waiting, now)
    standing = { _tag: "wait", path, asked, seq: Number.MAX_SAFE_INTEGER, at: now, notices: 0, outcome: undefined }
    desk.pen.write([asked], "soon")
    overIn(desk.state).delete(path)
  }
  let begun = standing
  let isOver = false
  desk.room.enter(path, {
    get until() {
      const { until } = begun.asked
      const next = waiting.notice?.(begun, desk.lease.now())?.at
      return next === undefined || (until !== undefined && until < next) ? until : nameable(next)
    },
    look: (at) => {
      // Once it stands in the record it is as that says.
      const standing = recordedOpen(desk.state, path)
      if (standing !== undefined) begun = { ...standing, notices: Math.max(standing.notices, begun.notices) }
      if (desk.isGivenUp()) {
        isOver = true
        writeWithdrawn(desk, path)
        then(undefined)
        return true
      }
      const unused = desk.state.unused.filter((told) => !desk.used.has(told.id))
      const end = waiting.over(begun, unused, at)
      if (end === undefined) {
        const notice = waiting.notice?.(begun, at)
        if (notice === undefined || at < notice.at) return false
        const { nth, to } = notice
        begun = { ...begun, notices: nth }
        desk.pen.write([{ _tag: "reminded", path, nth, ...(to === undefined ? {} : { to }) }], "soon", desk.noticed)
        return false
      }
      isOver = true
      if (end.message !== undefined) desk.used.add(end.message)
      overIn(desk.state).add(path)
      const answered: Entry.Answered = { _tag: "answered", path, stamp: desk.stamp(), ...end }
      // What a call waits for is no step of its scope, and the body hears nothing of it.
      if (Path.callOf(path) === undefined) desk.placed(path)
      desk.pen.write([answered], "soon")
      then(answered)
      return true
    }
  })
  if (!isOver && waiting.begun !== undefined) desk.begin(path, waiting.begun)
}

/** Nobody is asked any more for the approval that the wait at `path` is for, if it is for one. */
export const withdraw = ({ pen, stamp, state }: Pick<Desk, "pen" | "stamp" | "state">, path: string): void => {
  const wait = recordedOpen(state, path)
  if (wait?.asked.wait === "approval") writeWithdrawn({ pen, stamp, state }, path)
}

/** Unless the wait has just come to another end. */
const writeWithdrawn = ({ pen, stamp, state }: Pick<Desk, "pen" | "stamp" | "state">, path: string): void => {
  const ends = overIn(state)
  if (ends.has(path)) return
  ends.add(path)
  pen.write([{ _tag: "answered", path, stamp: stamp(), how: "withdrawn" }], "soon")
}

/** Goes on `again` with the call at `path`, or with taking back, once its time has come or what it waits for is over. */
export const later = (desk: WaitingDesk, path: string, ending: Unfinished, again: () => void): void => {
  if (ending._tag === "waits") {
    const standing = recorded(desk.state, ending.path)
    return wait(desk, ending.path, ending.waiting, standing, () => desk.soon(again))
  }
  // Given up, it goes no further than to where nothing is in doubt, and that may take as long.
  const wasGivenUp = desk.isGivenUp()
  // Not under the path of the call: it does not leave when that is given up, but goes on to its end.
  desk.room.enter(`${path}!parked`, {
    until: ending.until,
    look: (now) => {
      if (now < ending.until && desk.isGivenUp() === wasGivenUp) return false
      again()
      return true
    }
  })
}

/** What the body is given at the end of a wait. */
export const answerOf = (path: string, waiting: Pick<Waiting, "give">, answered: Entry.Answered): Answer | Verdict => {
  const given = waiting.give(answered)
  return Result.isFailure(given)
    ? { reason: "undecodable", path, why: given.failure }
    : { exit: given.success, stamp: answered.stamp }
}

/** Both sides in words where a wait is not what the record says. */
export const difference = (waiting: Waiting, { asked, path }: RunState.Wait): string | undefined => {
  if (asked.wait !== waiting.kind || asked.name !== waiting.name) {
    return `The record waits for the ${asked.wait} ${asked.name} at ${path}, the body for the ${waiting.kind} ${waiting.name}.`
  }
  const digest = waiting.asked === undefined ? undefined : digestOfText(waiting.asked)
  if (digest === asked.digest) return undefined
  return `The record waits at ${path} with ${asked.value ?? "nothing"}, the body with ${waiting.asked ?? "nothing"}.`
}
