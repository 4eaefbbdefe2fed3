/** What a row of the page says, and what its body is made of. */
import { Effect, Schema } from "effect"
import type { Scope } from "effect"
import { Failure, type Saga, Tool } from "makegood"
import type { Message } from "./messages.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const manner = {
  parameters: { of: Schema.String },
  success: Schema.String,
  failure: Refused,
  execute: () => Effect.die("to be written"),
  compensate: () => Effect.die("to be written"),
  inDoubt: Tool.sameKey({ validFor: "1 day" }),
  classify: { Refused: Failure.permanent }
} as const

/** Both answer with what they are given. */
export const A = Tool.make("A", manner)
export const B = Tool.make("B", manner)
/** Refuses always. */
export const No = Tool.make("No", manner)

export const a = A({ of: "a" })
export const b = B({ of: "b" })
export const no = No({ of: "no" })

type Running = Saga.Running | Tool.Listed<"A" | "B" | "No"> | Scope.Scope
export type Body = Effect.Effect<unknown, unknown, Running>

interface Common {
  /** The title of its test, too. */
  readonly operator: string
  /** What happens, in a few words. */
  readonly so: string
  /** What to use instead, or how. */
  readonly use: string
}

/** It works, wherever the worker dies on the way. */
export interface Works extends Common {
  readonly becomes: "works" | "durable"
  readonly body: () => Body
  /** The same with the other operators that the row names. */
  readonly also?: ReadonlyArray<() => Body>
  /** What the body gives, however often it is played again. Absent: it depends on when it is played. */
  readonly gives?: Schema.Json
  /** So often a log or a span named "seen" is there, over both lives of a worker that died once, after it. */
  readonly seen?: number
}

/** The run is stuck, and nothing was undone. `diverged`: once it is played again after its worker died. */
export interface Stuck extends Common {
  readonly becomes: "stuck: defect" | "stuck: diverged"
  readonly body: () => Body
  /** The same with the other operators that the row names. */
  readonly also?: ReadonlyArray<() => Body>
  readonly says: Message
}

/** It is no program. */
export interface Refusal extends Common {
  readonly becomes: "does not compile"
  /** The body of the saga. */
  readonly program: string
  readonly says: Message
}

/** The run goes on waiting, and its worker's log says so. */
export interface Hangs extends Common {
  readonly becomes: "waits for ever"
  readonly body: () => Body
  readonly says: "astray"
}

export type Row = Works | Stuck | Hangs | Refusal
