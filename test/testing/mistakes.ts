/** Sagas with a mistake in them, each of a kind that people make, and the same saga without it. */
import { Context, Effect, Layer, Schema } from "effect"
import { Failure, Saga, Tool } from "makegood"
import { FakeWorld } from "makegood/testing"

export class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", {}) {}
export class LineBusy extends Schema.TaggedError<LineBusy>()("LineBusy", {}) {}

export interface Seat {
  readonly id: string
  readonly trip: string
}

/** What the tools act on. */
export class Desk extends Context.Service<
  Desk,
  {
    readonly hold: (trip: string, seats: number, key?: string) => Effect.Effect<ReadonlyArray<string>>
    readonly release: (id: string) => Effect.Effect<void>
    readonly charge: (cents: number, key?: string) => Effect.Effect<string>
    readonly refund: (id: string, key?: string) => Effect.Effect<void>
    readonly seen: Effect.Effect<unknown>
  }
>()("test/testing/Desk") {}

/** On shelves of the fake world, that know keys where they are given. */
export const DeskFake = Layer.effect(
  Desk,
  Effect.gen(function* () {
    const seats = yield* FakeWorld.shelf<Seat>("seats")
    const charges = yield* FakeWorld.shelf<{ readonly id: string; readonly cents: number }>("charges")
    let made = 0
    return Desk.of({
      hold: (trip, count, key) =>
        Effect.forEach(
          Array.from({ length: count }, (_, index) => index),
          (index) =>
            Effect.map(
              seats.put({ id: `${trip}-${index}`, trip }, key === undefined ? {} : { key: `${key}-${index}` }),
              (seat) => seat.id
            )
        ),
      release: (id) => Effect.asVoid(seats.takeBackIfThere((seat) => seat.id === id)),
      charge: (cents, key) =>
        Effect.suspend(() => charges.put({ id: `ch-${key ?? ++made}`, cents }, key === undefined ? {} : { key })).pipe(
          Effect.map((charge) => charge.id)
        ),
      refund: (id, key) =>
        Effect.asVoid(charges.takeBack((charge) => charge.id === id, key === undefined ? {} : { key })),
      seen: Effect.all({ seats: seats.standing, charges: charges.standing })
    })
  })
)

/** Plain maps, as anybody would write them: nothing tells the kit what happens there but `seen`. */
export const DeskPlain = Layer.sync(Desk, () => {
  const seats = new Map<string, Seat>()
  const charges = new Map<string, number>()
  const known = new Map<string, string>()
  let balance = 0
  return Desk.of({
    hold: (trip, count) =>
      Effect.sync(() =>
        Array.from({ length: count }, (_, index) => {
          const id = `${trip}-${index}`
          seats.set(id, { id, trip })
          return id
        })
      ),
    release: (id) => Effect.sync(() => void seats.delete(id)),
    charge: (cents, key) =>
      Effect.sync(() => {
        const before = key === undefined ? undefined : known.get(key)
        if (before !== undefined) return before
        const id = `ch-${charges.size + 1}`
        charges.set(id, cents)
        balance -= cents
        if (key !== undefined) known.set(key, id)
        return id
      }),
    refund: (id, key) =>
      Effect.sync(() => {
        const cents = charges.get(id)
        if (cents === undefined || (key !== undefined && known.has(key))) return
        if (key !== undefined) known.set(key, id)
        balance += cents
      }),
    seen: Effect.sync(() => ({ seats: [...seats.keys()].sort(), balance }))
  })
})

/** Which mistake a trip has. */
export type Mistake =
  | "none"
  | "releases only the first seat"
  | "does not refund what is cancelled"
  | "is called idempotent and is not"
  | "refunds as often as it is asked"
  | "takes the first part for the whole"
  | "reads the time"
  | "reads chance"

/** The saga with that mistake. */
export const tripWith = (mistake: Mistake) => {
  const HoldSeats = Tool.make("HoldSeats", {
    parameters: { trip: Schema.String, seats: Schema.Int, at: Schema.String },
    success: Schema.Struct({ ids: Schema.Array(Schema.String) }),
    failure: LineBusy,
    execute: ({ seats, trip }, call) =>
      Effect.map(
        Desk.use((desk) => desk.hold(trip, seats, call.key)),
        (ids) => ({ ids })
      ),
    compensate: ({ success }) =>
      Effect.forEach(mistake === "releases only the first seat" ? success.ids.slice(0, 1) : success.ids, (id) =>
        Desk.use((desk) => desk.release(id))
      ),
    inDoubt: Tool.sameKey({ validFor: "1 day" }),
    classify: { LineBusy: Failure.transient }
  })
  const ChargeCard = Tool.make("ChargeCard", {
    parameters: { cents: Schema.Int },
    success: Schema.Struct({ id: Schema.String }),
    failure: CardDeclined,
    execute: ({ cents }, call) =>
      mistake === "takes the first part for the whole"
        ? Desk.use((desk) =>
            Effect.gen(function* () {
              const before = JSON.stringify(yield* desk.seen)
              const id = yield* desk.charge(cents / 2, call.key)
              const isNew = JSON.stringify(yield* desk.seen) !== before
              // Where the first part is known, the rest is taken for done.
              if (isNew) yield* desk.charge(cents / 2, `${call.key}-rest`)
              return { id }
            })
          )
        : Effect.map(
            Desk.use((desk) =>
              desk.charge(cents, mistake === "is called idempotent and is not" ? undefined : call.key)
            ),
            (id) => ({ id })
          ),
    compensate: ({ cause, success }, call) =>
      mistake === "does not refund what is cancelled" && cause._tag === "cancelled"
        ? Effect.void
        : Desk.use((desk) =>
            desk.refund(success.id, mistake === "refunds as often as it is asked" ? undefined : call.key)
          ),
    inDoubt: mistake === "is called idempotent and is not" ? Tool.idempotent : Tool.sameKey({ validFor: "1 day" }),
    classify: { CardDeclined: Failure.permanent }
  })
  const Trip = Saga.make("Trip", {
    version: 1,
    payload: { trip: Schema.String },
    error: Schema.Union([LineBusy, CardDeclined]),
    tools: [HoldSeats, ChargeCard],
    idempotencyKey: ({ trip }) => trip
  })
  const layer = Trip.toLayer(
    Effect.fnUntraced(function* ({ trip }) {
      const at =
        mistake === "reads the time"
          ? new Date().toISOString().slice(0, 10)
          : mistake === "reads chance"
            ? String(Math.random())
            : "noon"
      const { ids } = yield* HoldSeats({ trip, seats: 2, at })
      const charge = ChargeCard({ cents: ids.length * 100 })
      yield* charge
    })
  )
  return { Trip, layer, HoldSeats, ChargeCard }
}
