/**
 * Random sagas, from a seed: sequences, branches, savepoints, pivots, children, time limits, waits, approvals, locks, caught
 * failures, values and queries.
 */
import { Context, Effect, Layer, Schedule, Schema } from "effect"
import type { Option } from "effect"
import { Approval, Failure, Saga, Signal, Timer, Tool } from "makegood"
import { random } from "./chance.ts"
import type { Life } from "./outbox.ts"
import { Busy, Lost, Refused, travelMillis, type World } from "./world.ts"

const names = ["Keyed", "Idempotent", "Looked", "Query", "Mail", "Unsure", "Asked", "Till", "Held", "Single"] as const

export type Node =
  | { readonly _tag: "call"; readonly tool: (typeof names)[number] }
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
  /** Waits for a person's word. */
  | { readonly _tag: "approval" }
  | { readonly _tag: "pivot" }
  /** A run of its own, of another saga. */
  | { readonly _tag: "child"; readonly seed: number }
  | { readonly _tag: "fail" }

/** How often each tool is called; `Query` and the plain ones most. */
const weights = [
  "Keyed",
  "Keyed",
  "Idempotent",
  "Idempotent",
  "Looked",
  "Looked",
  "Query",
  "Mail",
  "Unsure",
  "Asked",
  "Till",
  "Held",
  "Single"
] as const

const make = (seed: number, mayHaveChildren: boolean): Node => {
  const chance = random(seed)
  const pick = (depth: number): Node => {
    const dice = chance()
    if (depth === 0 || dice < 0.45) {
      const leaf = chance()
      if (leaf < 0.08) return { _tag: "record" }
      if (leaf < 0.13) return { _tag: "fail" }
      if (leaf < 0.19) return { _tag: "sleep", millis: 1 + Math.floor(chance() * (chance() < 0.2 ? 20_000 : 600)) }
      if (leaf < 0.22) return { _tag: "signal" }
      if (leaf < 0.25) return { _tag: "approval" }
      if (leaf < 0.27 && mayHaveChildren) return { _tag: "pivot" }
      if (leaf < 0.33 && mayHaveChildren) return { _tag: "child", seed: Math.floor(chance() * 1_000_000) }
      return { _tag: "call", tool: weights[Math.floor(chance() * weights.length)]! }
    }
    const nodes = Array.from({ length: 1 + Math.floor(chance() * 3) }, () => pick(depth - 1))
    if (dice < 0.64) return { _tag: "sequence", nodes }
    if (dice < 0.8) return { _tag: "branches", nodes }
    if (dice < 0.85) return { _tag: "caught", node: pick(depth - 1) }
    if (dice < 0.96) return { _tag: "savepoint", node: { _tag: "sequence", nodes } }
    return { _tag: "within", millis: 1 + Math.floor(chance() * 1_200), node: { _tag: "sequence", nodes } }
  }
  return { _tag: "sequence", nodes: mayHaveChildren ? [pick(3), pick(3), pick(2)] : [pick(2), pick(1)] }
}

/** The saga of a run, or of a child, from its seed. */
export const program = (seed: number): Node => make(seed, true)
export const childProgram = (seed: number): Node => make(seed, false)

/** Where a tool is executed: which world it reaches, and in which process. */
export class Here extends Context.Service<Here, { readonly world: World; readonly life: Life }>()(
  "test/simulation/Here"
) {}

const failure = Schema.Union([Refused, Busy, Lost])
const manner = {
  parameters: { note: Schema.String },
  success: Schema.String,
  failure,
  classify: { Refused: Failure.permanent, Busy: Failure.transient, Lost: Failure.inDoubt },
  retry: { transient: Schedule.spaced("40 millis").pipe(Schedule.upTo({ times: 12 })), inDoubt: Schedule.recurs(12) },
  timeout: "500 millis"
} as const

const settle = travelMillis
const mostWaiting = "30 seconds"

const act = (_: unknown, call: Tool.Call) => Here.use(({ life, world }) => world.act(life, toolOf(call), call))
const undo = ({ success }: { readonly success: string }, call: Tool.Call) =>
  Here.use(({ life, world }) => world.undo(life, toolOf(call), success, call))
const lookup = (_intent: unknown, call: Tool.Call): Effect.Effect<Option.Option<string>, never, Here> =>
  Here.use(({ life, world }) => world.find(life, toolOf(call), call))
const toolOf = ({ path }: Tool.Call): string => path.replace(/^.*\//, "").replace(/[~!].*$/, "")

const sameKey = Tool.sameKey({ validFor: "1 day" })
const keyed = { ...manner, execute: act, compensate: undo, inDoubt: sameKey } as const

const Keyed = Tool.make("Keyed", keyed)
const Idempotent = Tool.make("Idempotent", {
  ...manner,
  execute: act,
  compensate: undo,
  verify: () => Effect.succeed(Tool.exact),
  inDoubt: Tool.idempotent
})
const Looked = Tool.make("Looked", {
  ...manner,
  execute: act,
  compensate: { run: undo, inDoubt: Tool.idempotent },
  inDoubt: { lookup, settle }
})
const Query = Tool.query("Query", {
  ...manner,
  execute: () =>
    Here.use(({ life }) => Effect.suspend(() => (life.process.alive ? Effect.succeed("read") : Effect.never)))
})
const Mail = Tool.irreversible("Mail", { ...manner, execute: act, inDoubt: { lookup, settle } })
const Unsure = Tool.make("Unsure", { ...manner, execute: act, compensate: undo, inDoubt: Tool.askPerson })
const Asked = Tool.make("Asked", {
  ...keyed,
  needsApproval: true,
  approval: { within: mostWaiting, remind: "5 seconds" }
})
const Till = Tool.make("Till", { ...keyed, lock: () => ["till"] })
/** One act, whichever run asks for it. */
const Single = Tool.make("Single", { ...keyed, once: { key: ({ note }) => note, scope: "forever" } })
const Held = Tool.irreversible("Held", {
  ...manner,
  success: Schema.Void,
  execute: (_, call) => Here.use(({ life, world }) => world.act(life, "Held", call, false)),
  inDoubt: sameKey,
  release: "atCompletion"
})

/** Sent once to each run. */
export const Nudge = Signal.make("Nudge")

const tools = [Keyed, Idempotent, Looked, Query, Mail, Unsure, Asked, Till, Held, Single] as const
const error = Schema.Union([
  Refused,
  Busy,
  Lost,
  Saga.DeadlinePassed,
  Approval.Refused,
  Saga.LockRefused,
  Tool.OnceConflict
])

const definition = {
  version: 1,
  success: Schema.String,
  error,
  idempotencyKey: ({ id }: { readonly id: string }) => id
} as const

export const Child = Saga.make("Child", {
  ...definition,
  payload: { id: Schema.String, seed: Schema.Int },
  tools: [...tools]
})
export const Parent = Saga.make("Parent", {
  ...definition,
  payload: { id: Schema.String, seed: Schema.Int },
  tools: [...tools, Child]
})

type Failed = Refused | Busy | Lost | Saga.DeadlinePassed | Approval.Refused | Saga.LockRefused | Tool.OnceConflict
type Step<R> = Effect.Effect<string, Failed, R>
type Listed = Tool.Listed<(typeof names)[number]> | Saga.Running

const run = <R>(part: Node, child: (seed: number) => Step<R>): Step<R | Listed> => {
  const go = (one: Node): Step<R | Listed> => {
    switch (one._tag) {
      case "call":
        return one.tool === "Held" ? Effect.as(Held({ note: "Held" }), "held") : byName[one.tool]({ note: one.tool })
      case "record":
        return Saga.record("value", Schema.String, Effect.succeed("made"))
      case "fail":
        return Effect.fail(new Refused({ path: "body" }))
      case "sequence":
        return Effect.map(Effect.forEach(one.nodes, go), (parts) => parts.join("+"))
      case "branches":
        return Effect.map(Saga.forEach(one.nodes, go), (parts) => parts.join("|"))
      case "caught":
        return Effect.catch(go(one.node), (error) => Effect.succeed(error._tag))
      case "savepoint":
        return Effect.catch(Saga.savepoint("plan", go(one.node)), (error) => Effect.succeed(`not ${error._tag}`))
      case "within":
        return Saga.within(go(one.node), one.millis)
      case "sleep":
        return Effect.as(Timer.sleep(one.millis), "slept")
      case "signal":
        return Nudge.await({ within: "800 millis" }).pipe(
          Effect.as("nudged"),
          Effect.catchTag("SignalTimeout", () => Effect.succeed("silence"))
        )
      case "approval":
        return Effect.as(Approval.request("Nod", { within: mostWaiting, remind: "5 seconds" }), "nodded")
      case "pivot":
        return Effect.as(Saga.pivot, "pivot")
      case "child":
        return child(one.seed)
    }
  }
  return go(part)
}

const byName = { Keyed, Idempotent, Looked, Query, Mail, Unsure, Asked, Till, Single }

/** Both sagas, whose tools reach the world as a life of a worker. */
export const layerOf = (world: World, life: Life) =>
  Layer.mergeAll(
    Child.toLayer(({ seed }) => run(childProgram(seed), () => Effect.die(new Error("A child has no children")))),
    Parent.toLayer(({ seed }) => run(program(seed), (child) => Child({ id: String(child), seed: child })))
  ).pipe(Layer.provide(Layer.succeed(Here, { world, life })))
