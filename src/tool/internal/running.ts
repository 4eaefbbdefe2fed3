/**
 * The link between a saga's body and the engine that runs it: what a step asks, and whom.
 *
 * A tool, a recorded value, a child, a wait and a group of branches are all asked through {@link ask}. The engine puts a
 * {@link Running} into the context of each scope's fiber; outside a saga there is none, and nothing happens.
 */
import { Context, Effect } from "effect"
import type { Fiber } from "effect"
import type { Plain } from "../Tool.ts"
import type { Definition } from "./definition.ts"

/** One step, as the body asks for it. */
export type Step =
  | { readonly _tag: "call"; readonly tool: Definition; readonly parameters: unknown }
  | {
      readonly _tag: "record"
      readonly name: string
      readonly schema: Plain
      readonly effect: Effect.Effect<unknown, unknown, never>
      /** What was completed before it stands from then on. */
      readonly pivot?: boolean
      /** Whether a record that goes on without it answers `false`, and nothing is written. */
      readonly patch?: boolean
    }
  | {
      readonly _tag: "branches"
      /** Absent where the branches' own names lead in the scope. */
      readonly group: string | undefined
      /** What they require, the scope they are run in gives them. */
      readonly branches: ReadonlyArray<{
        readonly segment: string
        readonly effect: Effect.Effect<unknown, unknown, unknown>
      }>
      readonly concurrency: number
      /** Where it fails its work is taken back before the failure is given. */
      readonly savepoint?: boolean
      /** Whether the first branch leads: when it ends, the others are given up. */
      readonly led?: boolean
    }
  /** A run of another saga, whose definition is in `saga/internal/engine.ts`. */
  | {
      readonly _tag: "child"
      readonly name: string
      readonly saga: unknown
      readonly payload: unknown
      readonly attributes?: Readonly<Record<string, string>>
      /** Told the child's run, before its end is given. */
      readonly ended?: (run: string) => void
    }
  /** Takes back calls of the scope, by their paths in it. Its answer says of each what became of it. */
  | { readonly _tag: "undo"; readonly name: string; readonly paths: ReadonlyArray<string> }
  /** What people said and did since it was asked last. Where that is nothing it leaves no trace. */
  | { readonly _tag: "heard"; readonly name: string }
  /** What it waits for, `wait/internal/waiting.ts` says. */
  | { readonly _tag: "wait"; readonly name: string; readonly waiting: unknown }

/** The scope that a fiber of a body runs in. */
export class Running extends Context.Service<
  Running,
  {
    readonly runId: string
    /** Answers the step, or never does. */
    readonly ask: (step: Step, asker: Fiber.Fiber<unknown, unknown>) => Effect.Effect<unknown, unknown>
    /** Whether what the body logs and traces now was said before. */
    readonly isQuiet: () => boolean
  }
>()("makegood/Running") {}

/** A step was asked where no saga runs. */
export const outside = (what: string): Error =>
  new Error(`${what} was asked for outside a saga. Nothing was done. Ask for it in the body of a saga.`)

/** Asks the engine for a step. The answer's type is the caller's to know. */
export const ask = <A, E, R>(what: string, step: Step): Effect.Effect<A, E, R> =>
  Effect.withFiber<A, E, R>((fiber) => {
    const running = Context.getOrUndefined(fiber.context as Context.Context<Running>, Running)
    return running === undefined ? Effect.die(outside(what)) : (running.ask(step, fiber) as Effect.Effect<A, E>)
  })
