/** A tool as the engine sees it: the options of its constructor with every default filled in and the types erased. */
import type { Duration, Effect, Option } from "effect"
import type { FailureClass, Moment } from "../Failure.ts"
import type { CompleteTerms } from "../Clearance.ts"
import type { Policy } from "../InDoubt.ts"
import type * as Limits from "../Limits.ts"
import type { CompleteOnce } from "../Once.ts"
import type { Restoration } from "../Restoration.ts"
import type * as Retry from "../Retry.ts"
import type { Plain } from "../Tool.ts"

/** `model`: asks a model what to do next. It changes nothing, and it costs money. */
export type Kind = "reversible" | "irreversible" | "query" | "transaction" | "model"

/** What a tool's functions are told of the call they serve. */
export interface Call<out Failure = unknown> {
  /** The idempotency key: the same for every attempt of this call, and no other call's. */
  readonly key: string
  /** Counts from 1. */
  readonly attempt: number
  readonly runId: string
  readonly path: string
  /** The declared failure of the attempt before this one, where there was one. */
  readonly previousFailure: Failure | undefined
}

/** Of a call that waits for a grant: whether there is one, with what was said in it. */
export interface Granted extends Call {
  readonly granted: string | undefined
}

type Erased<A> = (first: A, call: Call) => Effect.Effect<unknown, unknown, never>

/** What is known when the outcome of an attempt is not. */
export interface Intent {
  readonly parameters: unknown
}

export type Lookup = (intent: Intent, call: Call) => Effect.Effect<Option.Option<unknown>, unknown, never>

/** How a doubt is settled. */
export type Doubt =
  | Policy
  | {
      readonly _tag: "lookup"
      readonly lookup: Lookup
      readonly settle: Duration.Duration | undefined
      /** Whether that it finds nothing means anything. */
      readonly authoritative: boolean
    }

/** An approval that may be needed: `asks` is given parameters, or for a compensation what was done. */
export interface Consent {
  readonly asks: (given: never) => boolean
  readonly terms: CompleteTerms
}

/** What a call and a compensation have in common. */
export interface Manner {
  readonly consent?: Consent | undefined
  readonly doubt: Doubt
  readonly classify: (failure: unknown, moment: Moment) => FailureClass
  readonly retry: Retry.Complete<never>
  readonly timeout: Duration.Duration
  /** What a query that took longer fails with; absent: with nothing that is declared. */
  readonly failLate: ((parameters: unknown) => unknown) | undefined
  /** What becomes of a call whose attempts are used up: its last declared failure goes to the body, or it waits. */
  readonly whenExhausted: "fail" | "park"
}

/** A call that happened, as its compensation is told of it. */
export interface Done {
  readonly parameters: unknown
  readonly success: unknown
  readonly before: unknown
  readonly cause: unknown
}

export interface Compensation extends Manner {
  readonly run: Erased<Done>
}

export interface Definition extends Manner {
  readonly name: string
  readonly kind: Kind
  readonly version: number
  /** Earlier versions whose recorded calls it can go on with and take back. */
  readonly compatibleWith: ReadonlySet<number>
  /** For how many milliseconds after it happened a call of a completed run can be taken back; absent: for ever. */
  readonly undoWithinMillis: number | undefined
  readonly description: string | undefined
  readonly parameters: Plain
  readonly success: Plain
  readonly failure: Plain
  readonly execute: Erased<never>
  readonly limits: Limits.Complete | undefined
  readonly compensation: Compensation | undefined
  /** Why the run is stuck where a failure of this tool is `blocked`, until it is granted; absent: as the class says. */
  readonly stuckAs?: "over_budget"
  /** What it fails with where its result is more than can be recorded; absent: it has happened, and a person is asked. */
  readonly unkept?: (why: string, success: unknown) => unknown
  readonly compensateInDoubt: Erased<Omit<Done, "success">> | undefined
  /** Reads what the act is about to change. */
  readonly before?: { readonly schema: Plain; readonly read: Erased<unknown> } | undefined
  /** Looks at the world after a compensation. */
  readonly verify?: ((done: Done, call: Call) => Effect.Effect<Restoration, unknown>) | undefined
  /** Which calls are one act. */
  readonly once?: CompleteOnce | undefined
  /** The keys of what a call locks. */
  readonly lock?: ((parameters: never) => ReadonlyArray<string>) | undefined
  /** What was completed before a call of it succeeds stands from then on. */
  readonly pivot?: boolean | undefined
  /** Its calls are answered at once, and done when the body has succeeded. */
  readonly isHeld?: boolean | undefined
}

/** Whether the tool as it is here can go on with, settle and take back a call that this version of it began (G15). */
export const fits = (
  { compatibleWith, version }: Pick<Definition, "compatibleWith" | "version">,
  recorded: number
): boolean => recorded === version || compatibleWith.has(recorded)

/** Where a tool or saga keeps its definition, out of the way of those who use it. */
export const definition = Symbol.for("makegood/definition")
