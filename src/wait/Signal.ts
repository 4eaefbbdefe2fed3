/**
 * Signals: typed words from outside that a run waits for, such as a webhook's.
 *
 * A signal may be sent before or after the run waits for it; it is kept in the run's record until a wait uses it, and
 * used once (G13). The same id sent twice is one signal. A payload that does not fit is refused at the sender.
 */
import { Duration, Exit, Result, Schema } from "effect"
import type { Effect } from "effect"
import * as Value from "../outbox/internal/value.ts"
import { checkName } from "../tool/internal/define.ts"
import type { Running } from "../tool/internal/running.ts"
import type { Plain } from "../tool/Tool.ts"
import { ask, isDue } from "./internal/waiting.ts"

/** No signal came in time. */
export class SignalTimeout extends Schema.TaggedError<SignalTimeout>()("SignalTimeout", { name: Schema.String }) {
  override get message() {
    return `No signal ${this.name} came in time. The run goes on with this failure. Catch it to go another way.`
  }
}

/** A signal: what it is called and what it carries. */
export interface Signal<out Name extends string, in out A> {
  readonly name: Name
  readonly payloadSchema: Plain & { readonly Type: A }
  /**
   * Waits for the next signal of this name that no wait has used; with `within` at most so long.
   *
   * **If the process dies** nothing is lost: what was sent is in the run's inbox or record, and the time goes on.
   */
  readonly await: {
    (): Effect.Effect<A, never, Running>
    (options: { readonly within: Duration.Input }): Effect.Effect<A, SignalTimeout, Running>
  }
}

/**
 * Defines a signal. `payload`: default `Schema.Void`.
 *
 * Throws a `TypeError` where the name could not be recorded.
 */
export const make = <const Name extends string, P extends Plain = Schema.Void>(
  name: Name,
  options: { readonly payload?: P } = {}
): Signal<Name, P["Type"]> => {
  checkName("A signal", name)
  const payload: Plain = options.payload ?? Schema.Void
  const wait = (given?: { readonly within: Duration.Input }) => {
    const within = given === undefined ? undefined : Duration.toMillis(Duration.fromInputUnsafe(given.within))
    return ask<P["Type"], never>("Signal.await", name, {
      kind: "signal",
      name,
      asked: within === undefined ? undefined : `{"within":${JSON.stringify(within)}}`,
      until: (now) => (within === undefined || !Number.isFinite(within) ? undefined : now + within),
      over: (wait, unused, now) => {
        const told = unused.find((message) => message.message === "signal" && message.name === name)
        if (told !== undefined) return { how: "signal", message: told.id, by: told.by, value: told.value ?? "null" }
        return isDue(wait, now) ? { how: "due" } : undefined
      },
      give: ({ how, value }) => {
        if (how === "due") return Result.succeed(Exit.fail(new SignalTimeout({ name })))
        const decoded = Value.codec(payload).decode(value ?? "null", `the payload of the signal ${name}`)
        return Result.isFailure(decoded)
          ? Result.fail(decoded.failure.message)
          : Result.succeed(Exit.succeed(decoded.success))
      }
    })
  }
  return { name, payloadSchema: payload as Signal<Name, P["Type"]>["payloadSchema"], await: wait as never }
}
