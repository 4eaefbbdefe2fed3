/**
 * Seats, hotel rooms, card charges and itineraries of a travel desk that knows idempotency keys for a day.
 *
 * Ready-made in the sense of ready to be copied: it is what tools look like that are built with `Http`, and it is what
 * `npm run demo` runs. The desk is whoever the context's `HttpClient` reaches.
 */
import { Schema } from "effect"
import { HttpClientRequest } from "effect/http"
import { Tool, Toolkit } from "makegood"
import * as Http from "./Http.ts"

const { bodyJsonUnsafe, delete: del, post } = HttpClientRequest

/** The flight has no seat left. */
export class NoSeats extends Schema.TaggedError<NoSeats>()("NoSeats", { flight: Schema.String }) {
  override get message() {
    return `The flight ${this.flight} has no seat left. Nothing was held. Take another flight.`
  }
}

/** The hotel has no room left. */
export class NoRooms extends Schema.TaggedError<NoRooms>()("NoRooms", { hotel: Schema.String }) {
  override get message() {
    return `The hotel ${this.hotel} has no room left. Nothing was reserved. Take another hotel.`
  }
}

/** The bank said no. */
export class CardDeclined extends Schema.TaggedError<CardDeclined>()("CardDeclined", { reason: Schema.String }) {
  override get message() {
    return `The card was declined: ${this.reason}. Nothing was charged. Pay with another card.`
  }
}

/** How long the desk remembers a key. */
const inDoubt = Tool.sameKey({ validFor: "24 hours" })

/** Holds a seat on a flight; taken back by releasing it. */
export const HoldSeat = Http.make("HoldSeat", {
  description: "Hold a seat on a flight",
  parameters: { tripId: Schema.String, flight: Schema.String },
  success: Schema.Struct({ id: Schema.String, cents: Schema.Int }),
  failures: { 409: NoSeats },
  request: (seat) => post("/seats").pipe(bodyJsonUnsafe(seat)),
  compensate: ({ success }) => del(Http.path`/seats/${success.id}`),
  inDoubt
})

/** Reserves a hotel room; taken back by cancelling it. */
export const ReserveHotel = Http.make("ReserveHotel", {
  description: "Reserve a room in a hotel",
  parameters: { tripId: Schema.String, hotel: Schema.String },
  success: Schema.Struct({ id: Schema.String, cents: Schema.Int }),
  failures: { 409: NoRooms },
  request: (room) => post("/rooms").pipe(bodyJsonUnsafe(room)),
  compensate: ({ success }) => del(Http.path`/rooms/${success.id}`),
  inDoubt
})

/** Charges a card, known by its token; taken back by a refund. */
export const ChargeCard = Http.make("ChargeCard", {
  description: "Charge a customer's card",
  parameters: { tripId: Schema.String, card: Schema.String, cents: Schema.Int },
  success: Schema.Struct({ id: Schema.String }),
  failures: { 402: CardDeclined },
  request: (charge) => post("/charges").pipe(bodyJsonUnsafe(charge)),
  compensate: ({ success }) => post(Http.path`/charges/${success.id}/refund`),
  inDoubt
})

/** Sends the itinerary. Nobody takes back a letter. */
export const SendItinerary = Http.irreversible("SendItinerary", {
  description: "Send the itinerary to the traveller",
  parameters: { tripId: Schema.String },
  success: Schema.Struct({ id: Schema.String }),
  request: (itinerary) => post("/itineraries").pipe(bodyJsonUnsafe(itinerary)),
  inDoubt
})

/** All of them. */
export const toolkit = Toolkit.make(HoldSeat, ReserveHotel, ChargeCard, SendItinerary)
