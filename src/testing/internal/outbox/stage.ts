/** What the cases of the outbox suite stand on: fresh names, workers, runs, and a way to let time pass. */
import { Effect, Option } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type * as Entry from "../../../outbox/Entry.ts"
import { Outbox } from "../../../outbox/Outbox.ts"
import type {
  Append,
  Appended,
  Change,
  Claim,
  Message,
  NewRun,
  OutboxError,
  Run,
  State
} from "../../../outbox/Outbox.ts"

/** A case: what it claims, and how that is tried. */
export interface Case {
  readonly title: string
  readonly run: Effect.Effect<void, OutboxError, Outbox>
}

/** Lets at least this many milliseconds of the database's time pass. */
export type Pass = (millis: number) => Effect.Effect<void>

/** A case that still has to be told how time passes. */
export type Draft = (pass: Pass) => Case

/** A run and the worker that holds it since its start: at epoch 1, the next entry being number 1. */
export interface Held {
  readonly runId: string
  readonly worker: string
}

export interface Stage {
  readonly outbox: Outbox["Service"]
  readonly pass: Pass
  /** A saga that only this case knows. */
  readonly saga: string
  /** Registers a worker whose lease outlasts the case. */
  readonly worker: Effect.Effect<string, OutboxError>
  /** Lets the lease of a worker run out; it is not dead yet. */
  readonly lapse: (worker: string) => Effect.Effect<void, OutboxError>
  /** Lets the lease of a worker run out and declares it dead. */
  readonly die: (worker: string) => Effect.Effect<void, OutboxError>
  /** A run to start, of this case's saga; pending unless it says otherwise. */
  readonly newRun: (run?: Partial<NewRun>) => NewRun
  /** Starts a run that stays pending. Gives its id. */
  readonly pending: Effect.Effect<string, OutboxError>
  /** Starts a run that the worker holds, by default a new one. */
  readonly held: (worker?: string) => Effect.Effect<Held, OutboxError>
  /** Claims runs of this case's saga, version 1. */
  readonly claim: (worker: string, limit?: number) => Effect.Effect<ReadonlyArray<Claim>, OutboxError>
  /** Claims, and demands that exactly this run is got. */
  readonly claimOnly: (worker: string, runId: string) => Effect.Effect<Claim, OutboxError>
  readonly append: (held: Held, append?: Partial<Append>) => Effect.Effect<Appended, OutboxError>
  /** Appends, and demands that it is written. Gives the time of it. */
  readonly write: (held: Held, append?: Partial<Append>) => Effect.Effect<number, OutboxError>
  readonly run: (runId: string) => Effect.Effect<Run, OutboxError>
  readonly entries: (runId: string) => Effect.Effect<ReadonlyArray<Entry.Stored>, OutboxError>
  readonly send: (runId: string, id?: string) => Effect.Effect<boolean, OutboxError>
}

const hour = 3_600_000

export const draft =
  (title: string, play: (stage: Stage) => Effect.Effect<void, OutboxError>): Draft =>
  (pass) => ({
    title,
    run: Effect.flatMap(Outbox, (outbox) => {
      const workers: Array<string> = []
      const retire = Effect.suspend(() => Effect.forEach(workers, outbox.retire, { discard: true }))
      return Effect.ensuring(play(make(outbox, pass, workers)), Effect.ignore(retire))
    })
  })

const make = (outbox: Outbox["Service"], pass: Pass, workers: Array<string>): Stage => {
  const saga = `Suite-${randomUUID()}`

  const worker = Effect.suspend(() => {
    const id = randomUUID()
    workers.push(id)
    return Effect.as(outbox.register({ id, name: "suite", leaseMillis: hour }), id)
  })

  // Registered with a long lease and shortened only now: a slow machine cannot let it run out too early.
  const lapse = (id: string) => Effect.andThen(outbox.heartbeat({ id, leaseMillis: 1 }), pass(30))

  const newRun = (run?: Partial<NewRun>): NewRun => ({
    runId: randomUUID(),
    saga,
    version: 1,
    key: randomUUID(),
    generation: 1,
    payload: "{}",
    payloadDigest: "digest",
    attributes: {},
    worker: undefined,
    ...run
  })

  const claim = (worker: string, limit = 100) => outbox.claim({ worker, sagas: [{ name: saga, version: 1 }], limit })

  const append = ({ runId, worker }: Held, rest?: Partial<Append>) =>
    outbox.append({
      runId,
      worker,
      epoch: 1,
      appendId: 1,
      seq: 1,
      entries: [recorded("a")],
      change: undefined,
      consumed: [],
      atGate: true,
      ...rest
    })

  return {
    outbox,
    pass,
    saga,
    worker,
    lapse,
    die: (id) => Effect.andThen(lapse(id), outbox.bury),
    newRun,
    pending: Effect.suspend(() => {
      const run = newRun()
      return Effect.as(outbox.start(run), run.runId)
    }),
    held: (given) =>
      Effect.flatMap(given === undefined ? worker : Effect.succeed(given), (worker) => {
        const run = newRun({ worker })
        return Effect.map(outbox.start(run), (started) => {
          assert.ok(started._tag === "started" && started.held, "a live worker holds the run it starts")
          return { runId: run.runId, worker }
        })
      }),
    claim,
    claimOnly: (worker, runId) =>
      Effect.map(claim(worker), (claims) => {
        assert.deepEqual(
          claims.map(({ run }) => run.runId),
          [runId],
          "exactly this run can be claimed"
        )
        return present(claims[0])
      }),
    append,
    write: (held, rest) => Effect.map(append(held, rest), appended),
    run: (runId) => Effect.map(outbox.get(runId), (found) => present(Option.getOrUndefined(found))),
    entries: (runId) => outbox.entries(runId, { from: 0 }),
    send: (runId, id = randomUUID()) => outbox.send(message(runId, id))
  }
}

/** The value, which has to be there. */
export const present = <A>(value: A | undefined): A => {
  assert.ok(value !== undefined, "it is there")
  return value
}

/** The time of an append, which has to be written. */
export const appended = (answer: Appended): number => {
  assert.ok(answer._tag === "appended", "it is written")
  return answer.at
}

/** Demands that an append was refused because its worker does not hold the run. */
export const fenced = (answer: Appended): void => assert.equal(answer._tag, "fenced")

/** Demands that these properties are so. */
export const isLike = <A extends object>(actual: A, expected: { readonly [K in keyof A]?: A[K] | undefined }): void => {
  const found = Object.fromEntries(Object.keys(expected).map((name) => [name, actual[name as keyof A]]))
  assert.deepEqual(found, expected)
}

/** Tries everything at once. */
export const atOnce = <A, E>(effects: Iterable<Effect.Effect<A, E>>): Effect.Effect<Array<A>, E> =>
  Effect.all(effects, { concurrency: "unbounded" })

/** `count` results of the effect, one after the other. */
export const several = <A, E>(count: number, effect: Effect.Effect<A, E>): Effect.Effect<Array<A>, E> =>
  Effect.all(Array.from({ length: count }, () => effect))

/** An entry that means nothing. */
export const recorded = (path: string, value = "1"): Entry.Entry => ({ _tag: "recorded", path, value, stamp: 0 })

/** What the record tells, entry by entry: the path of the recorded ones, the kind of the others. */
export const told = (entries: ReadonlyArray<Entry.Stored>): ReadonlyArray<string> =>
  entries.map(({ entry }) => (entry._tag === "recorded" ? entry.path : entry._tag))

/** A change of the run's row to this state. */
export const to = (state: State, rest?: Partial<Change>): Change => ({
  state,
  phase: "forward",
  stuckReason: state === "stuck" ? "blocked" : undefined,
  wakeAt: undefined,
  result: undefined,
  ...rest
})

/** A cancel for this run. */
export const message = (runId: string, id: string): Message => ({
  id,
  runId,
  told: { message: "cancel", by: "a person", why: "a change of mind" }
})

/** The entry that records the cancel. */
export const toldOf = ({ id, told }: Message): Entry.Entry => ({ _tag: "told", id, ...told })
