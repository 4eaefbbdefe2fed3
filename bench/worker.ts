/**
 * A worker in a process of its own. It does what its parent asks, one order at a time, and answers each.
 *
 * DATABASE_URL is where the outbox is. See `Children.ts` for the parent.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Exit, Layer, Redacted, Scope } from "effect"
import { Worker } from "makegood"
import { Postgres } from "makegood/postgres"
import * as Floor from "./Floor.ts"
import * as Flow from "./Flow.ts"
import * as Noted from "./Noted.ts"

/** How a worker is to work. */
export interface Opening extends Worker.Options {
  /** Whether it listens to notifications. Default: yes. */
  readonly listens?: boolean
  /** The act that never ends, and says that it was begun. */
  readonly holdAt?: number
  /** After so many acts `inserts` rows are inserted one by one, within the act. */
  readonly floor?: { readonly every: number; readonly inserts: number }
}

/** What can be asked. */
export type Order =
  | { readonly _tag: "open"; readonly opening: Opening }
  | { readonly _tag: "close" }
  | { readonly _tag: "insert"; readonly fibers: number; readonly sagas: number }
  | { readonly _tag: "report" }

/** What the process noted so far, and its memory. */
export interface Report {
  readonly notes: ReadonlyArray<Noted.Note>
  /** For each stretch of inserts how long each took, in milliseconds. */
  readonly floors: ReadonlyArray<{
    readonly step: number
    readonly back: boolean
    readonly millis: ReadonlyArray<number>
  }>
  readonly residentMebibytes: number
  readonly mostResidentMebibytes: number
}

/** What the parent hears: an answer to its order, or that an act is held. */
export type Word =
  | { readonly _tag: "answer"; readonly value: unknown }
  | { readonly _tag: "broke"; readonly why: string }
  | { readonly _tag: "holds" }

const say = (word: Word) => process.send!(word)
const client = (connections: number) =>
  PgClient.layer({ url: Redacted.make(process.env["DATABASE_URL"] ?? ""), maxConnections: connections })

const notes: Array<Noted.Note> = []
const floors: Array<Report["floors"][number]> = []
let scope: Scope.Closeable | undefined

const notebook = ({ floor, holdAt }: Opening) =>
  Layer.effect(
    Noted.Notebook,
    Effect.gen(function* () {
      const context = yield* Effect.context<PgClient.PgClient>()
      const stretch = Effect.fnUntraced(function* (step: number, back: boolean, inserts: number) {
        const millis: Array<number> = []
        for (let nth = 0; nth < inserts; nth++) {
          const began = Noted.now()
          yield* Effect.provideContext(Floor.commit, context)
          millis.push(Noted.now() - began)
        }
        floors.push({ step, back, millis })
      })
      return {
        add: Effect.fnUntraced(function* (note) {
          notes.push(note)
          const { back, step } = note
          if (!back && step === holdAt) {
            say({ _tag: "holds" })
            return yield* Effect.never
          }
          if (floor === undefined || step % floor.every !== 0) return
          yield* Effect.orDie(stretch(step, back, floor.inserts))
          note.left = Noted.now()
        })
      }
    })
  )

const open = Effect.fnUntraced(function* (opening: Opening) {
  const { listens = true } = opening
  scope = Scope.makeUnsafe()
  yield* Layer.buildWithScope(
    Layer.mergeAll(Flow.layer, Noted.layer.pipe(Layer.provide(notebook(opening)))).pipe(
      Layer.provide(Worker.layer(opening)),
      Layer.provide(Postgres.layer({ pooler: !listens })),
      Layer.provide(client(1))
    ),
    scope
  )
})

const close = Effect.suspend(() => (scope === undefined ? Effect.void : Scope.close(scope, Exit.void)))

const insert = (fibers: number, sagas: number) =>
  Effect.gen(function* () {
    const began = Noted.now()
    yield* Effect.repeat(Floor.work, { times: sagas - 1 }).pipe(
      (work) => Array.from({ length: fibers }, () => work),
      (all) => Effect.all(all, { concurrency: "unbounded", discard: true })
    )
    return { began, ended: Noted.now() }
  })

const obey = (order: Order): Effect.Effect<unknown, unknown> => {
  switch (order._tag) {
    case "open":
      return open(order.opening)
    case "close":
      return close
    case "insert":
      return Effect.provide(insert(order.fibers, order.sagas), client(10))
    case "report":
      return Effect.sync((): Report => ({
        notes,
        floors,
        residentMebibytes: process.memoryUsage.rss() / 1_048_576,
        mostResidentMebibytes: process.resourceUsage().maxRSS / 1_024
      }))
  }
}

process.on("message", (order: Order) => {
  Effect.runFork(obey(order)).addObserver((exit) =>
    say(Exit.isSuccess(exit) ? { _tag: "answer", value: exit.value } : { _tag: "broke", why: String(exit.cause) })
  )
})
process.on("disconnect", () => process.exit())
