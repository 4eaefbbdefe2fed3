/**
 * Agents among others, broken everywhere: in a thread, over a budget, as a part of a saga that tries again another way, and
 * as a tool of another agent.
 */
import { describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Outbox, Runs, Saga } from "makegood"
import { Agent, ScriptedModel, Thread } from "makegood/agent"
import { FakeWorld, SagaTest } from "makegood/testing"
import { giveUp, orGiveUp, task } from "./agency.ts"
import { A, B, base, C, D, given, madeGood, Trouble, x } from "./Feature.ts"

const { calls, says } = ScriptedModel
const y = { of: "y" }

describe("a thread", () => {
  /** Does what the last message says, and then says so. */
  const obliging: ScriptedModel.Line = ({ prompt, results }) => {
    const last = prompt.content.at(-1)!
    if (last.role === "tool") return results.some(({ isFailure }) => isFailure) ? giveUp : says("Done.")
    const text =
      last.role === "user" ? last.content.map((part) => (part.type === "text" ? part.text : "")).join("") : ""
    return calls(...Array.from(text.split(" ")[0]!, (name) => [name, x] as const))
  }
  const tools = [A, B, C] as const

  /** What is there of what the tools do; that a turn undoes another one is none of it. */
  const look = Effect.forEach(tools, ({ name }) =>
    Effect.flatMap(FakeWorld.shelf(name), (shelf) => Effect.map(shelf.standing, (all) => all.length))
  )

  const threaded = () => {
    const agent = Agent.make("Desk", { version: 1, tools })
    const Talk = Thread.make("Talk", {
      agent,
      state: { version: 1, schema: Schema.Struct({ turns: Schema.Int }), initial: { turns: 0 } },
      next: ({ turns }) => ({ turns: turns + 1 }),
      tell: ({ turns }, { text }) => `${text} (${turns} before)`
    })
    const startable = {
      name: "Talk",
      start: ({ text }: { readonly text: string }) => Talk.send("t", { id: "first", text })
    } as unknown as SagaTest.Startable<{ readonly text: string }>
    return { Talk, startable, layer: Talk.toLayer({ model: ScriptedModel.layer([obliging]) }) }
  }

  /** Once all turns have ended, it is not busy. */
  const isIdle = (Talk: ReturnType<typeof threaded>["Talk"]) =>
    Effect.gen(function* () {
      if ((yield* Talk.look("t")).isBusy) return yield* Effect.die(new Error("the thread is busy"))
    })

  madeGood(
    "goes on with the next message, whatever became of the one before",
    () => {
      const { layer, startable, Talk } = threaded()
      return SagaTest.explore(startable, {
        payload: { text: "AB" },
        layer,
        standIns: FakeWorld.standIns(tools),
        look,
        meanwhile: () =>
          Talk.send("t", { id: "second", text: "C" }).pipe(Effect.andThen(Talk.send("t", { id: "second", text: "C" }))),
        afterwards: () =>
          Effect.andThen(Talk.send("t", { id: "third", text: "A" }), ({ await: end }) => Effect.exit(end)).pipe(
            Effect.andThen(isIdle(Talk))
          )
      })
    },
    { ends: ["completed", "rolled_back"], neverCalled: ["UndoTurn"], pairs: 80 }
  )

  madeGood(
    "has its last turn undone",
    () => {
      const { layer, startable, Talk } = threaded()
      return SagaTest.explore(startable, {
        payload: { text: "A" },
        layer,
        standIns: FakeWorld.standIns(tools),
        look,
        meanwhile: () => Talk.send("t", { id: "second", text: "BC" }),
        afterwards: () => Effect.andThen(Effect.exit(Talk.undo("t", { by: "ada", id: "undo" })), isIdle(Talk))
      })
    },
    { ends: ["completed", "rolled_back"], pairs: 60 }
  )
})

describe("an agent over its budget", () => {
  const tools = [A, B, C] as const
  const Desk = Agent.make("Desk", { version: 1, tools, budget: { turns: 9, calls: { B: 1 } } })
  const model = () =>
    ScriptedModel.layer([
      calls(["A", x]),
      orGiveUp(calls(["B", x], ["B", y])),
      orGiveUp(calls(["C", x])),
      orGiveUp(says("Done."))
    ])

  const overBudget = (decide: (runId: string) => Effect.Effect<void, Runs.RunsError, Runs.Runs>) => (runId: string) =>
    Effect.gen(function* () {
      while (true) {
        yield* Effect.sleep("1 minute")
        const run = yield* Runs.get(runId)
        if (Outbox.isEnd(run.state)) return
        if (run.stuck?.reason === "over_budget") yield* Effect.ignore(decide(runId))
      }
    })

  madeGood(
    "waits for a person, who grants it more",
    () =>
      SagaTest.explore(Desk.saga, {
        ...given,
        payload: task,
        layer: Desk.toLayer({ model: model() }),
        standIns: FakeWorld.standIns(tools),
        meanwhile: overBudget((runId) => Runs.grant(runId, { by: "ada", id: "more" }))
      }),
    { ends: ["completed", "rolled_back"], pairs: 80 }
  )

  madeGood(
    "waits for a person, who has it taken back",
    () =>
      SagaTest.explore(Desk.saga, {
        ...given,
        payload: task,
        layer: Desk.toLayer({ model: model() }),
        standIns: FakeWorld.standIns(tools),
        meanwhile: overBudget((runId) => Runs.cancel(runId, { by: "ada", id: "no" }))
      }),
    { ends: ["rolled_back"], neverCalled: ["B", "C"], seldomTakenBack: ["B", "C"], pairs: 100 }
  )
})

describe("an agent in a saga", () => {
  madeGood(
    "is taken back with its savepoint, and another way is tried",
    () => {
      const tools = [A, B, C, D] as const
      const Planner = Agent.make("Planner", { version: 1, tools: [B, C] })
      const Trip = Saga.make("Trip", { ...base, error: Schema.Union([Trouble, Agent.GaveUp]), tools })
      const first = ScriptedModel.layer([calls(["B", x], ["C", x]), calls(["B", y]), giveUp])
      const other = ScriptedModel.layer([calls(["C", y]), orGiveUp(says("Done another way."))])
      const layer = Trip.toLayer(() =>
        A(x).pipe(
          Effect.andThen(Saga.savepoint("plan", Agent.run(Planner, { prompt: "Plan.", model: first }))),
          Effect.catchTag("GaveUp", ({ did, why }) =>
            Agent.run(Planner, { prompt: `Plan otherwise: ${why} ${JSON.stringify(did)}`, model: other })
          ),
          Effect.andThen(D(x)),
          Effect.asVoid
        )
      )
      return SagaTest.explore(Trip, { ...given, layer, standIns: FakeWorld.standIns(tools) })
    },
    { ends: ["completed", "rolled_back"], reached: ["savepoint_taken_back.after-commit"], pairs: 120 }
  )

  madeGood(
    "is a tool of another agent, and goes back with it",
    () => {
      const tools = [A, B, C] as const
      const Clerk = Agent.make("Clerk", { version: 1, tools: [B, C] })
      const Boss = Agent.make("Boss", { version: 1, tools: [A, Clerk.saga] })
      const clerk = ScriptedModel.layer([calls(["B", x], ["C", x]), orGiveUp(says("All booked."))])
      const boss = ScriptedModel.layer([
        calls(["A", x], ["Clerk", { id: "c", prompt: "Book." }]),
        orGiveUp(calls(["A", y])),
        orGiveUp(says("Done."))
      ])
      const layer = Layer.merge(Boss.toLayer({ model: boss }), Clerk.toLayer({ model: clerk }))
      return SagaTest.explore(Boss.saga, { ...given, payload: task, layer, standIns: FakeWorld.standIns(tools) })
    },
    { ends: ["completed", "rolled_back"], pairs: 80 }
  )
})
