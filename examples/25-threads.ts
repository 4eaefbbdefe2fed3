/**
 * A conversation: each message to a thread begins a turn, which is a run like any other. A turn knows what was said
 * before it, and the state that the thread has come to; its record holds only what is new.
 *
 * A message that comes twice is one turn; one that comes while another is at work waits, interrupts, or is rejected; and
 * the last turns can be taken back, with all that they did.
 *
 * Run it: npm run example -- 25
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Outbox, Tool, Worker } from "makegood"
import { Agent, ScriptedModel, Thread } from "makegood/agent"

const ReserveRoom = Tool.make("ReserveRoom", {
  parameters: { city: Schema.String },
  execute: ({ city }) => Console.log(`  a room in ${city} reserved`),
  compensate: ({ parameters }) => Console.log(`  the room in ${parameters.city} cancelled`),
  inDoubt: Tool.idempotent
})

const TravelAgent = Agent.make("TravelAgent", { version: 1, tools: [ReserveRoom] })

const Trip = Thread.make("Trip", {
  agent: TravelAgent,
  // Raised to 2 when `rooms` became a list; a thread that was begun before is brought along.
  state: {
    version: 2,
    schema: Schema.Struct({ rooms: Schema.Array(Schema.String) }),
    initial: { rooms: [] },
    migrations: { 1: (state) => ({ rooms: [(state as { room: string }).room] }) }
  },
  next: ({ rooms }, { did }) => ({
    rooms: [...rooms, ...did.map(({ parameters }) => (parameters as { city: string }).city)]
  }),
  tell: ({ rooms }, { text }) => `${text} (rooms so far: ${rooms.length === 0 ? "none" : rooms.join(", ")})`
})

const { calls, says } = ScriptedModel

/** Reserves a room in the city that the message is about. */
const model = ScriptedModel.layer([
  ({ prompt }) => {
    const last = prompt.content.at(-1)!
    if (last.role === "tool") return says("It is reserved.")
    const text =
      last.role === "user" ? last.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""
    console.log(`  the model hears: ${text}`)
    return calls(["ReserveRoom", { city: text.split(" ")[2]! }])
  }
])

const app = Trip.toLayer({ system: "You reserve rooms.", model }).pipe(
  Layer.provideMerge(Worker.layer()),
  Layer.provide(Outbox.layerMemory)
)

const ada = { by: "ada" }

const program = Effect.gen(function* () {
  const say = (id: string, text: string) =>
    Effect.gen(function* () {
      const sent = yield* Trip.send("ada's trip", { id, text, ...ada })
      yield* Console.log(`turn ${sent.turn}: ${yield* sent.await}`)
    })
  const show = Effect.flatMap(Trip.look("ada's trip"), ({ state }) => Console.log(`state: ${JSON.stringify(state)}`))

  yield* say("m-1", "Somewhere in Paris please.")
  yield* say("m-2", "Then in Rome as well.")
  // Its sender heard nothing and sends it again.
  yield* say("m-2", "Then in Rome as well.")
  yield* show

  const { undone } = yield* Trip.undo("ada's trip", ada)
  yield* Console.log(`taken back: turn ${undone.join()}`)
  yield* show
  yield* say("m-3", "Rather in Oslo then.")
  yield* show
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
//   the model hears: Somewhere in Paris please. (rooms so far: none)
//   a room in Paris reserved
// turn 1: It is reserved.
//   the model hears: Then in Rome as well. (rooms so far: Paris)
//   a room in Rome reserved
// turn 2: It is reserved.
// turn 2: It is reserved.
// state: {"rooms":["Paris","Rome"]}
//   the room in Rome cancelled
// taken back: turn 2
// state: {"rooms":["Paris"]}
//   the model hears: Rather in Oslo then. (rooms so far: Paris)
//   a room in Oslo reserved
// turn 4: It is reserved.
// state: {"rooms":["Paris","Oslo"]}
