/** What a stage is made of: scopes, groups of branches, and the steps that wait for an answer. */
import type { Context, Effect, Exit, Fiber } from "effect"
import type { StuckReason } from "../../outbox/Entry.ts"
import * as Path from "../../outbox/Path.ts"
import type { RunState, Step as RecordedStep } from "../../outbox/RunState.ts"
import type { Step } from "../../tool/internal/running.ts"

/**
 * A step with a path of its own in the record. `takeBack`: a savepoint failed with `exit`, and its work is taken back
 * before its scope hears of that.
 */
export type SingleStep =
  | Exclude<Step, { readonly _tag: "branches" }>
  | { readonly _tag: "takeBack"; readonly name: string; readonly exit: Exit.Exit<unknown, unknown> }

/** A step that a scope waits for. */
export interface Asked {
  readonly path: string
  readonly step: SingleStep
  /** What the record knows of it, where it does. */
  readonly recorded: RecordedStep | undefined
  /** Whether its scope goes on only to bring what it has in flight to an end. */
  readonly isGivenUp: () => boolean
}

/** An answer to a step, with the time that its scope's clock shows from then on. */
export interface Answer {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly stamp: number
}

/** Why a body cannot go on. */
export interface Verdict {
  readonly reason: StuckReason
  readonly path: string | undefined
  readonly why: string
}

export interface Stage {
  /** Starts the body. */
  readonly start: (body: Effect.Effect<unknown, unknown, never>) => void
  /** The outcome of a step has its place in the record, whether or not it is durable yet. */
  readonly placed: (path: string) => void
  /** It does not stand there after all. */
  readonly displaced: (path: string) => void
  /** The engine has an answer for a step that was started. */
  readonly answer: (path: string, answer: Answer) => void
  /** The step leaves no trace: its scope goes on as if it had not been asked for. */
  readonly pass: (path: string) => void
  /** Whether every scope waits for an answer that the engine has not given yet. */
  readonly isStill: () => boolean
  /** Where the body is while it does something of its own: the same twice where it did nothing else between. */
  readonly busyAt: () => number | undefined
  /** Nothing is answered any more. */
  readonly close: () => void
}

/** What a stage needs of the engine. */
export interface Crew {
  readonly runId: string
  readonly state: RunState
  /** The time that the body's clock shows before its first outcome. */
  readonly startedAt: number
  readonly context: Context.Context<never>
  /** The body wants the time, branches, or to be heard. Gives whether that is more than it may have: it ends with that. */
  readonly wantsMore: () => boolean
  /** Compares a step with its record: `undefined` where they agree, else both sides in words. */
  readonly differs: (step: SingleStep, recorded: RecordedStep) => string | undefined
  /** The answer to a step with a recorded outcome. */
  readonly recall: (asked: Asked) => Answer | Verdict
  /** Starts a step, or goes on with one that has no outcome yet. */
  readonly perform: (asked: Asked) => void
  /** The scope of a step in flight was given up. */
  readonly givenUp: (path: string) => void
  /** Whether the failure of the savepoint at `path` is given without taking anything back. */
  readonly passes: (path: string) => boolean
  /** Every scope waits for an answer of the engine. */
  readonly still: () => void
  readonly replayed: () => void
  readonly ended: (exit: Exit.Exit<unknown, unknown>) => void
  readonly stuck: (verdict: Verdict) => void
}

/** What the fiber of a scope does. */
export type Status = "running" | "asking" | "joining" | "ended"

/** A stretch of the body whose steps are asked one after the other. */
export interface Scope {
  readonly path: string
  readonly group: Group | undefined
  /** Its place among the branches of its group. */
  readonly index: number
  readonly counts: Map<string, number>
  readonly recorded: ReadonlyArray<string>
  cursor: number
  owner: Fiber.Fiber<unknown, unknown> | undefined
  status: Status
  givenUp: boolean
  stamp: number
  /** The step it waits for that has started, or has an outcome to come. */
  inFlight: string | undefined
  joining: Group | undefined
}

/** The branches of one `Saga.all`, `Saga.forEach`, `Saga.savepoint` or `Saga.within`. */
export interface Group {
  readonly parent: Scope
  readonly scopes: Array<Scope>
  readonly results: Array<unknown>
  readonly step: Extract<Step, { readonly _tag: "branches" }>
  readonly path: (segment: string) => string
  readonly inherited: Context.Context<never>
  readonly resume: (effect: Effect.Effect<unknown, unknown>) => void
  ended: number
  failure: Exit.Exit<unknown, unknown> | undefined
  /** Its leading branch has ended, so that it needs no other. */
  isLed: boolean
  /** Its branches are being opened, one after the other. */
  isOpening: boolean
}

/** A step that was asked and not answered yet. */
export interface Waiting {
  readonly asked: Asked
  readonly scope: Scope
  readonly resume: (effect: Effect.Effect<unknown, unknown>) => void
}

/** What is said of a name that cannot stand in a path. */
export const nameRule = "The run is stuck and nothing was undone. A name is a letter and then letters, digits, _ and -."

/** The segment of a step's path, or words for it. */
export const nameOf = (step: Step | SingleStep): string =>
  step._tag === "call" ? step.tool.name : step._tag === "branches" ? "A group of branches" : step.name

/** A scope in words. */
export const scopeName = (scope: { readonly path: string }): string =>
  scope.path === Path.root ? "the body" : `the branch ${scope.path}`

/** Whether the record knows how the step ended. */
export const hasOutcome = (recorded: RecordedStep): boolean =>
  recorded._tag === "value" ||
  recorded.outcome !== undefined ||
  (recorded._tag === "call" && recorded.intent.held !== undefined)
