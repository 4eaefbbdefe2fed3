/** The application that the tests of the command line work with. The first letter of a trip's id says how it goes. */
import { Effect, Schema } from "effect"
import { Approval, Failure, Saga, Signal, Timer, Tool } from "makegood"
import type { Runs, Worker } from "makegood"

class NoMoney extends Schema.TaggedError<NoMoney>()("NoMoney", {}) {}
class LineBusy extends Schema.TaggedError<LineBusy>()("LineBusy", {}) {}

const HoldSeat = Tool.make("HoldSeat", {
  parameters: { id: Schema.String },
  success: Schema.Struct({ seat: Schema.String }),
  failure: LineBusy,
  execute: () => Effect.succeed({ seat: "12A" }),
  // The desk is closed when it is asked first, or for good.
  compensate: ({ parameters: { id } }, { attempt }) =>
    (id.startsWith("late") && attempt === 1) || id.startsWith("never") ? Effect.fail(new LineBusy()) : Effect.void,
  inDoubt: Tool.idempotent,
  classify: { LineBusy: Failure.permanent }
})

const ChargeCard = Tool.make("ChargeCard", {
  parameters: { id: Schema.String },
  success: Schema.Struct({ chargeId: Schema.String }),
  failure: Schema.Union([NoMoney, LineBusy]),
  execute: ({ id }, { attempt }) =>
    id.startsWith("doubt")
      ? Effect.never
      : attempt === 1
        ? Effect.fail(new LineBusy())
        : /^(?:poor|late|never)/.test(id)
          ? Effect.fail(new NoMoney())
          : Effect.succeed({ chargeId: "ch_1" }),
  compensate: () => Effect.void,
  inDoubt: Tool.askPerson,
  timeout: "100 millis",
  classify: { NoMoney: Failure.permanent, LineBusy: Failure.transient }
})

export const Paid = Signal.make("paid", { payload: Schema.Struct({ cents: Schema.Int }) })

export const Trip = Saga.make("Trip", {
  version: 1,
  payload: { id: Schema.String },
  success: Schema.Struct({ chargeId: Schema.String }),
  error: Schema.Union([NoMoney, LineBusy]),
  tools: [HoldSeat, ChargeCard],
  idempotencyKey: ({ id }) => id
})

export default Trip.toLayer(
  Effect.fnUntraced(function* ({ id }) {
    yield* HoldSeat({ id })
    if (id.startsWith("bug")) return yield* Effect.die(new TypeError("nobody thought of this"))
    if (id.startsWith("waits")) yield* Paid.await()
    if (id.startsWith("asks")) {
      yield* Approval.request("boss", { to: "managers", show: { id } }).pipe(Effect.mapError(() => new NoMoney()))
    }
    if (id.startsWith("sleeps")) yield* Timer.sleep("1 hour")
    return yield* ChargeCard({ id })
  })
)

export const worker: Worker.Options = { name: "fixture", poll: "50 millis" }

/** What `dev` starts: the trips that the environment names. */
export const dev: Effect.Effect<void, Runs.RunsError, Runs.Runs> = Effect.forEach(
  (process.env["TRIPS"] ?? "").split(" ").filter((id) => id !== ""),
  (id) => Trip.start({ id }, { attributes: { customer: "c-1" } }),
  { discard: true }
)
