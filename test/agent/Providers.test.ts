import { assert, describe, it } from "@effect/vitest"
import { ConfigProvider, Effect, ExecutionPlan, Fiber, Layer, Logger, Schedule, Schema, Stream } from "effect"
import { LanguageModel, Prompt, type Response, Tool as AiTool, Toolkit } from "effect/ai"
import { FetchHttpClient } from "effect/http"
import { Agent, Anthropic, OpenAi, Transcript } from "../../src/agent/index.ts"
import { Failure, Outbox, Runs } from "../../src/index.ts"
import { atRest, bury, claim, goOn, resultOf, somebody, until, withWorker } from "../worker/bench.ts"
import { desk } from "./desk.ts"
import * as Loopback from "./Loopback.ts"

const x = { of: "x" }
const y = { of: "y" }

const providers = {
  anthropic: {
    model: Anthropic.model("claude-test"),
    settings: (url: string) => ({ ANTHROPIC_API_KEY: "sk-test", ANTHROPIC_BASE_URL: url }),
    withoutKey: (url: string) => ({ ANTHROPIC_BASE_URL: url }),
    overloaded: { status: 529, body: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } } },
    request: "req_1"
  },
  openai: {
    model: OpenAi.model("gpt-test"),
    settings: (url: string) => ({ OPENAI_API_KEY: "sk-test", OPENAI_BASE_URL: `${url}/v1/` }),
    withoutKey: (url: string) => ({ OPENAI_BASE_URL: `${url}/v1` }),
    overloaded: { status: 503, body: { error: { message: "Overloaded", type: "server_error" } } },
    request: "req_1"
  }
} as const

const configured = (settings: Readonly<Record<string, string>>) =>
  Layer.merge(FetchHttpClient.layer, ConfigProvider.layer(ConfigProvider.fromUnknown(settings)))

const quickly: Agent.Manner["retry"] = {
  transient: Schedule.recurs(3),
  rateLimited: Schedule.recurs(3),
  model: Schedule.recurs(3)
}

/** The agent of these tests, asked of a server with this script. */
const given = Effect.fnUntraced(function* (
  provider: keyof typeof providers,
  script: ReadonlyArray<Loopback.Line>,
  options: { readonly hasKey?: boolean; readonly tempers?: Parameters<typeof desk>[0] } = {}
) {
  const { model, settings, withoutKey } = providers[provider]
  const server = yield* Loopback.make(script)
  const tools = desk({ hold: { script: ["ok", "permanent"] }, ...options.tempers })
  const Desk = Agent.make("Desk", { version: 1, tools: [tools.Hold, tools.Look] })
  const layer = Desk.toLayer({ model, system: "You hold things.", retry: quickly }).pipe(
    Layer.provide(configured((options.hasKey === false ? withoutKey : settings)(server.url)))
  )
  return { Desk, layer, server, world: tools.world }
})

const start = <S>(agent: {
  readonly start: (task: Agent.Task) => Effect.Effect<Runs.Handle<S, Agent.GaveUp>, Runs.RunsError, Runs.Runs>
}) => agent.start({ id: "a", prompt: "Hold x and y." })

/** The recorded answers of a run's model. */
const answersOf = Effect.fnUntraced(function* (runId: string) {
  return (yield* Runs.history(runId)).flatMap(({ entry }) =>
    entry._tag === "succeeded" && entry.path.startsWith("Model") ? [JSON.parse(entry.value!)] : []
  )
})

const failuresOf = Effect.fnUntraced(function* (runId: string) {
  return (yield* Runs.history(runId)).flatMap(({ entry }) => (entry._tag === "attempt_failed" ? [entry.class] : []))
})

const conversation: ReadonlyArray<Loopback.Line> = [
  { text: "I look first.", calls: [["Look", x]] },
  {
    calls: [
      ["Hold", x],
      ["Hold", x],
      ["Fly", {}]
    ]
  },
  { text: "x is held." }
]

describe.each(["anthropic", "openai"] as const)("an agent with a model of %s", (provider) => {
  claim("asks it for calls, tells it what became of them, and records what that cost and its name for it", () =>
    Effect.gen(function* () {
      const { Desk, layer, server, world } = yield* given(provider, conversation)
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        const run = yield* atRest(runId)
        assert.strictEqual(resultOf(run), "x is held.")
        assert.deepStrictEqual(world.ledger, ["Look:x", "Hold:x", "Hold:x"])
        const [answer] = yield* answersOf(runId)
        assert.deepStrictEqual(
          [answer.provider, answer.request, answer.finish, answer.used],
          [provider, "req_1", "tool-calls", { tokens: { input: 100, output: 20, cached: 30 }, cost: 0 }]
        )
        assert.lengthOf(server.questions, 3)
        const told = JSON.stringify(server.questions[2]!.body)
        assert.include(told, "Refused")
        assert.include(told, "There is no tool")
        assert.include(JSON.stringify(server.questions[0]!.body), "You hold things.")
        assert.notInclude(told, "sk-test")
      }).pipe(withWorker(layer))
    }).pipe(Effect.scoped)
  )

  claim("records the same where its answers are streamed, and lets a listener hear them word by word", () =>
    Effect.gen(function* () {
      const answered = (isHeard: boolean) =>
        Effect.gen(function* () {
          const { Desk, layer, server } = yield* given(provider, conversation, {
            tempers: { look: { script: [Effect.sleep("50 millis")] } }
          })
          return yield* Effect.gen(function* () {
            const words: Array<string> = []
            const { runId } = yield* start(Desk)
            const listened = Stream.runForEach(Transcript.stream(runId), ({ told }) =>
              Effect.sync(() => told._tag === "words" && words.push(told.text))
            )
            const listening = yield* Effect.forkChild(isHeard ? listened : Effect.void)
            const run = yield* atRest(runId)
            assert.strictEqual(resultOf(run), "x is held.")
            yield* Fiber.join(listening)
            const streams = server.questions.map(({ body }) => body.stream === true)
            return { answers: yield* answersOf(runId), words, streams }
          }).pipe(withWorker(layer), Effect.provide(Layer.fresh(Outbox.layerMemory)))
        }).pipe(Effect.scoped)
      const whole = yield* answered(false)
      const streamed = yield* answered(true)
      assert.deepStrictEqual(whole.streams, [false, false, false])
      assert.deepStrictEqual(streamed.streams.slice(1), [true, true])
      assert.deepStrictEqual(streamed.answers, whole.answers)
      assert.include(streamed.words.join(""), "x is held.")
    })
  )

  claim("waits where it is told to, asks again what failed for now, and pays for what was answered once", () =>
    Effect.gen(function* () {
      const { Desk, layer, server } = yield* given(provider, [
        { status: 429, body: { error: { message: "Slow down" } }, headers: { "retry-after": "0" } },
        providers[provider].overloaded,
        { status: 500, body: "<html>" },
        { text: "Done." }
      ])
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        assert.strictEqual(resultOf(yield* atRest(runId)), "Done.")
        const second = provider === "anthropic" ? "rateLimited" : "transient"
        const classes = yield* failuresOf(runId)
        assert.deepStrictEqual(classes.slice(0, 2), ["rateLimited", second])
        assert.oneOf(classes[2], ["transient", "inDoubt"])
        assert.lengthOf(server.questions, 4)
      }).pipe(withWorker(layer))
    }).pipe(Effect.scoped)
  )

  claim("is stuck at a question that is refused, says why, and goes on when it is resumed", () =>
    Effect.gen(function* () {
      const { Desk, layer, server } = yield* given(provider, [
        { status: 400, body: { error: { message: "prompt is too long", type: "invalid_request_error" } } },
        { text: "Done." }
      ])
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        const stuck = yield* atRest(runId)
        assert.deepStrictEqual([stuck.stuck?.reason, stuck.stuck?.path], ["blocked", "Model"])
        assert.include(stuck.stuck?.why, "prompt is too long")
        assert.lengthOf(server.questions, 1)
        assert.strictEqual(resultOf(yield* goOn(stuck, Runs.resume(runId, somebody))), "Done.")
      }).pipe(withWorker(layer))
    }).pipe(Effect.scoped)
  )

  claim("is stuck at whatever else only a person can mend", () =>
    Effect.gen(function* () {
      for (const status of [401, 402, 403, 404, 413]) {
        const { Desk, layer, server } = yield* given(provider, [{ status, body: { error: { message: "No." } } }])
        yield* Effect.gen(function* () {
          const { runId } = yield* start(Desk)
          assert.strictEqual((yield* atRest(runId)).stuck?.reason, "blocked", String(status))
          assert.lengthOf(server.questions, 1)
        }).pipe(withWorker(layer), Effect.provide(Layer.fresh(Outbox.layerMemory)))
      }
    }).pipe(Effect.scoped)
  )

  claim("is stuck without a key, and where the quota is used up, and asks nobody again by itself", () =>
    Effect.gen(function* () {
      const keyless = yield* given(provider, [], { hasKey: false })
      const poor = yield* given(provider, [
        { status: 429, body: { error: { message: "You exceeded your quota", code: "insufficient_quota" } } }
      ])
      for (const { Desk, layer, server } of [keyless, poor]) {
        yield* Effect.gen(function* () {
          const { runId } = yield* start(Desk)
          assert.strictEqual((yield* atRest(runId)).stuck?.reason, "blocked")
          assert.lengthOf(server.questions, server === poor.server ? 1 : 0)
        }).pipe(withWorker(layer), Effect.provide(Layer.fresh(Outbox.layerMemory)))
      }
    }).pipe(Effect.scoped)
  )

  claim("pays for no answer twice where its worker dies after that was recorded", () =>
    Effect.gen(function* () {
      const { Desk, layer, server, world } = yield* given(
        provider,
        [{ calls: [["Look", x]] }, { calls: [["Look", y]] }, { text: "Done." }],
        { tempers: { look: { script: [Effect.never, "ok", Effect.never] } } }
      )
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        yield* until(() => world.count("Look:x") === 1)
        yield* bury
        yield* until(() => world.count("Look:y") === 1)
        yield* bury
        assert.strictEqual(resultOf(yield* atRest(runId)), "Done.")
        assert.deepStrictEqual([world.count("Look:x"), world.count("Look:y")], [2, 2])
        assert.lengthOf(server.questions, 3)
      }).pipe(withWorker(layer, { grace: 0 }))
    }).pipe(Effect.scoped)
  )

  it.live("is asked with what the caller adds", () =>
    Effect.gen(function* () {
      const { settings } = providers[provider]
      const server = yield* Loopback.make([{ text: "Yes." }])
      const more = { request: { temperature: 0 }, headers: { "anthropic-version": "2026-10-21" } }
      const model = provider === "anthropic" ? Anthropic.model("claude-test", more) : OpenAi.model("gpt-test", more)
      const answered = yield* LanguageModel.generateText({ prompt: "Well?" }).pipe(
        Effect.provide(model),
        Effect.provide(configured(settings(server.url)))
      )
      assert.strictEqual(answered.text, "Yes.")
      const { body, headers } = server.questions[0]!
      assert.deepStrictEqual([body.temperature, headers["anthropic-version"]], [0, "2026-10-21"])
    }).pipe(Effect.scoped, Effect.timeout("10 seconds"))
  )

  it.live("gives words and calls in pieces to whoever streams, and fails where they break off", () =>
    Effect.gen(function* () {
      const { model, settings } = providers[provider]
      const line: Loopback.Line = { text: "I look.", calls: [["Look", { of: "x" }]] }
      const overloaded = { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }
      const server = yield* Loopback.make([
        line,
        { ...line, breaksAfter: 4 },
        { ...line, breaksAfter: 4, breaksBy: overloaded }
      ])
      const Look = AiTool.make("Look", { parameters: Schema.Struct({ of: Schema.String }), success: Schema.String })
      const stream = LanguageModel.streamText({
        prompt: "Look.",
        toolkit: Toolkit.make(Look),
        disableToolCallResolution: true
      })
      yield* Effect.gen(function* () {
        const parts = Array.from(yield* Stream.runCollect(stream)) as ReadonlyArray<Response.AnyPart>
        assert.strictEqual(parts.map((part) => (part.type === "text-delta" ? part.delta : "")).join(""), "I look.")
        const json = parts.map((part) => (part.type === "tool-params-delta" ? part.delta : "")).join("")
        assert.deepStrictEqual(JSON.parse(json), { of: "x" })
        assert.deepStrictEqual(
          parts.flatMap((part) => (part.type === "tool-call" ? [part.params] : [])),
          [{ of: "x" }]
        )
        for (let times = 0; times < 2; times++) {
          const failure = yield* Effect.flip(Stream.runDrain(stream))
          const found = Failure.classifyDefault(failure, { nowMillis: 0 })
          assert.include(["transient", "rateLimited", "inDoubt"], found._tag, JSON.stringify(failure))
        }
      }).pipe(Effect.provide(model), Effect.provide(configured(settings(server.url))))
    }).pipe(Effect.scoped, Effect.timeout("10 seconds"), Effect.provide(Logger.layer([])))
  )

  it.live("is shown the tools that may be called, and pictures; of what it cannot be asked that is said at once", () =>
    Effect.gen(function* () {
      const { model, settings } = providers[provider]
      const server = yield* Loopback.make(Array.from({ length: 4 }, () => ({ text: "Yes." })))
      const named = (name: string) => AiTool.make(name, { parameters: Schema.Struct({ of: Schema.String }) })
      const toolkit = Toolkit.make(named("Look"), named("Hold"))
      const picture = Prompt.make([
        {
          role: "user",
          content: [
            { type: "text", text: "What is it?" },
            { type: "file", mediaType: "image/png", data: new Uint8Array([1, 2, 3]) }
          ]
        }
      ])
      const ask = (toolChoice: LanguageModel.ToolChoice<"Look" | "Hold">) =>
        LanguageModel.generateText({ prompt: picture, toolkit, toolChoice, disableToolCallResolution: true })
      yield* Effect.gen(function* () {
        yield* ask("required")
        yield* ask({ tool: "Look" })
        yield* ask({ oneOf: ["Hold"] })
        const choices = server.questions.map(({ body }) => [body.tools.length, JSON.stringify(body.tool_choice)])
        assert.deepStrictEqual(
          choices,
          provider === "anthropic"
            ? [
                [2, '{"type":"any"}'],
                [2, '{"type":"tool","name":"Look"}'],
                [1, '{"type":"auto"}']
              ]
            : [
                [2, '"required"'],
                [2, '{"type":"function","function":{"name":"Look"}}'],
                [1, '"auto"']
              ]
        )
        assert.include(JSON.stringify(server.questions[0]!.body), "AQID")
        const object = LanguageModel.generateObject({
          prompt: "An object.",
          schema: Schema.Struct({ a: Schema.String })
        })
        assert.strictEqual((yield* Effect.flip(object))._tag, "AiError")
        assert.lengthOf(server.questions, 3)
      }).pipe(Effect.provide(model), Effect.provide(configured(settings(server.url))))
    }).pipe(Effect.scoped, Effect.timeout("10 seconds"))
  )
})

describe("a model of Anthropic", () => {
  claim("has its thoughts back, signed as it gave them, and nobody else's", () =>
    Effect.gen(function* () {
      const { Desk, layer, server } = yield* given("anthropic", [
        { thinks: "Where is it?", text: "I look.", calls: [["Look", x]] },
        { text: "Done." }
      ])
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        assert.strictEqual(resultOf(yield* atRest(runId)), "Done.")
        assert.deepStrictEqual(server.questions[1]!.body.messages[1].content, [
          { type: "thinking", thinking: "Where is it?", signature: "signed-Where is it?" },
          { type: "text", text: "I look." },
          { type: "tool_use", id: "toolu_1_0", name: "Look", input: x }
        ])
      }).pipe(withWorker(layer))
    }).pipe(Effect.scoped)
  )
})

describe("a model of OpenAI", () => {
  claim("that gives arguments that are no JSON is told so", () =>
    Effect.gen(function* () {
      const { Desk, layer, server, world } = yield* given("openai", [
        { calls: [["Look", '{"of": ']] },
        { calls: [["Look", x]] },
        { text: "Done." }
      ])
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        assert.strictEqual(resultOf(yield* atRest(runId)), "Done.")
        assert.include(JSON.stringify(server.questions[1]!.body), "The arguments do not fit Look")
        assert.deepStrictEqual(world.ledger, ["Look:x"])
      }).pipe(withWorker(layer))
    }).pipe(Effect.scoped)
  )
})

describe("a plan of both", () => {
  claim("goes on with the other's conversation where the first one does not answer any more", () =>
    Effect.gen(function* () {
      const openai = yield* Loopback.make([{ calls: [["Look", x]] }, { status: 500, body: {} }])
      const anthropic = yield* Loopback.make([{ text: "Done." }])
      const { Look } = desk()
      const Desk = Agent.make("Desk", {
        version: 1,
        tools: [Look]
      })
      const model = ExecutionPlan.make({ provide: providers.openai.model }, { provide: providers.anthropic.model })
      const settings = { ...providers.openai.settings(openai.url), ...providers.anthropic.settings(anthropic.url) }
      return yield* Effect.gen(function* () {
        const { runId } = yield* start(Desk)
        assert.strictEqual(resultOf(yield* atRest(runId)), "Done.")
        const answers = yield* answersOf(runId)
        assert.deepStrictEqual(
          answers.map(({ provider }) => provider),
          ["openai", "anthropic"]
        )
        assert.lengthOf(anthropic.questions, 1)
      }).pipe(withWorker(Desk.toLayer({ model }).pipe(Layer.provide(configured(settings)))))
    }).pipe(Effect.scoped)
  )
})
