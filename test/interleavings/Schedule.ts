/**
 * Schedules: in which order the statements and the ends of two or three transactions come, on connections of their own.
 *
 * A transaction that waits for another's lock is left waiting; its end comes as soon as it can.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { Cause, Effect, Exit } from "effect"
import type { Fiber, Redacted } from "effect"
import { buryWorkers } from "../../src/postgres/queries/bury-workers.ts"
import { claimRuns } from "../../src/postgres/queries/claim-runs.ts"
import type { Operation } from "./Operation.ts"
import * as Scene from "./Scene.ts"

export interface Schedule {
  readonly scene: Scene.Name
  readonly operations: ReadonlyArray<Operation>
  /** Which transaction goes on, step by step: each has two, its statement and its end. */
  readonly order: ReadonlyArray<number>
  /** Whether each is undone at its end. */
  readonly undone: ReadonlyArray<boolean>
}

/** A schedule in words. */
export const inWords = ({ operations, order, scene, undone }: Schedule): string =>
  `${scene}: ${operations.map(({ name }, index) => `${index} = ${name}${undone[index] === true ? " (undone)" : ""}`).join(", ")}; order ${order.join(" ")}`

/** Every order of the steps of so many transactions. */
export const orders = (count: number): ReadonlyArray<ReadonlyArray<number>> => {
  const found: Array<ReadonlyArray<number>> = []
  const grow = (order: ReadonlyArray<number>) => {
    if (order.length === count * 2) return void found.push(order)
    for (let one = 0; one < count; one++) {
      if (order.filter((other) => other === one).length < 2) grow([...order, one])
    }
  }
  grow([])
  return found
}

/** Every pair of operations, in every scene, in every order, both done or one of them undone. */
export const pairs = (operations: ReadonlyArray<Operation>): ReadonlyArray<Schedule> =>
  Scene.names.flatMap((scene) =>
    operations.flatMap((first, index) =>
      operations.slice(index).flatMap((second) =>
        orders(2).flatMap((order) =>
          [
            [false, false],
            [true, false],
            [false, true]
          ].map((undone) => ({ scene, operations: [first, second], order, undone }))
        )
      )
    )
  )

/** A schedule of three operations that does not depend on anything but the number. */
export const triple = (operations: ReadonlyArray<Operation>, number: number): Schedule => {
  let state = (number * 2_654_435_761) >>> 0
  const pick = (count: number) => {
    state = (Math.imul(state ^ (state >>> 15), 2_246_822_519) + 374_761_393) >>> 0
    return (state >>> 8) % count
  }
  const all = orders(3)
  return {
    scene: Scene.names[pick(Scene.names.length)]!,
    operations: [0, 1, 2].map(() => operations[pick(operations.length)]!),
    order: all[pick(all.length)]!,
    undone: [0, 1, 2].map(() => pick(8) === 0)
  }
}

type Connection = PgConnection.PgConnection

/** One connection for each transaction, and one to look from. */
export interface Stage {
  readonly actors: ReadonlyArray<{ readonly connection: Connection; readonly pid: number }>
  readonly watch: Connection
}

export const stage = Effect.fnUntraced(function* (url: Redacted.Redacted<string>) {
  const connect = Effect.gen(function* () {
    const connection = yield* PgConnection.make({ url })
    // What is asked here does not depend on the disk; a circle of locks is found out at once.
    yield* connection.query("set synchronous_commit = off")
    yield* connection.query("set deadlock_timeout = '20ms'")
    const { rows } = yield* connection.query("select pg_backend_pid()::int as pid")
    return { connection, pid: (rows[0] as unknown as { readonly pid: number }).pid }
  })
  const actors = yield* Effect.all([connect, connect, connect])
  const { connection: watch } = yield* connect
  return { actors, watch } satisfies Stage
})

/** The code that Postgres gave an error. */
const codeOf = (cause: Cause.Cause<unknown>): string => {
  const error = Cause.squash(cause) as { readonly reason?: { readonly cause?: { readonly code?: string } } }
  return error.reason?.cause?.code ?? Cause.pretty(cause)
}

/** Plays a schedule. Gives what is wrong afterwards. */
export const play = Effect.fnUntraced(function* ({ actors, watch }: Stage, schedule: Schedule) {
  const { operations, order, undone } = schedule
  const scene = Scene.make(schedule.scene)
  const wrongs: Array<string> = []
  const { child, ended, first, other, run, saga, second } = scene
  yield* watch.query("select public.set_scene($1, $2, $3, $4, $5::uuid, $6::uuid, $7::uuid, $8::uuid)", [
    scene.name,
    saga,
    first,
    second,
    run,
    child,
    other,
    ended
  ])

  const played = operations.map((operation, index) => ({
    operation,
    isUndone: undone[index] === true,
    ...actors[index]!,
    fiber: undefined as Fiber.Fiber<ReadonlyArray<unknown>, unknown> | undefined,
    /** What it was answered, once it was. */
    rows: undefined as ReadonlyArray<unknown> | undefined,
    failed: undefined as string | undefined,
    mayEnd: false,
    isOver: false,
    /** Which others had been committed before it began. */
    after: [] as Array<number>
  }))
  type Played = (typeof played)[number]

  /** Waits until the transaction has its answer, or waits for a lock. */
  const look = Effect.fnUntraced(function* (one: Played) {
    for (let times = 0; one.rows === undefined && one.failed === undefined; times++) {
      const exit = one.fiber?.pollUnsafe()
      if (exit === undefined) {
        if (times > 0) {
          const { rows } = yield* watch.query("select cardinality(pg_blocking_pids($1::int)) > 0 as blocked", [one.pid])
          if ((rows[0] as unknown as { readonly blocked: boolean }).blocked) return false
        }
        yield* Effect.yieldNow
        yield* Effect.sleep(0)
      } else if (Exit.isSuccess(exit)) one.rows = exit.value
      else one.failed = codeOf(exit.cause)
    }
    return true
  })

  const end = Effect.fnUntraced(function* (one: Played) {
    yield* one.connection.query(one.isUndone || one.failed !== undefined ? "rollback" : "commit")
    one.isOver = true
  })

  /** Ends what may end by now. */
  const settle = Effect.fnUntraced(function* () {
    for (let again = true; again;) {
      again = false
      for (const one of played) {
        if (one.fiber === undefined || one.isOver) continue
        if (!(yield* look(one)) || !one.mayEnd) continue
        yield* end(one)
        again = true
      }
    }
  })

  for (const index of order) {
    const one = played[index]!
    if (one.fiber === undefined) {
      const { params, text } = one.operation.statement(scene)
      one.after = played.flatMap((other, at) =>
        other.isOver && !other.isUndone && other.failed === undefined ? [at] : []
      )
      yield* one.connection.query("begin")
      one.fiber = yield* Effect.forkChild(
        Effect.map(one.connection.query(text, params), ({ rows }) => rows as ReadonlyArray<unknown>)
      )
      yield* look(one)
    } else one.mayEnd = true
    yield* settle()
  }
  while (played.some(({ isOver }) => !isOver)) yield* settle()

  for (const { after, failed, operation, rows } of played) {
    // A place that is taken: then the append is sent carefully.
    const isTaken = failed === "23505" && operation.append !== undefined
    if (failed !== undefined && !isTaken) wrongs.push(`${operation.name} failed with ${failed}`)
    const isSilenced = after.some((at) => played[at]!.operation.silences?.(scene) === true)
    // Those of 8 and more are of other runs than the one that may have been released.
    if (operation.append === undefined || operation.append >= 8 || !isSilenced || rows === undefined) continue
    const accepted = JSON.stringify(rows).includes("run_ids") ? acceptedOf(rows, run) : rows.length > 0
    if (accepted) wrongs.push(`G4: ${operation.name} was accepted of a worker that is gone`)
  }
  const beat = played.find(({ operation }) => operation.name === "heartbeat")
  if (beat !== undefined && !beat.isUndone && (beat.rows?.length ?? 0) > 0) {
    const { rows } = yield* watch.query(
      "select 1 from makegood.worker where worker_id = $1 and died_at is not null and lease_until > makegood.now()",
      [first]
    )
    const mayBeGone = operations.some(({ name }) => name === "retire")
    if (rows.length > 0 && !mayBeGone) wrongs.push("G4: a worker whose heartbeat was answered is dead")
  }

  // What is left is found by whoever looks next.
  yield* watch.query(buryWorkers.text)
  const sweep = claimRuns({ worker: second, sagas: [{ name: saga, version: 1 }], limit: 100 })
  yield* watch.query(sweep.text, sweep.params as ReadonlyArray<never>)
  const { rows } = yield* watch.query("select public.wrongs($1) as wrong", [saga])
  wrongs.push(...rows.map((row) => (row as unknown as { readonly wrong: string }).wrong))
  return wrongs
})

/** Of an append of several runs: whether that of this run was accepted. */
const acceptedOf = (rows: ReadonlyArray<unknown>, run: string): boolean => {
  const [answer] = rows as ReadonlyArray<{ readonly run_ids: ReadonlyArray<string> | null }>
  return answer !== undefined && (answer.run_ids === null || answer.run_ids.includes(run))
}

/** Forgets what was played, so that the tables stay small. */
export const forget = ({ watch }: Stage) =>
  Effect.forEach(
    ["inbox", "journal", "lock", "lock_wait", "run", "worker"],
    (table) => watch.query(`truncate makegood.${table} cascade`),
    { discard: true }
  )
