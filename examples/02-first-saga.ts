/**
 * A saga of three tools, with its outbox in a real Postgres that comes from npm.
 *
 * Every call is in the database before it is made, with its key, and its outcome after it. Services are used in tools,
 * never in the body: the body runs again after a crash, and skips what is recorded.
 *
 * Run it: npm run example -- 02
 */
import { Console, Context, Effect, Layer, Schema } from "effect"
import { Saga, Tool, Worker } from "makegood"
import { Embedded } from "makegood/embedded"
import { Postgres } from "makegood/postgres"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

class Desk extends Context.Service<Desk, { readonly write: (line: string) => Effect.Effect<void> }>()("example/Desk") {}

const FindPrice = Tool.query("FindPrice", {
  parameters: { tripId: Schema.String },
  success: Schema.Struct({ cents: Schema.Int }),
  execute: () => Effect.succeed({ cents: 24900 })
})

const HoldSeat = Tool.make("HoldSeat", {
  parameters: { tripId: Schema.String },
  success: Schema.Struct({ seat: Schema.String }),
  execute: ({ tripId }) =>
    Desk.use((desk) => desk.write(`seat 12A held for ${tripId}`)).pipe(Effect.as({ seat: "12A" })),
  compensate: ({ success }) => Desk.use((desk) => desk.write(`seat ${success.seat} given back`)),
  inDoubt: Tool.idempotent
})

const ChargeCard = Tool.make("ChargeCard", {
  parameters: { seat: Schema.String, cents: Schema.Int },
  execute: ({ seat, cents }) => Desk.use((desk) => desk.write(`${cents} cents charged for ${seat}`)),
  compensate: ({ parameters }) => Desk.use((desk) => desk.write(`${parameters.cents} cents refunded`)),
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

const BookTrip = Saga.make("BookTrip", {
  version: 1,
  payload: { tripId: Schema.String },
  success: Schema.Struct({ seat: Schema.String, cents: Schema.Int }),
  tools: [FindPrice, HoldSeat, ChargeCard],
  idempotencyKey: ({ tripId }) => tripId
})

const BookTripLive = BookTrip.toLayer(
  Effect.fnUntraced(function* ({ tripId }) {
    const { cents } = yield* FindPrice({ tripId })
    const { seat } = yield* HoldSeat({ tripId })
    yield* ChargeCard({ seat, cents })
    return { seat, cents }
  })
)

const directory = mkdtempSync(join(tmpdir(), "makegood-"))
const app = BookTripLive.pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Layer.succeed(Desk, { write: (line) => Console.log(line) })),
  Layer.provide(Postgres.layer()),
  Layer.provide(Postgres.layerMigrations),
  Layer.provide(Embedded.layer({ directory }))
)

const program = Effect.gen(function* () {
  const { cents, seat } = yield* BookTrip.execute({ tripId: "T-1" })
  yield* Console.log(`booked: ${seat} for ${cents} cents`)
})

await Effect.runPromise(Effect.provide(program, app))
rmSync(directory, { recursive: true })

// It prints:
//
// seat 12A held for T-1
// 24900 cents charged for 12A
// booked: 12A for 24900 cents
