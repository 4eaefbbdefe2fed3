/**
 * What the tests of sagas and the worker begin with: a world that keeps a ledger, tools with a temper, a worker over a
 * memory outbox, records written by hand, and a way to have a worker declared dead.
 */
import { it } from "@effect/vitest"
import { Effect, Layer, Logger, Option, Schedule, Schema } from "effect"
import type { Duration } from "effect"
import { randomUUID } from "node:crypto"
import type { Retry } from "../../src/index.ts"
import { Failure, Outbox, Runs, Saga, Tool, Worker } from "../../src/index.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import { digestOfText } from "../../src/outbox/internal/canonical.ts"
import { callKey, childId } from "../../src/saga/internal/identity.ts"
import type { UniqueNames } from "../../src/tool/Toolkit.ts"

/** The one failure of the tools here; its class is what it says. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", {
  as: Schema.Literals(["transient", "rateLimited", "inDoubt", "model", "blocked", "permanent"]),
  /** Which execution of its tool refused. */
  nth: Schema.Int
}) {}

/** What a tool does with one execution: succeed, refuse, never answer, die; or succeed after an effect. */
export type Turn = "ok" | Failure.Tag | "hang" | "die" | Effect.Effect<void>

/** What was done to the world, in order: `Name:of` an act, `Name:of!` its taking-back, `Name:of?` a lookup. */
export class World {
  readonly ledger: Array<string> = []
  readonly calls: Array<Tool.Call<Refused>> = []

  /** How often this stands in the ledger. */
  count(line: string): number {
    return this.ledger.filter((other) => other === line).length
  }

  /** Writes a line and plays the next turn of the script; behind its end everything succeeds. */
  play(line: string, call: Tool.Call<Refused>, script: ReadonlyArray<Turn> = []): Effect.Effect<string, Refused> {
    return Effect.suspend(() => {
      this.ledger.push(line)
      this.calls.push(call)
      const nth = this.count(line)
      const turn = script[nth - 1] ?? "ok"
      const done = Effect.succeed(`${line}#${nth}`)
      if (turn === "ok") return done
      if (turn === "hang") return Effect.never
      if (turn === "die") return Effect.die(new TypeError("a bug in a tool"))
      if (typeof turn === "string") return Effect.fail(new Refused({ as: turn, nth }))
      return Effect.andThen(turn, done)
    })
  }
}

const classOf = ({ as }: Refused): Failure.FailureClass =>
  as === "rateLimited" ? Failure.rateLimited({ retryAfter: "5 millis" }) : Failure[as]

/** Every class at most four attempts, and no pauses. */
export const quick: Retry.Retry<Refused> = {
  transient: Schedule.recurs(3),
  rateLimited: Schedule.recurs(3),
  model: Schedule.recurs(3)
}

export interface Temper {
  readonly script?: ReadonlyArray<Turn>
  readonly undo?: ReadonlyArray<Turn>
  readonly retry?: Retry.Retry<Refused>
  readonly timeout?: Duration.Input
  readonly inDoubt?: Tool.Policy
  /** A lookup that finds these, one after the other, and from then on nothing. */
  readonly finds?: ReadonlyArray<string | Refused | undefined>
  readonly settle?: Duration.Input
  /** Does something about a doubt by itself. */
  readonly undoInDoubt?: boolean
  readonly version?: number
}

const doubtOf = (world: World, name: string, { finds, inDoubt, settle }: Temper) =>
  finds === undefined
    ? (inDoubt ?? Tool.sameKey({ validFor: "1 hour" }))
    : {
        lookup: ({ parameters: { of } }: { readonly parameters: { readonly of: string } }) =>
          Effect.suspend(() => {
            const line = `${name}:${of}?`
            world.ledger.push(line)
            const found = finds[world.count(line) - 1]
            return found instanceof Refused ? Effect.fail(found) : Effect.succeed(Option.fromUndefinedOr(found))
          }),
        settle: settle ?? 0
      }

const common = (world: World, name: string, temper: Temper) => ({
  version: temper.version ?? 1,
  parameters: { of: Schema.String },
  success: Schema.String,
  failure: Refused,
  execute: ({ of }: { readonly of: string }, call: Tool.Call<Refused>) =>
    world.play(`${name}:${of}`, call, temper.script),
  classify: classOf,
  retry: temper.retry ?? quick,
  timeout: temper.timeout ?? "5 seconds"
})

/** A tool that can be taken back. */
export const act = <const Name extends string>(world: World, name: Name, temper: Temper = {}) =>
  Tool.make(name, {
    ...common(world, name, temper),
    inDoubt: doubtOf(world, name, temper),
    compensate: ({ parameters }, call) => world.play(`${name}:${parameters.of}!`, call, temper.undo),
    ...(temper.undoInDoubt === true
      ? {
          compensateInDoubt: (
            { parameters }: { readonly parameters: { readonly of: string } },
            call: Tool.Call<Refused>
          ) => world.play(`${name}:${parameters.of}!!`, call)
        }
      : {})
  })

/** A tool that cannot be taken back. */
export const irreversible = <const Name extends string>(world: World, name: Name, temper: Temper = {}) =>
  Tool.irreversible(name, { ...common(world, name, temper), inDoubt: doubtOf(world, name, temper) })

/** A tool that only reads. */
export const query = <const Name extends string>(world: World, name: Name, temper: Temper = {}) =>
  Tool.query(name, common(world, name, temper))

/** A saga over these tools, whose runs are named by their payload. */
export const saga = <const T extends ReadonlyArray<Tool.Listable>>(name: string, tools: T & UniqueNames<NoInfer<T>>) =>
  Saga.make(name, {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.Json,
    error: Refused,
    tools,
    idempotencyKey: ({ id }) => id
  })

type Startable = Pick<ReturnType<typeof saga>, "name" | "start">

// ---- running

const silent = Effect.provide(Logger.layer([]))

/** A test over a memory outbox in real time, with a guard against hanging. */
export const claim = <A, E>(title: string, test: () => Effect.Effect<A, E, Outbox.Outbox>): void =>
  it.live(title, () => test().pipe(Effect.timeout("20 seconds"), Effect.provide(Outbox.layerMemory), silent))

/** Gives sagas a worker for as long as the effect takes; then it stops as a worker does. */
export const withWorker =
  (sagas: Layer.Layer<never, never, Worker.Worker | Runs.Runs>, options: Worker.Options = {}) =>
  <A, E, R>(effect: Effect.Effect<A, E, R>) =>
    Effect.provide(
      effect,
      sagas.pipe(
        Layer.provideMerge(Worker.layer({ poll: "20 millis", heartbeat: "50 millis", grace: "5 seconds", ...options }))
      )
    )

/** Waits until it is so. */
export const until = <E = never, R = never>(
  isSo: () => boolean | Effect.Effect<boolean, E, R>
): Effect.Effect<void, E, R> =>
  Effect.gen(function* () {
    while (true) {
      const found = isSo()
      if (typeof found === "boolean" ? found : yield* found) return
      yield* Effect.sleep("3 millis")
    }
  })

/** Waits until the run has ended or is stuck. `since`: in a later epoch than this one. */
export const atRest = Effect.fnUntraced(function* (runId: string, since = 0) {
  while (true) {
    const run = yield* Runs.get(runId)
    if (run.epoch > since && run.owner === undefined && run.state !== "pending" && run.state !== "running") return run
    yield* Effect.sleep("3 millis")
  }
})

/** Starts a run and waits until it has ended or is stuck. */
export const play = Effect.fnUntraced(function* (saga: Startable, id = "a") {
  const { runId } = yield* saga.start({ id })
  return yield* atRest(runId)
})

/** Says something to a run that is stuck, and waits until it has ended or is stuck again. */
export const goOn = <E, R>(run: { readonly runId: string; readonly epoch: number }, said: Effect.Effect<void, E, R>) =>
  Effect.andThen(said, atRest(run.runId, run.epoch))

export const somebody: Runs.Who = { by: "somebody" }

/** The kinds of a run's entries, in order, with paths. */
export const entriesOf = Effect.fnUntraced(function* (runId: string) {
  const entries = yield* Runs.history(runId)
  return entries.map(({ entry }) =>
    "path" in entry && entry.path !== undefined ? `${entry._tag} ${entry.path}` : entry._tag
  )
})

/** The paths of a run's calls, in the order in which they were asked. */
export const pathsOf = (run: Runs.Details): ReadonlyArray<string> => run.calls.map(({ path }) => path)

/** What a run gave, or failed with. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test says itself what shape of JSON it expects
export const resultOf = ({ result }: Runs.Details): any => (result === undefined ? undefined : JSON.parse(result))

// ---- what happens to workers

/** Has the worker beside us declared dead. It puts everything down, registers anew and takes its runs up again. */
export const bury = Effect.gen(function* () {
  const outbox = yield* Outbox.Outbox
  const id = yield* (yield* Worker.Worker).id
  // A heartbeat of the worker's own may save it between the two.
  while ((yield* outbox.heartbeat({ id, leaseMillis: 0 }))._tag !== "dead") yield* outbox.bury
})

// ---- records by hand

/** Entries of calls of the tools here; `at` says when they stamp, in milliseconds since 1970. */
export const written = (runId: string, at = 1_000) => {
  const outcome = { stamp: at }
  return {
    intended: (path: string, given?: Partial<Entry.Intended>): Entry.Entry => {
      const name = path.replace(/!.*/, "").split("/").at(-1)!.split("~")[0]!
      const value = given?.value ?? '{"of":"x"}'
      return {
        _tag: "intended",
        path,
        tool: name,
        toolVersion: 1,
        act: path.endsWith("!compensate") ? "compensation" : "reversible",
        key: callKey(runId, path),
        digest: digestOfText(value),
        ...(path.endsWith("!compensate") ? {} : { value }),
        ...given
      }
    },
    attempted: (path: string, attempt: number): Entry.Entry => ({ _tag: "attempted", path, attempt }),
    attemptFailed: (path: string, given: Partial<Entry.AttemptFailed> = {}): Entry.Entry => ({
      _tag: "attempt_failed",
      path,
      attempt: 1,
      class: "transient",
      leaves: given.class === "inDoubt" ? "doubt" : "retry",
      ...outcome,
      ...given
    }),
    succeeded: (path: string, value: unknown = `${path} as recorded`): Entry.Entry => ({
      _tag: "succeeded",
      path,
      how: "executed",
      value: JSON.stringify(value),
      ...outcome
    }),
    failed: (path: string, nth = 1): Entry.Entry => ({
      _tag: "failed",
      path,
      class: "permanent",
      value: JSON.stringify({ _tag: "Refused", as: "permanent", nth }),
      ...outcome
    }),
    child: (path: string, payload: unknown): Entry.Entry => ({
      _tag: "awaited",
      path,
      wait: "child",
      name: path.split("/").at(-1)!.split("~")[0]!,
      digest: digestOfText(JSON.stringify(payload)),
      value: JSON.stringify(payload),
      run: childId(runId, path)
    }),
    recorded: (path: string, value: unknown): Entry.Entry => ({
      _tag: "recorded",
      path,
      value: JSON.stringify(value),
      ...outcome
    })
  }
}

/** The entries of {@link written}. */
export type Written = ReturnType<typeof written>

/** A run with this record, left by a worker that is gone: there for the next one. Gives its id. */
export const recordOf = Effect.fnUntraced(function* (
  saga: Startable,
  entries: (write: Written) => ReadonlyArray<Entry.Entry>,
  options: { readonly at?: number; readonly id?: string } = {}
) {
  const outbox = yield* Outbox.Outbox
  const { runId } = yield* saga.start({ id: options.id ?? "a" }).pipe(Effect.provide(Runs.layer))
  const worker = randomUUID()
  yield* outbox.register({ id: worker, name: "gone", leaseMillis: 60_000 })
  const [claimed] = yield* outbox.claim({ worker, sagas: [{ name: saga.name, version: 1 }], limit: 1 })
  const appended = yield* outbox.append({
    runId,
    worker,
    epoch: claimed!.epoch,
    appendId: 1,
    seq: claimed!.seq,
    entries: entries(written(runId, options.at)),
    change: undefined,
    consumed: [],
    atGate: true
  })
  if (appended._tag === "fenced") return yield* Effect.die(new Error("the record was not written"))
  yield* outbox.retire(worker)
  return runId
})
