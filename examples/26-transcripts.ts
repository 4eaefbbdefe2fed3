/**
 * Reading along: the transcript of a run has what is recorded first, then the words of an answer as the model says them,
 * then the answer. Only while somebody reads does a model speak word by word; what is recorded is the same.
 *
 * Over HTTP it is a stream of server-sent events. A browser that was cut off goes on from the last event it got.
 *
 * Run it: npm run example -- 26
 */
import { Console, Deferred, Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel, type Prompt, type Response } from "effect/ai"
import { HttpEffect } from "effect/http"
import { Outbox, Runs, Tool, Worker } from "makegood"
import { Agent, Transcript } from "makegood/agent"

const isRead = Deferred.makeUnsafe<void>()

const ReserveRoom = Tool.make("ReserveRoom", {
  parameters: { hotel: Schema.String },
  success: Schema.Struct({ room: Schema.String }),
  execute: ({ hotel }) => Effect.as(Deferred.await(isRead), { room: `${hotel}, 12` }),
  compensate: () => Effect.void,
  inDoubt: Tool.idempotent
})

const TravelAgent = Agent.make("TravelAgent", { version: 1, tools: [ReserveRoom] })

const finish: Response.FinishPartEncoded = {
  type: "finish",
  reason: "stop",
  usage: {
    inputTokens: { uncached: undefined, total: 100, cacheRead: undefined, cacheWrite: undefined },
    outputTokens: { total: 20, text: undefined, reasoning: undefined }
  }
}

const call: Response.ToolCallPartEncoded = {
  type: "tool-call",
  id: "1",
  name: "ReserveRoom",
  params: { hotel: "Grand Outbox" }
}
const isDone = (prompt: Prompt.Prompt) => prompt.content.at(-1)?.role === "tool"

/** In the place of a real one: asked at once where nobody listens, and else for one word after the other. */
const model = Layer.effect(
  LanguageModel.LanguageModel,
  LanguageModel.make({
    generateText: ({ prompt }) =>
      Effect.succeed([isDone(prompt) ? { type: "text", text: "You sleep in room 12." } : call, finish]),
    streamText: ({ prompt }) =>
      Stream.fromIterable<Response.StreamPartEncoded>(
        isDone(prompt)
          ? [
              { type: "text-start", id: "1" },
              { type: "text-delta", id: "1", delta: "You sleep " },
              { type: "text-delta", id: "1", delta: "in room 12." },
              { type: "text-end", id: "1" },
              finish
            ]
          : [call, finish]
      ).pipe(Stream.tap(() => Effect.sleep("200 millis")))
  })
)

const app = TravelAgent.toLayer({ model }).pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const { runId } = yield* TravelAgent.start({ id: "T-1", prompt: "A room for tonight, please." })
  let last = ""
  yield* Stream.runForEach(Transcript.stream(runId), ({ id, told }) =>
    Effect.gen(function* () {
      // The room is given once somebody reads along.
      if (told._tag === "called") {
        last = id
        yield* Deferred.succeed(isRead, undefined)
      }
      if (told._tag === "words") yield* Console.log(`  ${told.path}: ${JSON.stringify(told.text)}`)
      if (told._tag === "answered") yield* Console.log(`${told.path}: ${JSON.stringify(told.text)}`)
      if (told._tag === "ended") yield* Console.log(told.state)
    })
  )

  // In a server: HttpRouter.add("GET", "/runs/:id", ...). EventSource sends the last id by itself.
  const runs = yield* Runs.Runs
  const handler = HttpEffect.toWebHandler(
    Transcript.respond(runId).pipe(Effect.orDie, Effect.provideService(Runs.Runs, runs))
  )
  const request = new Request(`http://localhost/runs/${runId}`, { headers: { "last-event-id": last } })
  const response = yield* Effect.promise(() => handler(request))
  yield* Console.log(response.headers.get("content-type"))
  yield* Console.log((yield* Effect.promise(() => response.text())).trimEnd())
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// Model: ""
//   Model~2: "You sleep "
//   Model~2: "in room 12."
// Model~2: "You sleep in room 12."
// completed
// text/event-stream
// id: 5
// event: outcome
// data: {"_tag":"outcome","path":"turn-1/0/ReserveRoom","tool":"ReserveRoom","act":"reversible","isFailure":false,"result":{"room":"Grand Outbox, 12"}}
//
// id: 7
// event: answered
// data: {"_tag":"answered","path":"Model~2","text":"You sleep in room 12.","calls":[],"provider":"unknown","model":"unknown","tokens":{"input":100,"output":20,"cached":0},"cost":0}
//
// id: 8
// event: ended
// data: {"_tag":"ended","state":"completed","result":"You sleep in room 12."}
