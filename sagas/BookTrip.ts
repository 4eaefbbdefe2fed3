/**
 * Books a trip: a seat and a room side by side, then the charge for both, then the itinerary.
 *
 * No seat, no room or no money, and what was done of the rest is taken back.
 */
import { Effect, Schema } from "effect"
import type { Layer } from "effect"
import type { HttpClient } from "effect/http"
import { Saga } from "makegood"
import type { Worker } from "makegood"
import { HttpError } from "makegood/tools/HttpError"
import * as TravelDesk from "makegood/tools/TravelDesk"

/** The saga. A trip is booked once: its id names the run. */
export const BookTrip = Saga.make("BookTrip", {
  version: 1,
  payload: { tripId: Schema.String, flight: Schema.String, hotel: Schema.String, card: Schema.String },
  success: Schema.Struct({ chargeId: Schema.String, cents: Schema.Int }),
  error: Schema.Union([TravelDesk.NoSeats, TravelDesk.NoRooms, TravelDesk.CardDeclined, HttpError]),
  tools: TravelDesk.toolkit,
  idempotencyKey: ({ tripId }) => tripId
})

/** Its body; needs a worker, and the `HttpClient` that reaches the travel desk. */
export const layer: Layer.Layer<never, never, HttpClient.HttpClient | Worker.Worker> = BookTrip.toLayer(
  Effect.fnUntraced(function* ({ card, flight, hotel, tripId }) {
    const { room, seat } = yield* Saga.all({
      seat: TravelDesk.HoldSeat({ tripId, flight }),
      room: TravelDesk.ReserveHotel({ tripId, hotel })
    })
    const cents = seat.cents + room.cents
    const charge = yield* TravelDesk.ChargeCard({ tripId, card, cents })
    yield* TravelDesk.SendItinerary({ tripId })
    return { chargeId: charge.id, cents }
  })
)
