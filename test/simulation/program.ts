/** Random sagas: sequences, branches, savepoints, time limits, waits, caught failures, values and queries, from a seed. */
import { Effect, Schedule, Schema } from "effect"
import type { Option } from "effect"
import { Failure, Saga, Signal, Timer, Tool } from "makegood"
import { Busy, Lost, type Process, random, Refused, type World } from "./world.ts"

export type Node =
  | { readonly _tag: "call"; readonly tool: "Keyed" | "Idempotent" | "Looked" | "Query" | "Mail" }
  | { readonly _tag: "record" }
  | { readonly _tag: "sequence"; readonly nodes: ReadonlyArray<Node> }
  | { readonly _tag: "branches"; readonly nodes: ReadonlyArray<Node> }
  | { readonly _tag: "caught"; readonly node: Node }
  /** Catches what it fails with, once that has been taken back. */
  | { readonly _tag: "savepoint"; readonly node: Node }
  | { readonly _tag: "within"; readonly millis: number; readonly node: Node }
  | { readonly _tag: "sleep"; readonly millis: number }
  /** Waits for the signal that is sent to each run once. */
  | { readonly _tag: "signal" }
  | { readonly _tag: "fail" }

const tools = ["Keyed", "Idempotent", "Looked", "Query", "Mail"] as const

export const program = (seed: number): Node => {
  const chance = random(seed)
  const pick = (depth: number): Node => {
    const dice = chance()
    if (depth === 0 || dice < 0.45) {
      const leaf = chance()
      if (leaf < 0.1) return { _tag: "record" }
      if (leaf < 0.15) return { _tag: "fail" }
      if (leaf < 0.22) return { _tag: "sleep", millis: 1 + Math.floor(chance() * 6) }
      if (leaf < 0.25) return { _tag: "signal" }
      return { _tag: "call", tool: tools[Math.floor(chance() * tools.length)]! }
    }
    const nodes = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => pick(depth - 1))
    if (dice < 0.64) return { _tag: "sequence", nodes }
    if (dice < 0.8) return { _tag: "branches", nodes }
    if (dice < 0.85) return { _tag: "caught", node: pick(depth - 1) }
    if (dice < 0.96) return { _tag: "savepoint", node: { _tag: "sequence", nodes } }
    return { _tag: "within", millis: 1 + Math.floor(chance() * 12), node: { _tag: "sequence", nodes } }
  }
  return { _tag: "sequence", nodes: [pick(3), pick(3), pick(2)] }
}

const failure = Schema.Union([Refused, Busy, Lost])
const error = Schema.Union([Refused, Busy, Lost, Saga.DeadlinePassed])
const manner = {
  parameters: { note: Schema.String },
  success: Schema.String,
  failure,
  classify: { Refused: Failure.permanent, Busy: Failure.transient, Lost: Failure.inDoubt },
  retry: { transient: Schedule.recurs(12), inDoubt: Schedule.recurs(12) },
  timeout: "10 millis"
} as const

/** Sent once to each run. */
export const Nudge = Signal.make("Nudge")

/** The saga of a seed, whose tools reach the world as `process`. */
export const sagaOf = (world: World, process: Process, node: Node) => {
  const act = (_: unknown, call: Tool.Call) => world.act(process, call.key, call.path)
  const undo = ({ success }: { readonly success: string }, call: Tool.Call) =>
    world.undo(process, call.key, success, call.path)
  const Keyed = Tool.make("Keyed", {
    ...manner,
    execute: act,
    compensate: undo,
    inDoubt: Tool.sameKey({ validFor: "1 day" })
  })
  const Idempotent = Tool.make("Idempotent", { ...manner, execute: act, compensate: undo, inDoubt: Tool.idempotent })
  const Looked = Tool.make("Looked", {
    ...manner,
    execute: act,
    compensate: { run: undo, inDoubt: Tool.idempotent },
    inDoubt: {
      lookup: (_intent, call): Effect.Effect<Option.Option<string>> => world.find(process, call.key),
      settle: 0
    }
  })
  const Query = Tool.query("Query", {
    ...manner,
    execute: () => Effect.suspend(() => (process.alive ? Effect.succeed("read") : Effect.never))
  })
  const Mail = Tool.irreversible("Mail", {
    ...manner,
    execute: act,
    inDoubt: {
      lookup: (_intent, call): Effect.Effect<Option.Option<string>> => world.find(process, call.key),
      settle: 0
    }
  })
  const byName = { Keyed, Idempotent, Looked, Query, Mail }
  const saga = Saga.make("Simulated", {
    version: 1,
    payload: { id: Schema.String },
    success: Schema.String,
    error,
    tools: [Keyed, Idempotent, Looked, Query, Mail],
    idempotencyKey: ({ id }) => id
  })
  type Names = "Keyed" | "Idempotent" | "Looked" | "Query" | "Mail"
  type Failed = Refused | Busy | Lost | Saga.DeadlinePassed
  type Step = Effect.Effect<string, Failed, Tool.Listed<Names> | Saga.Running>
  const run = (part: Node): Step => {
    switch (part._tag) {
      case "call":
        return byName[part.tool]({ note: part.tool })
      case "record":
        return Saga.record("value", Schema.String, Effect.succeed("made"))
      case "fail":
        return Effect.fail(new Refused({ path: "body" }))
      case "sequence":
        return Effect.map(Effect.forEach(part.nodes, run), (parts) => parts.join("+"))
      case "branches":
        return Effect.map(Saga.forEach(part.nodes, run), (parts) => parts.join("|"))
      case "caught":
        return Effect.catch(run(part.node), (error) => Effect.succeed(error._tag))
      case "savepoint":
        return Effect.catch(Saga.savepoint("plan", run(part.node)), (error) => Effect.succeed(`not ${error._tag}`))
      case "within":
        return Saga.within(run(part.node), part.millis)
      case "sleep":
        return Effect.as(Timer.sleep(part.millis), "slept")
      case "signal":
        return Nudge.await({ within: "8 millis" }).pipe(
          Effect.as("nudged"),
          Effect.catchTag("SignalTimeout", () => Effect.succeed("silence"))
        )
    }
  }
  return { saga, layer: saga.toLayer(() => run(node)) }
}
