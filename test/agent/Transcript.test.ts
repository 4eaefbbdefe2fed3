import { NodeHttpServer } from "@effect/platform-node"
import { assert, describe } from "@effect/vitest"
import { Deferred, Effect, Fiber, Layer, Schema, Stream } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import { HttpRouter, HttpServer, HttpServerResponse } from "effect/http"
import { createServer } from "node:http"
import { Agent, ScriptedModel, Transcript } from "../../src/agent/index.ts"
import { Runs } from "../../src/index.ts"
import { atRest, bury, claim, entriesOf, until, withWorker } from "../worker/bench.ts"
import { desk } from "./desk.ts"

const { calls } = ScriptedModel
const x = { of: "x" }
const task = { id: "a", prompt: "Do it." }

/** What a model does in one answer: says a word, or waits. */
type Beat = string | Effect.Effect<void>

/**
 * A model that speaks word by word: each answer is a list of beats, a call that it asks for may follow. It keeps how it
 * was asked.
 */
class Speaker {
  readonly asked: Array<"aloud" | "at once"> = []
  readonly layer: Layer.Layer<LanguageModel.LanguageModel>

  constructor(
    answer: (nth: number, messages: number) => { readonly beats: ReadonlyArray<Beat>; readonly call?: string }
  ) {
    const finish = (reason: Response.FinishReason): Response.PartEncoded => ({
      type: "finish",
      reason,
      usage: {
        inputTokens: { uncached: undefined, total: 3, cacheRead: undefined, cacheWrite: undefined },
        outputTokens: { total: 2, text: undefined, reasoning: undefined }
      }
    })
    const next = (how: "aloud" | "at once", messages: number) => {
      this.asked.push(how)
      const { beats, call } = answer(this.asked.length, messages)
      const rest: Array<Response.PartEncoded> = [
        ...(call === undefined ? [] : [{ type: "tool-call" as const, id: "c", name: call, params: x }]),
        finish(call === undefined ? "stop" : "tool-calls")
      ]
      return { beats, rest }
    }
    this.layer = Layer.effect(
      LanguageModel.LanguageModel,
      LanguageModel.make({
        generateText: ({ prompt }) =>
          Effect.gen(function* (this: void) {
            const { beats, rest } = next("at once", prompt.content.length)
            for (const beat of beats) if (typeof beat !== "string") yield* beat
            const text = beats.filter((beat) => typeof beat === "string").join("")
            return [{ type: "text" as const, text }, ...rest]
          }),
        streamText: ({ prompt }) =>
          Stream.suspend(() => {
            const { beats, rest } = next("aloud", prompt.content.length)
            const words = Stream.fromIterable(beats).pipe(
              Stream.mapEffect((beat) =>
                typeof beat === "string"
                  ? Effect.succeed<ReadonlyArray<Response.StreamPartEncoded>>([
                      { type: "text-delta", id: "t", delta: beat }
                    ])
                  : Effect.as(beat, [] as ReadonlyArray<Response.StreamPartEncoded>)
              ),
              Stream.flattenIterable
            )
            return Stream.fromIterable<Response.StreamPartEncoded>([{ type: "text-start", id: "t" }]).pipe(
              Stream.concat(words),
              Stream.concat(
                Stream.fromIterable<Response.StreamPartEncoded>([
                  { type: "text-end", id: "t" },
                  ...(rest as ReadonlyArray<Response.StreamPartEncoded>)
                ])
              )
            )
          })
      })
    )
  }
}

/** Reads along in the background; `parts` grows. */
const readAlong = Effect.fnUntraced(function* (runId: string, options?: Transcript.Options) {
  const parts: Array<Transcript.Part> = []
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(Transcript.stream(runId, options), (part) => Effect.sync(() => void parts.push(part)))
  )
  return { parts, fiber, end: Fiber.join(fiber) }
})

const shown = (parts: ReadonlyArray<Transcript.Part>): ReadonlyArray<string> =>
  parts.map(({ told }) => {
    switch (told._tag) {
      case "words":
        return `${told.path}: ${told.text}...`
      case "answered":
        return `${told.path}: ${[told.text, ...told.calls.map(({ name }) => name)].join(" ")}`
      case "outcome":
        return `${told.path} ${told.isFailure ? "failed" : "gave"} ${JSON.stringify(told.result)}`
      case "ended":
        return told.state
      default:
        return `${told._tag} ${"path" in told ? told.path : ""}`.trim()
    }
  })

describe("the transcript of a run", () => {
  claim("has what is recorded first, then the words as they are said, then the answer", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Hold } = desk({ hold: { script: [Deferred.await(gate)] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const later = Deferred.makeUnsafe<void>()
    const last = Deferred.makeUnsafe<void>()
    const model = new Speaker((nth) =>
      nth === 1
        ? { beats: ["Wait"], call: "Hold" }
        : { beats: ["It ", Deferred.await(later), "is held.", Deferred.await(last)] }
    )
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start(task)
      yield* until(() => Effect.map(entriesOf(runId), (entries) => entries.includes("intended turn-1/0/Hold")))
      const { end, parts } = yield* readAlong(runId)
      yield* until(() => parts.length === 2)
      yield* Deferred.succeed(gate, undefined)
      yield* until(() => parts.some(({ told }) => told._tag === "words"))
      assert.notInclude(yield* entriesOf(runId), "succeeded Model~2")
      // Who comes in the middle hears what was said of it so far.
      const second = yield* readAlong(runId)
      yield* until(() => second.parts.some(({ told }) => told._tag === "words"))
      yield* Deferred.succeed(later, undefined)
      const isSaid = ({ told }: Transcript.Part) => told._tag === "words" && told.text === "is held."
      yield* until(() => parts.some(isSaid) && second.parts.some(isSaid))
      yield* Deferred.succeed(last, undefined)
      yield* Effect.all([end, second.end])
      assert.deepStrictEqual(model.asked, ["at once", "aloud"])
      assert.deepStrictEqual(shown(parts), [
        "Model: Wait Hold",
        "called turn-1/0/Hold",
        ...shown(parts).filter((line) => line.includes("gave") || line.includes("...")),
        "Model~2: It is held.",
        "completed"
      ])
      assert.deepStrictEqual(
        shown(parts).filter((line) => line.includes("...")),
        ["Model~2: It ...", "Model~2: is held...."]
      )
      assert.deepStrictEqual(new Set(shown(second.parts)), new Set(shown(parts)))
    }).pipe(withWorker(Desk.toLayer({ model: model.layer })))
  })

  claim("is the same record whether somebody reads along or not", () => {
    const { Hold } = desk()
    const Read = Agent.make("Read", { version: 1, tools: [Hold] })
    const Alone = Agent.make("Alone", { version: 1, tools: [Hold] })
    const model = () =>
      new Speaker((_, messages) =>
        messages === 1 ? { beats: ["Let ", "me."], call: "Hold" } : { beats: ["Do", "ne."] }
      )
    const [read, alone] = [model(), model()]
    const answersOf = (runId: string) =>
      Effect.map(Runs.history(runId), (entries) =>
        entries.flatMap(({ entry }) =>
          entry._tag === "succeeded" && entry.path.startsWith("Model")
            ? [{ ...JSON.parse(entry.value!), instructions: "" }]
            : []
        )
      )
    return Effect.gen(function* () {
      const run = yield* Runs.Runs
      const other = yield* Alone.start(task)
      yield* atRest(other.runId)
      // Somebody listens from before the first question on.
      const { runId } = yield* Read.start(task).pipe(
        Effect.tap(({ runId }) => Effect.sync(() => run.live.listen(runId, () => {})))
      )
      yield* atRest(runId)
      assert.deepStrictEqual(yield* answersOf(runId), yield* answersOf(other.runId))
      assert.deepStrictEqual(alone.asked, ["at once", "at once"])
      assert.strictEqual(read.asked.at(-1), "aloud")
    }).pipe(withWorker(Layer.merge(Read.toLayer({ model: read.layer }), Alone.toLayer({ model: alone.layer }))))
  })

  claim("says where a half answer is void: its worker died, and the model begins again", () => {
    const gate = Deferred.makeUnsafe<void>()
    const last = Deferred.makeUnsafe<void>()
    const { Hold } = desk({ hold: { script: [Deferred.await(gate)] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Speaker((nth) =>
      nth === 1
        ? { beats: ["Wait"], call: "Hold" }
        : nth === 2
          ? { beats: ["I hold ", "two", Effect.never] }
          : { beats: ["One ", "is held.", Deferred.await(last)] }
    )
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start(task)
      const { end, parts } = yield* readAlong(runId)
      yield* until(() => shown(parts).includes("called turn-1/0/Hold"))
      yield* Deferred.succeed(gate, undefined)
      yield* until(() => shown(parts).includes("Model~2: two..."))
      yield* bury
      yield* until(() => shown(parts).includes("Model~2: is held...."))
      yield* Deferred.succeed(last, undefined)
      yield* end
      const heard = shown(parts).filter((line) => line.includes("Model~2"))
      assert.deepStrictEqual(heard, [
        "Model~2: I hold ...",
        "Model~2: two...",
        "restarted Model~2",
        "Model~2: One ...",
        "Model~2: is held....",
        "Model~2: One is held."
      ])
    }).pipe(withWorker(Desk.toLayer({ model: model.layer })))
  })

  claim("goes on where its reader was", () => {
    const { Hold } = desk()
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = ScriptedModel.layer([calls(["Hold", x]), calls(["GiveUp", { why: "No." }])])
    return Effect.gen(function* () {
      const { runId } = yield* Desk.start(task)
      yield* atRest(runId)
      const all = yield* Stream.runCollect(Transcript.stream(runId))
      assert.deepStrictEqual(shown(all), [
        "Model:  Hold",
        "called turn-1/0/Hold",
        'turn-1/0/Hold gave "Hold:x#1"',
        "Model~2:  GiveUp",
        "goesBack",
        "called turn-1/0/Hold!compensate",
        "turn-1/0/Hold!compensate gave null",
        "rolled_back"
      ])
      for (const [index, { id }] of all.entries()) {
        const rest = yield* Stream.runCollect(Transcript.stream(runId, { after: id }))
        assert.deepStrictEqual(shown(rest), shown(all).slice(index + 1))
      }
      const nonsense = yield* Stream.runCollect(Transcript.stream(runId, { after: "yesterday" }))
      assert.strictEqual(nonsense.length, all.length)
    }).pipe(withWorker(Desk.toLayer({ model })))
  })
})

describe("the transcript of a run over HTTP", () => {
  const serve = Effect.gen(function* () {
    const routes = HttpRouter.add(
      "GET",
      "/runs/:id",
      Effect.gen(function* () {
        const { id } = yield* HttpRouter.params
        return yield* Transcript.respond(id ?? "").pipe(
          Effect.catch(() => Effect.succeed(HttpServerResponse.empty({ status: 404 })))
        )
      })
    )
    const server = HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
      Layer.provideMerge(NodeHttpServer.layer(createServer, { port: 0, host: "127.0.0.1" }))
    )
    const context = yield* Layer.build(server)
    const { address } = yield* Effect.provideContext(HttpServer.HttpServer, context)
    return `http://127.0.0.1:${address._tag === "InetAddressV4" ? address.port : 0}/runs`
  })

  /** Fetches, and gives the events as they come; `leave` hangs up. */
  const open = Effect.fnUntraced(function* (url: string, headers: Record<string, string> = {}) {
    const aborter = new AbortController()
    const response = yield* Effect.promise(() => fetch(url, { headers, signal: aborter.signal }))
    const events: Array<{ readonly id: string; readonly event: string; readonly data: Transcript.Told }> = []
    let text = ""
    const read = async () => {
      const decoder = new TextDecoder()
      for await (const chunk of response.body ?? []) {
        text += decoder.decode(chunk, { stream: true })
        for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
          const fields = Object.fromEntries(
            text
              .slice(0, end)
              .split("\n")
              .map((line) => [line.slice(0, line.indexOf(": ")), line.slice(line.indexOf(": ") + 2)])
          )
          text = text.slice(end + 2)
          if (fields.data !== undefined) {
            const data = Schema.decodeUnknownSync(Schema.fromJsonString(Transcript.Told))(fields.data)
            events.push({ id: fields.id!, event: fields.event!, data })
          }
        }
      }
    }
    const end = read().catch(() => {})
    return { response, events, end: Effect.promise(() => end), leave: Effect.sync(() => aborter.abort()) }
  })

  claim("is a stream of events, which a reader that was cut off goes on with, without the half answer", () => {
    const gate = Deferred.makeUnsafe<void>()
    const { Hold } = desk({ hold: { script: [Deferred.await(gate)] } })
    const Desk = Agent.make("Desk", { version: 1, tools: [Hold] })
    const model = new Speaker((nth) =>
      nth === 1
        ? { beats: ["Wait"], call: "Hold" }
        : nth === 2
          ? { beats: ["I hold\r\n", "two", Effect.never] }
          : { beats: ["One ", "is held."] }
    )
    return Effect.gen(function* () {
      const url = yield* serve
      const { runId } = yield* Desk.start(task)
      const first = yield* open(`${url}/${runId}`)
      assert.strictEqual(first.response.headers.get("content-type"), "text/event-stream")
      yield* until(() => first.events.some(({ event }) => event === "called"))
      yield* Deferred.succeed(gate, undefined)
      yield* until(() => first.events.filter(({ event }) => event === "words").length === 2)
      yield* first.leave
      yield* first.end
      yield* bury
      yield* atRest(runId)
      const last = first.events.at(-1)!
      assert.include(last.id, "Model~2")
      const second = yield* open(`${url}/${runId}`, { "last-event-id": last.id })
      yield* second.end
      assert.deepStrictEqual(
        // Words are ahead of the record: the outcome before them may be among the first reader's parts, or these.
        second.events.flatMap(({ data, id }) => (data._tag === "outcome" ? [] : shown([{ id, told: data }]))),
        ["restarted Model~2", "Model~2: One is held.", "completed"]
      )
      const third = yield* open(`${url}/${runId}`, { "last-event-id": second.events.at(-1)!.id })
      assert.strictEqual(third.response.status, 204)
      assert.strictEqual((yield* open(`${url}/nothing`)).response.status, 404)
    }).pipe(Effect.scoped, withWorker(Desk.toLayer({ model: model.layer })))
  })
})
