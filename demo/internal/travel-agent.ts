/** The agent of the demo, and the model that it has instead of a real one: a script, without a key or a network. */
import { Schema } from "effect"
import { Agent, ScriptedModel } from "makegood/agent"
import * as TravelDesk from "makegood/tools/TravelDesk"

/** The travel desk, with a model that chooses. It may charge EUR 300 before a person is asked. */
export const TripAgent = Agent.make("TripAgent", {
  version: 1,
  tools: TravelDesk.toolkit,
  success: Schema.Struct({ chargeId: Schema.String }),
  undo: true,
  budget: { turns: 10, sums: { ChargeCard: { cents: 300_00 } } }
})

/** What the model is told before the conversation. */
export const system = "You book trips. Hold a seat, reserve a room, charge the card for both, and send the itinerary."

const { calls } = ScriptedModel

/** The word of the task after `word`, as a model would find it. */
const wordAfter = ({ prompt }: ScriptedModel.Heard, word: string): string =>
  new RegExp(`${word} ([\\w-]+)`).exec(JSON.stringify(prompt.content))?.[1] ?? ""

const resultOf = ({ prompt }: ScriptedModel.Heard, tool: string): Readonly<Record<string, unknown>> => {
  const parts = prompt.content.flatMap((message) => (message.role === "tool" ? message.content : []))
  const found = parts.findLast((part) => part.type === "tool-result" && part.name === tool && !part.isFailure)
  return (found?.type === "tool-result" ? found.result : {}) as Readonly<Record<string, unknown>>
}

/** It does what a model does: it invents a tool, gives a wrong argument, learns of that, and changes its mind. */
export const script: ReadonlyArray<ScriptedModel.Line> = [
  (heard) => {
    const tripId = wordAfter(heard, "trip")
    return calls(["HoldSeat", { tripId, flight: "MG104" }], ["ReserveHotel", { tripId, hotel: "Grand Outbox" }])
  },
  (heard) => {
    const tripId = wordAfter(heard, "trip")
    return calls(
      ["AskForUpgrade", { tripId }],
      ["ChargeCard", { tripId, card: wordAfter(heard, "card"), cents: "412" }]
    )
  },
  () => calls(["Undo", { calls: ["turn-1/1/ReserveHotel"] }]),
  (heard) => calls(["ReserveHotel", { tripId: wordAfter(heard, "trip"), hotel: "Quiet Ledger" }]),
  (heard) => {
    const cents = Number(resultOf(heard, "HoldSeat")["cents"]) + Number(resultOf(heard, "ReserveHotel")["cents"])
    return calls(["ChargeCard", { tripId: wordAfter(heard, "trip"), card: wordAfter(heard, "card"), cents }])
  },
  (heard) => calls(["SendItinerary", { tripId: wordAfter(heard, "trip") }]),
  (heard) => calls(["Answer", { result: { chargeId: resultOf(heard, "ChargeCard")["id"] } }])
]
