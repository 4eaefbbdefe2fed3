/**
 * Hints to other processes, sent as notifications of Postgres. They shorten waits and nothing depends on them.
 *
 * Never within the transaction they are about: a notification makes its commit take a lock of the whole cluster's. They
 * gather while one statement of them is on its way, and that statement does not wait for the disk. That runs have ended
 * is said at most every 50 milliseconds, so that who runs one short run after another does not pay a commit for each.
 */
import { Effect, Exit } from "effect"
import type { Hint } from "../../outbox/Outbox.ts"
import { notify } from "../queries/notify.ts"
import type { Connections } from "./connections.ts"
import { inRealTime } from "./connections.ts"

export interface Hints {
  readonly ready: () => void
  readonly inbox: (runId: string) => void
  readonly ended: (runId: string) => void
}

// A notification carries less than 8000 bytes, and a run id 37 with its separator.
const idsEach = 200
// More than this at once helps nobody: whoever waits will poll.
const maxIds = 10_000
const restMillis = 50

export const make = (connections: Connections): Hints => {
  let ready = false
  let ids: { readonly inbox: Set<string>; readonly ended: Set<string> } = { inbox: new Set(), ended: new Set() }
  let flying = false
  let resting = false

  const payloads = (): ReadonlyArray<string> => {
    const all: Array<string> = ready ? ["ready"] : []
    for (const kind of ["inbox", "ended"] as const) {
      const of = [...ids[kind]]
      for (let from = 0; from < of.length; from += idsEach)
        all.push(`${kind} ${of.slice(from, from + idsEach).join(" ")}`)
    }
    ready = false
    ids = { inbox: new Set(), ended: new Set() }
    return all
  }

  const fly = () => {
    if (flying) return
    flying = true
    queueMicrotask(() =>
      Effect.runFork(Effect.suspend(() => connections.read(notify(payloads())))).addObserver((exit) => {
        flying = false
        // After a failure the rest waits for the next occasion: a database that is away needs no more of these.
        if (Exit.isFailure(exit)) return
        if (ready || ids.inbox.size > 0) fly()
        else flyRested()
      })
    )
  }

  /** Says what has ended, unless that was done just now. */
  const flyRested = () => {
    if (flying || resting || ids.ended.size === 0) return
    resting = true
    Effect.runFork(inRealTime(Effect.sleep(restMillis))).addObserver(() => {
      resting = false
      flyRested()
    })
    fly()
  }

  const add = (kind: "inbox" | "ended", runId: string) => {
    if (ids[kind].size < maxIds) ids[kind].add(runId)
  }

  return {
    ready: () => {
      ready = true
      fly()
    },
    inbox: (runId) => {
      add("inbox", runId)
      fly()
    },
    ended: (runId) => {
      add("ended", runId)
      flyRested()
    }
  }
}

/** The hints in the payload of a notification; none in one that this version does not know. */
export const parse = (payload: string): ReadonlyArray<Hint> => {
  const [kind, ...runIds] = payload.split(" ")
  switch (kind) {
    case "ready":
      return [{ _tag: "ready" }]
    case "inbox":
    case "ended":
      return runIds.map((runId) => ({ _tag: kind, runId }))
    default:
      return []
  }
}
