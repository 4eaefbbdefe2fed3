/**
 * Fault: what goes wrong between a tool and the world, at the n-th time that one of its functions is executed.
 *
 * | fault | the act | the answer |
 * |---|---|---|
 * | {@link fails} | does not happen | a declared failure of the class that is named |
 * | {@link hangs} | does not happen | none; the attempt runs into its time-out |
 * | {@link losesReply} | happens | none |
 * | {@link late} | happens once the time is over, whatever became of the attempt | none |
 * | {@link twice} | is asked for twice, one after the other | the second one |
 *
 * Executions are counted per tool over a whole run and all lives of its worker, each of its functions apart.
 */
import { Duration } from "effect"
import type * as Failure from "../tool/Failure.ts"

/**
 * Which of a tool's functions: the act, its compensation, the question whether it happened, what it reads `before` the act,
 * or how it looks at the world after a compensation, to `verify` it.
 */
export type Side = "call" | "compensation" | "lookup" | "before" | "verify"

/** What goes wrong, and where. */
export type Fault = {
  readonly _tag: "Fault"
  readonly tool: string
  readonly side: Side
  readonly nth: number
} & (
  | { readonly how: "fails"; readonly class: Failure.Tag; readonly failure: string | undefined }
  | { readonly how: "hangs" | "losesReply" | "twice" }
  | { readonly how: "late"; readonly byMillis: number }
)

/** Where it goes wrong. */
export interface Where {
  /** The how-manieth execution, from 1. Default: the first. */
  readonly nth?: number
  /** Default: `"call"`. */
  readonly side?: Side
}

type Named = string | { readonly name: string }

const where = (tool: Named, { nth = 1, side = "call" }: Where) => ({
  _tag: "Fault" as const,
  tool: typeof tool === "string" ? tool : tool.name,
  side,
  nth
})

/**
 * The execution fails with a failure that the tool declares and classes as `class`. `failure` names it by tag where
 * several are of that class; default: the first one. A tool that declares none of that class is left alone.
 */
export const fails = (
  tool: Named,
  class_: Failure.Tag,
  options: Where & { readonly failure?: string } = {}
): Fault => ({ ...where(tool, options), how: "fails", class: class_, failure: options.failure })

/** The execution does nothing and never ends by itself. */
export const hangs = (tool: Named, options: Where = {}): Fault => ({ ...where(tool, options), how: "hangs" })

/** The execution does what it should, and its reply is lost. */
export const losesReply = (tool: Named, options: Where = {}): Fault => ({
  ...where(tool, options),
  how: "losesReply"
})

/** The execution is asked for twice, as by a proxy that sends again; the second answer counts. */
export const twice = (tool: Named, options: Where = {}): Fault => ({ ...where(tool, options), how: "twice" })

/** The execution is on its way for so long, and then happens; nobody hears of it. */
export const late = (tool: Named, by: Duration.Input, options: Where = {}): Fault => ({
  ...where(tool, options),
  how: "late",
  byMillis: Duration.toMillis(by)
})
