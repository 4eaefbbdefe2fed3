/**
 * Approvals: a run waits for a person's word, as long as it takes, and holds nothing meanwhile (G13).
 *
 * What is approved is a digest of exactly what was shown. A decision is used once, says who made it and why, and counts
 * only while it is asked for. People come from the application, which vouches for them; an agent has no way to decide.
 * A tool asks by itself with `needsApproval`; {@link request} asks in the body of a saga. Decisions are sent with
 * `Runs.approve` and `Runs.reject`, or with a link that can be used once.
 */
import { DateTime, Exit, Result } from "effect"
import type { Effect, Schema } from "effect"
import * as Value from "../outbox/internal/value.ts"
import { isName } from "../outbox/Path.ts"
import { completeUnsafe, type Refused, type Terms } from "../tool/Clearance.ts"
import type { Running } from "../tool/internal/running.ts"
import type { Plain } from "../tool/Tool.ts"
import * as Approving from "./internal/approving.ts"
import { ask } from "./internal/waiting.ts"

export { Refused } from "../tool/Clearance.ts"
export type { CallTerms, NeedsApproval, Terms } from "../tool/Clearance.ts"

/** A person, for whom the application vouches: it has seen who it is. */
export interface Person {
  readonly kind: "person"
  /** Who it is: recorded, and told apart from others by. */
  readonly by: string
  /** The groups in whose name the person may decide. Default: whichever is asked. */
  readonly groups?: ReadonlyArray<string>
}

/** An agent. It may look at what is asked, and has no way to decide. */
export interface Agent {
  readonly kind: "agent"
  readonly by: string
}

/** Who acts, as the application says. */
export type Principal = Person | Agent

/** A person. To be made by the application once it knows who it is, and never from what an agent says. */
export const person = (by: string, options: { readonly groups?: ReadonlyArray<string> } = {}): Person => ({
  kind: "person",
  by,
  ...options
})

/** An agent's own principal. */
export const agent = (by: string): Agent => ({ kind: "agent", by })

/** An open request for approval. Times are milliseconds since the epoch, by the database's clock. */
export interface Request {
  readonly runId: string
  readonly saga: string
  /** The run's key. */
  readonly key: string
  /** What decides it has to name, with the digest. */
  readonly path: string
  /** The tool, or what the saga calls it. */
  readonly name: string
  /** Of exactly what is shown and how it is asked. */
  readonly digest: string
  readonly shown: Schema.Json
  /** The group that is asked. */
  readonly to: string | undefined
  /** The group that is asked as well after so many milliseconds. */
  readonly escalate: { readonly after: number; readonly to: string } | undefined
  /** How many different people have to approve. */
  readonly people: number
  /** Which of the parameters shown may be changed. */
  readonly mayChange: true | ReadonlyArray<string>
  readonly askedAt: number
  readonly until: number | undefined
  /** How often those asked were reminded, or others asked too. */
  readonly notices: number
  /** Who approved so far, where that takes several. */
  readonly approvedBy: ReadonlyArray<string>
}

/** A yes: to what was shown, whose digest it names. */
export interface Approve {
  readonly digest: string
  readonly why?: string
  /** Parameters to be sent in place of those shown, in their encoded (JSON) form. */
  readonly parameters?: Schema.Json
  /** What else is decided, in its encoded (JSON) form. */
  readonly decision?: Schema.Json
  /** The sender's id of this word: the same id twice is one word. Default: a fresh one. */
  readonly id?: string
}

/** A no: to what was shown, and why. */
export interface Reject {
  readonly digest: string
  readonly why: string
  readonly id?: string
}

/** How an approval is asked for in a body. */
export interface RequestOptions<D extends Plain> extends Terms {
  /** What those who decide are shown, and what their decision is bound to. Default: nothing but the name. */
  readonly show?: Schema.Json
  /** What is to be decided beside yes, such as an amount. Default: nothing. */
  readonly decision?: D
}

/** What was approved. */
export interface Approved<out D> {
  readonly by: ReadonlyArray<string>
  readonly at: DateTime.Utc
  readonly why: string | undefined
  readonly decision: D
}

/**
 * Asks for an approval, and waits for it. Fails with {@link Refused} where it is denied, or not decided `within`.
 *
 * Throws a `TypeError` where the name could not be recorded.
 *
 * **If the process dies** nothing is lost: what was decided is in the run's inbox or record, and the time goes on.
 */
export const request = <const Name extends string, D extends Plain = Schema.Void>(
  name: Name,
  options: RequestOptions<D> = {}
): Effect.Effect<Approved<D["Type"]>, Refused, Running> => {
  if (!isName(name)) {
    throw new TypeError(
      `An approval is named ${JSON.stringify(name).slice(0, 120)}. It was not asked for. ` +
        "A name is a letter and then letters, digits, _ and -, 100 characters at most."
    )
  }
  const codec = options.decision === undefined ? undefined : Value.codec<unknown>(options.decision)
  const decode = (decision: Schema.Json | undefined) =>
    codec === undefined
      ? Result.succeed(undefined)
      : codec.decode(JSON.stringify(decision ?? null), `what was decided about ${name}`)
  return ask(
    "Approval.request",
    name,
    Approving.waiting({
      name,
      show: options.show ?? null,
      terms: completeUnsafe(`The approval ${name}`, options),
      ...(codec === undefined ? {} : { reads: (decision) => Result.isSuccess(decode(decision)) }),
      give: (answered) => {
        if (answered.how !== "approved") return Result.succeed(Exit.fail(Approving.refusedOf(name, answered)))
        const verdict = Approving.verdictOf(answered)
        if (verdict === undefined) return Result.fail(`what was decided about ${name} cannot be read`)
        return decode(verdict.decision).pipe(
          Result.mapBoth({
            onSuccess: (decision) =>
              Exit.succeed({
                by: verdict.by,
                at: DateTime.makeUnsafe(answered.stamp),
                why: answered.why,
                decision
              }),
            onFailure: ({ message }) => message
          })
        )
      }
    })
  )
}
