/** Plays a scene of a cell: a world, one tool, one run, and time that passes only when it is told to. */
import { Effect, Layer, Logger, Option, Schema } from "effect"
import { TestClock } from "effect/testing"
import { Failure, Outbox, Runs, Tool, Worker } from "../../src/index.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { callKey } from "../../src/saga/internal/identity.ts"
import { recordOf, Refused, saga, somebody } from "../worker/bench.ts"
import type { Cell, Met, Policy, Scene } from "./cells.ts"

/** The target: what was asked of it, and what stands. */
export class Target {
  readonly sent: Array<string> = []
  readonly undone: Array<string> = []
  looked = 0
  /** The acts that were done, by what makes two of them one: the key, where the target knows keys. */
  readonly acts: Array<string> = []
  readonly undoings: Array<string> = []
}

const parameters = { of: Schema.String }
const x = { of: "x" }

/** Does it; where the target knows keys or bears it twice, only once. */
const put = (into: Array<string>, what: string, policy: Policy) => {
  const dedupes = policy === "sameKey" || policy === "idempotent"
  if (!dedupes || !into.includes(what)) into.push(what)
}

/** The answer to the nth request: what is met, or that it is done. */
const answer = (met: Met | undefined, happened: boolean, act: () => void): Effect.Effect<string, Refused> =>
  Effect.suspend(() => {
    const isOpen = met === "inDoubt" || met === "time-out" || met === "defect"
    if (met === undefined || (isOpen && happened)) act()
    switch (met) {
      case undefined:
        return Effect.succeed("done")
      case "time-out":
        return Effect.never
      case "defect":
        return Effect.die(new TypeError("a bug in a tool"))
      default:
        return Effect.fail(new Refused({ as: met, nth: 1 }))
    }
  })

const classify = ({ as }: Refused) => (as === "rateLimited" ? Failure.rateLimited() : Failure[as])

const toolOf = (target: Target, { met, policy, situation }: Cell, { happened, how }: Scene) => {
  const at = (nth: number) => (how === "always" || nth === 1 ? met : undefined)
  const settles = situation === "settling" && policy === "lookup"
  const policies = {
    sameKey: Tool.sameKey({ validFor: "30 days" }),
    idempotent: Tool.idempotent,
    askPerson: Tool.askPerson
  } as const
  const doubtOf = (found: () => boolean) =>
    policy === "lookup"
      ? {
          lookup: () => {
            target.looked++
            const result = Effect.sync(() => (found() ? Option.some("done") : Option.none()))
            return settles
              ? Effect.andThen(
                  answer(at(target.looked), false, () => {}),
                  result
                )
              : result
          }
        }
      : policies[policy]
  return Tool.make("A", {
    parameters,
    success: Schema.String,
    failure: Refused,
    execute: (_, { key }) => {
      target.sent.push(key)
      const meets = situation === "undoing" || settles ? undefined : at(target.sent.length)
      return answer(meets, situation === "settling" || happened, () => put(target.acts, key, policy))
    },
    compensate: {
      run: (_, { key }) => {
        target.undone.push(key)
        const meets = situation === "undoing" ? at(target.undone.length) : undefined
        return answer(meets, happened, () => put(target.undoings, key, policy))
      },
      inDoubt: doubtOf(() => target.undoings.length > 0)
    },
    inDoubt: doubtOf(() => target.acts.length > 0),
    classify
  })
}

/** What the record already says where the run is taken up. */
const begun = (
  { situation }: Cell,
  write: Parameters<Parameters<typeof recordOf>[1]>[0]
): ReadonlyArray<Entry.Entry> => [
  write.intended("A"),
  ...(situation === "undoing" ? [write.succeeded("A", "done")] : []),
  { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
]

/** Lets time pass until the run has ended or is stuck. `since`: in a later epoch than this one. */
export const atRest = Effect.fnUntraced(function* (runId: string, since = 0) {
  for (let step = 0; step < 2_000; step++) {
    const run = yield* Runs.get(runId)
    const isMoving = run.state === "pending" || run.state === "running" || run.state === "waiting"
    if (run.epoch > since && run.owner === undefined && !isMoving) return run
    yield* TestClock.adjust("5 seconds")
  }
  return yield* Effect.die(new Error("the run goes on and on"))
})

const compensation = "A!compensate"
/** What speaks of the call; claims and wakings do not. */
const kinds = new Set(
  "intended attempted attempt_failed settled succeeded failed rollback_began stuck told ended".split(" ")
)

const nameOf = (entry: Entry.Entry) =>
  entry._tag !== "stuck" && entry._tag !== "told" && "path" in entry && entry.path === compensation
    ? `${entry._tag}!`
    : entry._tag

const says = (runId: string, path: string, word: NonNullable<Scene["word"]>) => {
  if (word === "resume") return Runs.resume(runId, somebody)
  const done = path === "A" ? "done" : null
  return Runs.resolve(runId, path, word === "happened" ? { happened: done } : { didNotHappen: true }, somebody)
}

/** What was seen of a scene, in the form in which it says what has to be seen; and the keys of all requests. */
export const play = (cell: Cell, scene: Scene) => {
  const { situation } = cell
  const target = new Target()
  const A = toolOf(target, cell, scene)
  const Trip = saga("Trip", [A])
  const live = Trip.toLayer(() =>
    situation === "forward"
      ? Effect.match(A(x), { onSuccess: (done) => done, onFailure: ({ as }) => as })
      : Effect.die(new Error("the body was run"))
  )
  const begin = Effect.gen(function* () {
    if (situation === "forward") return (yield* Trip.start({ id: "a" }).pipe(Effect.provide(Runs.layer))).runId
    const runId = yield* recordOf(Trip, (write) => begun(cell, write), { at: 0 })
    if (situation === "undoing" || (situation === "settling" && scene.happened)) target.acts.push(callKey(runId, "A"))
    return runId
  })
  const go = Effect.fnUntraced(function* (runId: string) {
    const first = yield* atRest(runId)
    const path = situation === "undoing" ? compensation : "A"
    if (first.state === "stuck" && scene.word !== undefined) yield* says(runId, path, scene.word)
    const run = scene.word === undefined ? first : yield* atRest(runId, first.epoch)
    const entries = (yield* Runs.history(runId)).map(({ entry }) => entry).filter(({ _tag }) => kinds.has(_tag))
    const { happened, how, word } = scene
    const seen: Scene = {
      happened,
      how,
      ...(word === undefined ? {} : { word }),
      sent: target.sent.length,
      looked: target.looked,
      undone: target.undone.length,
      record: entries.map(nameOf),
      ...(first.stuck === undefined ? {} : { stuck: first.stuck.reason }),
      end: run.state,
      ...(situation !== "forward" || run.result === undefined ? {} : { result: JSON.parse(run.result) as string }),
      stands: target.acts.length - target.undoings.length
    }
    const keys = { sent: new Set(target.sent), undone: new Set(target.undone) }
    return { seen, keys, key: callKey(runId, "A"), undoingKey: callKey(runId, compensation) }
  })
  return Effect.flatMap(begin, (runId) =>
    Effect.provide(go(runId), live.pipe(Layer.provideMerge(Worker.layer())))
  ).pipe(Effect.provide(Outbox.layerMemory), Effect.provide(Logger.layer([])))
}
