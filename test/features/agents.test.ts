/**
 * Agents, broken everywhere: what a model asked for, what it took back, what people did meanwhile.
 *
 * The kit has every question counted: one whose answer is recorded is never asked, and so never paid for, again (G5, G16).
 */
import { assert, describe } from "@effect/vitest"
import { Context, Effect, Layer, Option, Stream } from "effect"
import { LanguageModel, type Response } from "effect/ai"
import { Runs } from "makegood"
import { Agent, ScriptedModel, Transcript } from "makegood/agent"
import { FakeWorld, SagaTest } from "makegood/testing"
import * as Landmark from "../../src/worker/Landmark.ts"
import { giveUp, orGiveUp, task } from "./agency.ts"
import { A, B, C, given, Mail, madeGood, x } from "./Feature.ts"

const { calls, says } = ScriptedModel
const y = { of: "y" }

/** How the agents here are explored. */
const one = { ...given, payload: task }

describe("an agent", () => {
  madeGood(
    "makes calls one after the other and at the same time, and is refused some",
    () => {
      const tools = [A, B, C, Mail] as const
      const Desk = Agent.make("Desk", { version: 1, tools })
      const model = ScriptedModel.layer([
        calls(["A", x]),
        orGiveUp(calls(["B", x], ["C", x], ["Nothing", {}], ["A", { of: 1 }])),
        ({ results }) =>
          results.slice(0, 2).some(({ isFailure }) => isFailure) ? giveUp : calls(["Mail", x], ["A", y]),
        orGiveUp(says("Done."))
      ])
      return SagaTest.explore(Desk.saga, {
        ...one,
        layer: Desk.toLayer({ model }),
        standIns: FakeWorld.standIns(tools)
      })
    },
    { ends: ["completed", "rolled_back", "partly_rolled_back"], pairs: 120 }
  )

  madeGood(
    "tries another way where one fails, and does not give up",
    () => {
      const tools = [A, B, C] as const
      const Desk = Agent.make("Desk", { version: 1, tools })
      const model = ScriptedModel.layer([
        calls(["A", x], ["B", x]),
        ({ results }) => (results.some(({ isFailure }) => isFailure) ? calls(["C", x], ["A", y]) : says("Done.")),
        says("Done another way.")
      ])
      return SagaTest.explore(Desk.saga, {
        ...one,
        layer: Desk.toLayer({ model }),
        standIns: FakeWorld.standIns(tools)
      })
    },
    { ends: ["completed", "rolled_back"], seldomTakenBack: ["C"], pairs: 80 }
  )

  madeGood(
    "has calls taken back by its model, which goes on or gives up",
    () => {
      const tools = [A, B, C] as const
      const Desk = Agent.make("Desk", { version: 1, tools, undo: true })
      const model = ScriptedModel.layer([
        calls(["A", x], ["B", x]),
        calls(["C", x]),
        ({ results }) => (results[0]?.isFailure === true ? giveUp : calls(["Undo", { calls: ["turn-1", "turn-2"] }])),
        calls(["History", {}], ["A", y]),
        orGiveUp(says("Done."))
      ])
      return SagaTest.explore(Desk.saga, {
        ...one,
        layer: Desk.toLayer({ model }),
        standIns: FakeWorld.standIns(tools)
      })
    },
    { ends: ["completed", "rolled_back"], pairs: 80 }
  )

  madeGood(
    "is held by a person, who calls its tools, says something, and hands it back",
    () => {
      const tools = [A, B, C] as const
      const Desk = Agent.make("Desk", { version: 1, tools })
      const model = ScriptedModel.layer(
        [
          calls(["A", x]),
          ({ prompt }) => (heardOf(prompt, "Stop.") ? giveUp : calls(["C", x])),
          orGiveUp(says("Done."))
        ],
        { thinks: Effect.sleep("1 minute") }
      )
      const ada: Runs.Who = { by: "ada" }
      return SagaTest.explore(Desk.saga, {
        ...one,
        layer: Desk.toLayer({ model }),
        standIns: FakeWorld.standIns(tools),
        // It may have ended, or go back, before she comes: then she is told so.
        meanwhile: (runId) =>
          Effect.gen(function* () {
            yield* Effect.sleep("10 seconds")
            yield* Runs.hold(runId, { ...ada, id: "hold" })
            yield* Effect.sleep("5 minutes")
            yield* Effect.exit(Runs.act(runId, B, x, { ...ada, id: "act" }))
            yield* Runs.say(runId, "Go on.", { ...ada, id: "say" })
            yield* Runs.release(runId, { ...ada, id: "release" })
          }).pipe(Effect.ignore)
      })
    },
    { ends: ["completed", "rolled_back"], pairs: 80 }
  )
})

const heardOf = (prompt: unknown, word: string): boolean => JSON.stringify(prompt).includes(word)

// ---- reading along

/** What a reader at the other end has of the run, over all of the worker's lives: it comes again with its last place. */
class Reader extends Context.Service<
  Reader,
  {
    /** How often the model was asked; each answer says which it is. */
    asked: number
    place: string | undefined
    /** What it has heard of answers that are not there yet. */
    readonly half: Map<string, string>
    readonly wrongs: Array<string>
    words: number
    /** Half answers that turned out to be void. */
    dropped: number
    end: string | undefined
  }
>()("Reader") {}

const readerLayer = Layer.sync(Reader, () => ({
  asked: 0,
  place: undefined,
  half: new Map(),
  wrongs: [],
  words: 0,
  dropped: 0,
  end: undefined
}))

/** Reads along as a page does that shows half answers: what is void it drops, and what is answered it has word for word. */
const hear = (reader: Reader["Service"], { id, told }: Transcript.Part): void => {
  reader.place = id
  switch (told._tag) {
    case "words":
      reader.words++
      reader.half.set(told.path, (reader.half.get(told.path) ?? "") + told.text)
      return
    case "restarted":
      if (reader.half.delete(told.path)) reader.dropped++
      return
    case "answered": {
      const half = reader.half.get(told.path)
      if (half !== undefined && half !== told.text) {
        reader.wrongs.push(`${told.path}: heard ${JSON.stringify(half)}, and then ${JSON.stringify(told.text)}`)
      }
      reader.half.delete(told.path)
      return
    }
    case "ended":
      reader.end = told.state
      return
    default:
  }
}

const readingAlong = Layer.effectDiscard(
  Effect.gen(function* () {
    const reader = yield* Reader
    const context = yield* Effect.context<Runs.Runs>()
    const read = Effect.gen(function* () {
      const run = yield* Stream.runHead(Runs.list())
      if (Option.isNone(run)) return yield* Effect.sleep("1 second")
      yield* Stream.runForEach(Transcript.stream(run.value.runId, { after: reader.place }), (part) =>
        Effect.sync(() => hear(reader, part))
      )
    })
    yield* Effect.suspend(() => (reader.end === undefined ? read : Effect.never)).pipe(
      Effect.forever,
      Effect.provideContext(context),
      Effect.forkScoped
    )
  })
)

/** A model that says everything in four words, with a second between them, and which question it is that it answers. */
const slowly = (calling: (turn: number) => ReadonlyArray<readonly [string, unknown]>) =>
  Layer.effect(
    LanguageModel.LanguageModel,
    Effect.gen(function* () {
      const reader = yield* Reader
      const answer = (prompt: LanguageModel.ProviderOptions["prompt"]) => {
        const words = [`Answer ${++reader.asked}: `, "I ", "shall ", "see."]
        const turn = prompt.content.filter(({ role }) => role === "assistant").length + 1
        const asked = calling(turn)
        const rest: ReadonlyArray<Response.ToolCallPartEncoded | Response.FinishPartEncoded> = [
          ...asked.map(([name, params], index) => ({
            type: "tool-call" as const,
            id: `${turn}-${index}`,
            name,
            params
          })),
          {
            type: "finish",
            reason: asked.length === 0 ? "stop" : "tool-calls",
            usage: {
              inputTokens: { uncached: undefined, total: 3, cacheRead: undefined, cacheWrite: undefined },
              outputTokens: { total: 2, text: undefined, reasoning: undefined }
            }
          }
        ]
        return { words, rest }
      }
      return yield* LanguageModel.make({
        generateText: ({ prompt }) =>
          Effect.sync(() => {
            const { rest, words } = answer(prompt)
            return [{ type: "text" as const, text: words.join("") }, ...rest]
          }).pipe(Effect.delay("4 seconds")),
        streamText: ({ prompt }) =>
          Stream.suspend(() => {
            const { rest, words } = answer(prompt)
            const said = Stream.fromIterable(words).pipe(
              Stream.tap(() => Effect.sleep("1 second")),
              // Here the worker dies as well: in the middle of an answer.
              Stream.tap(() => Effect.sync(() => Landmark.reached("a word", "the run"))),
              Stream.map((delta) => ({ type: "text-delta" as const, id: "t", delta }))
            )
            return Stream.fromIterable<Response.StreamPartEncoded>([{ type: "text-start", id: "t" }]).pipe(
              Stream.concat(said),
              Stream.concat(Stream.fromIterable<Response.StreamPartEncoded>([{ type: "text-end", id: "t" }, ...rest]))
            )
          })
      })
    })
  )

describe("an agent that somebody reads along with", () => {
  const heard = { words: 0, dropped: 0, ended: 0 }
  madeGood(
    "is heard word by word, and what was half heard is dropped when it begins again",
    () => {
      const tools = [A, B] as const
      const Desk = Agent.make("Desk", { version: 1, tools })
      const script = [[["A", x]], [["B", x]], []] as const
      const model = slowly((turn) => script[turn - 1] ?? [])
      return SagaTest.explore(Desk.saga, {
        ...one,
        layer: Layer.merge(Desk.toLayer({ model }), readingAlong),
        world: readerLayer,
        standIns: FakeWorld.standIns(tools),
        afterwards: ({ state }) =>
          Effect.gen(function* () {
            const { dropped, end, half, words, wrongs } = yield* Reader
            heard.words += words
            heard.dropped += dropped
            if (end !== undefined) heard.ended++
            // Of the life in which the run ended, the reader may be as late as its next look.
            if (wrongs.length > 0) return yield* Effect.die(new Error(wrongs.join("\n")))
            if (end !== undefined && end !== state) return yield* Effect.die(new Error(`it heard of the end ${end}`))
            if (end !== undefined && half.size > 0) return yield* Effect.die(new Error("it has half an answer left"))
          })
      })
    },
    {
      ends: ["completed", "rolled_back"],
      also: () => {
        assert.isAbove(heard.words, 1_000)
        assert.isAbove(heard.dropped, 100)
        assert.isAbove(heard.ended, 100)
      }
    }
  )
})
