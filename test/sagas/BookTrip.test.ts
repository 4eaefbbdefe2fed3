import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import { Outbox, Runs, Worker } from "makegood"
import * as BookTrip from "makegood/sagas/BookTrip"
import { type Behaviour, clientOn, type Got, reset, target } from "../tools/target.ts"

const trip = { tripId: "t1", flight: "MG104", hotel: "Grand Outbox", card: "tok_4242" }

/** A desk that does all it is asked, but for what `refuse` says. */
const desk = (refuse: Readonly<Record<string, Behaviour>> = {}) =>
  target(({ method, url }: Got) => {
    const refused = refuse[`${method} ${url}`]
    if (refused !== undefined) return refused
    return { status: 200, body: { id: url.slice(1), cents: url === "/seats" ? 249_00 : 163_00 } }
  })

const book = (client: Layer.Layer<HttpClient.HttpClient>, payload = trip) =>
  Effect.gen(function* () {
    const { runId } = yield* BookTrip.BookTrip.start(payload)
    yield* Runs.await(runId)
    return yield* Runs.get(runId)
  }).pipe(
    Effect.provide(
      BookTrip.layer.pipe(Layer.provideMerge(Worker.layer()), Layer.provide([Outbox.layerMemory, client]))
    ),
    Effect.timeout("20 seconds")
  )

describe("BookTrip", () => {
  it.live("books a seat and a room, charges for both, and sends the itinerary", () =>
    Effect.gen(function* () {
      const there = yield* desk()
      const run = yield* book(clientOn(there.url))
      assert.strictEqual(run.state, "completed")
      assert.deepStrictEqual(JSON.parse(run.result!), { chargeId: "charges", cents: 412_00 })
      assert.sameMembers(
        there.got.slice(0, 2).map((one) => one.url),
        ["/seats", "/rooms"]
      )
      assert.deepStrictEqual(
        there.got.slice(2).map((one) => one.url),
        ["/charges", "/itineraries"]
      )
      assert.deepStrictEqual(there.got[2]?.body, { tripId: "t1", card: "tok_4242", cents: 412_00 })
    })
  )

  it.live("gives up the seat and the room when the card is declined, and sends nothing", () =>
    Effect.gen(function* () {
      const there = yield* desk({ "POST /charges": { status: 402, body: { reason: "insufficient funds" } } })
      const run = yield* book(clientOn(there.url))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(JSON.parse(run.result!), { _tag: "CardDeclined", reason: "insufficient funds" })
      assert.sameMembers(
        there.got.slice(3).map((one) => `${one.method} ${one.url}`),
        ["DELETE /seats/seats", "DELETE /rooms/rooms"]
      )
    })
  )

  for (const [path, tag] of [
    ["/seats", "NoSeats"],
    ["/rooms", "NoRooms"]
  ] as const) {
    it.live(`gives up the rest and charges nothing when ${path} has none left`, () =>
      Effect.gen(function* () {
        const body = { flight: "MG104", hotel: "Grand Outbox" }
        const there = yield* desk({ [`POST ${path}`]: { status: 409, body } })
        const run = yield* book(clientOn(there.url))
        assert.strictEqual(run.state, "rolled_back")
        assert.strictEqual((JSON.parse(run.result!) as { _tag: string })._tag, tag)
        assert.isFalse(there.got.some((one) => one.url === "/charges"))
        const other = path === "/seats" ? "/rooms" : "/seats"
        const acted = there.got.some((one) => one.method === "POST" && one.url === other)
        const undone = there.got.some((one) => one.method === "DELETE" && one.url.startsWith(other))
        assert.strictEqual(undone, acted)
      })
    )
  }

  it.live("refunds the charge when the itinerary can never be sent", () =>
    Effect.gen(function* () {
      const there = yield* desk({ "POST /itineraries": { status: 400 } })
      const run = yield* book(clientOn(there.url))
      assert.strictEqual(run.state, "rolled_back")
      assert.strictEqual(there.got[4]?.url, "/charges/charges/refund")
      assert.deepStrictEqual(run.standing, [])
    })
  )

  // Four calls when all goes well; three calls and two compensations when the card is declined.
  for (const [card, count] of [
    ["tok_4242", 4],
    ["tok_0002", 5]
  ] as const) {
    for (let lost = 1; lost <= count; lost++) {
      it.live(`acts once though the reply to act ${lost} of a trip with ${card} is lost`, () =>
        Effect.gen(function* () {
          const acts = new Map<string, Behaviour>()
          const there = yield* target(({ key, method, url }) => {
            const known = acts.get(key!)
            if (known !== undefined) return known
            const declined = url === "/charges" && card === "tok_0002"
            acts.set(
              key!,
              declined
                ? { status: 402, body: { reason: "insufficient funds" } }
                : { status: 200, body: { id: `${method}${acts.size}`, cents: 100 } }
            )
            return acts.size === lost ? reset : acts.get(key!)!
          })
          const run = yield* book(clientOn(there.url), { ...trip, card })
          assert.strictEqual(run.state, card === "tok_4242" ? "completed" : "rolled_back")
          assert.strictEqual(acts.size, count)
          assert.strictEqual(there.got.length, count + 1)
          assert.sameMembers(
            run.calls.map((call) => call.key),
            [...acts.keys()]
          )
        })
      )
    }
  }
})
