/** How each kind of step is done, once the replay is over: a call, a value, a wait, a savepoint's taking-back. */
import { Cause, Effect, Exit, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { Change, OutboxError } from "../../outbox/Outbox.ts"
import * as RunState from "../../outbox/RunState.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import type { SagaDefinition } from "../../saga/internal/engine.ts"
import type { Waiting } from "../../wait/internal/waiting.ts"
import { perform as performJob } from "./call.ts"
import { takeBackInside } from "./inside.ts"
import * as Jobs from "./jobs.ts"
import * as People from "./people.ts"
import { type Desk, durable, type Unfinished } from "./progress.ts"
import { hold } from "./release.ts"
import type { Room } from "./room.ts"
import type { Answer, Asked, SingleStep, Verdict } from "./scope.ts"
import * as Undo from "./undo.ts"
import * as Waits from "./waits.ts"

/** What steps need of the incarnation that they belong to. */
export interface Floor {
  readonly runId: string
  readonly desk: Desk
  readonly room: Room
  /** Messages that a wait has used. */
  readonly used: Set<string>
  /** The calls whose scopes were given up. */
  readonly givenUp: Set<string>
  /** Savepoints whose work is being taken back. */
  readonly goingBack: Set<string>
  readonly tools: ReadonlyMap<string, Definition>
  /** What is to be done where the scope of a child is given up, by the child's path. */
  readonly giveUpChild: Map<string, () => void>
  readonly isLeaving: () => boolean
  /** A wait has nothing more to do until its next notice. */
  readonly noticed: () => void
  /** The run's row, as it is now. */
  readonly running: () => Change
  /** Executes under the layer's context until it ends or the run is put down. */
  readonly track: <A>(path: string, effect: Effect.Effect<A>, then: (result: A) => void) => void
  /** Does something for the step at `path`, once all written so far is durable. */
  readonly begin: (path: string, effect: Effect.Effect<void, OutboxError>) => void
  /** Goes on `again` when its time has come. */
  readonly later: (path: string, ending: Unfinished, again: () => void) => void
  readonly answer: (path: string, answer: Answer) => void
  /** The step leaves no trace. */
  readonly pass: (path: string) => void
  readonly stuck: (verdict: Verdict) => void
  /** It was left undone. */
  readonly left: () => void
}

export const make = (floor: Floor): ((asked: Asked) => void) => {
  const { answer, begin, desk, giveUpChild, givenUp, later, left, room, runId, stuck, track, used } = floor
  /** So many words of people the body has heard, whether or not that is durable yet. */
  let { heard } = desk.state

  const performCall = (asked: Asked, step: Extract<SingleStep, { readonly _tag: "call" }>) => {
    const { path } = asked
    const parameters = Value.codec(step.tool.parameters).encode(step.parameters, `the parameters of ${path}`, {
      maxBytes: desk.maxValueBytes
    })
    if (Result.isFailure(parameters)) return stuck({ reason: "defect", path, why: parameters.failure.message })
    if (asked.isGivenUp()) givenUp.add(path)
    const record = RunState.findCall(desk.state.steps, path)
    const job = Jobs.forward(runId, path, step.tool, parameters.success, record)
    // From a pivot on the saga does not go back: it does not go on either before that is durable.
    const performed = step.tool.isHeld === true ? hold(desk, job) : performJob(desk, job)
    const call = step.tool.pivot === true ? Effect.tap(performed, () => durable(desk)) : performed
    track(path, call, (ending) => {
      switch (ending._tag) {
        case "succeeded":
          return answer(path, { exit: Exit.succeed(ending.value), stamp: ending.stamp })
        case "failed":
          return answer(path, { exit: Exit.fail(ending.failure), stamp: ending.stamp })
        case "stuck":
          return stuck(ending.verdict)
        case "left":
          return left()
        case "parked":
        case "waits":
          return later(path, ending, () => performCall(asked, step))
      }
    })
  }

  const performWait = ({ path, recorded }: Asked, waiting: Waiting) => {
    const record = recorded?._tag === "wait" ? recorded : undefined
    Waits.wait(
      { ...desk, room, used, begin, noticed: floor.noticed, soon: desk.pen.flush, isGivenUp: () => false },
      path,
      waiting,
      record,
      (end) => {
        giveUpChild.delete(path)
        if (end === undefined) return
        const given = Waits.answerOf(path, waiting, end)
        if ("reason" in given) stuck(given)
        else answer(path, given)
      }
    )
  }

  /** A child whose scope is given up is cancelled, and its end awaited: all of it goes back, unless it has completed. */
  const performChild = (asked: Asked, step: Extract<SingleStep, { readonly _tag: "child" }>) => {
    const { path } = asked
    const waiting = desk.family.ask(path, step.saga as SagaDefinition, step.payload, step)
    if (Result.isFailure(waiting)) return stuck({ reason: "defect", path, why: waiting.failure })
    const child = { path, asked: Waits.awaited(path, waiting.success, desk.lease.now()) }
    const giveUp = () =>
      begin(`${path}!cancel`, Effect.asVoid(desk.family.cancel(child, "Its parent goes on without it.")))
    giveUpChild.set(path, giveUp)
    performWait(asked, waiting.success)
    if (asked.isGivenUp() && giveUpChild.has(path)) giveUp()
  }

  const hear = (path: string) => {
    const { length } = desk.state.words
    const news = People.newsOf(desk.state, heard)
    if (news.length === 0) return floor.pass(path)
    heard = length
    const stamp = desk.stamp()
    desk.placed(path)
    desk.pen.write([{ _tag: "recorded", path, value: JSON.stringify(news), heard, stamp }], "soon")
    answer(path, { exit: Exit.succeed(news), stamp })
  }

  const perform = (asked: Asked): void => {
    const { path, step } = asked
    switch (step._tag) {
      case "call":
        return performCall(asked, step)
      case "record":
        return makeValue(path, step)
      case "child":
        return performChild(asked, step)
      case "wait":
        return performWait(asked, step.waiting as Waiting)
      case "takeBack":
        return takeBackInside(floor, path, {
          scope: path,
          began: { _tag: "savepoint_failed", path },
          done: (stamp) => ({ entry: { _tag: "savepoint_taken_back", path, stamp }, exit: step.exit })
        })
      case "heard":
        return hear(path)
      case "undo":
        return Undo.perform(floor, asked, step)
    }
  }

  const makeValue = (path: string, step: Extract<Asked["step"], { readonly _tag: "record" }>) =>
    track(path, Effect.exit(step.effect), (exit) => {
      if (Exit.isFailure(exit)) {
        return stuck({ reason: "defect", path, why: `The recorded value died: ${Cause.pretty(exit.cause)}` })
      }
      const encoded = Value.codec(step.schema).encode(exit.value, `the value ${path}`, {
        maxBytes: desk.maxValueBytes
      })
      if (Result.isFailure(encoded)) return stuck({ reason: "defect", path, why: encoded.failure.message })
      const stamp = desk.stamp()
      const entry: Entry.Recorded = { _tag: "recorded", path, value: encoded.success.text, stamp }
      const given: Answer = { exit: Exit.succeed(encoded.success.value), stamp }
      if (step.pivot !== true) {
        desk.pen.write([entry], "later")
        return answer(path, given)
      }
      desk.placed(path)
      desk.pen.write([{ ...entry, pivot: true }], "now", () => answer(path, given))
    })

  return perform
}
