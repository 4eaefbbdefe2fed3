/** What people decide about requests for approval, and how tools are paused: the part of `Runs` that the gate serves. */
import { Duration, Effect, Option, Stream } from "effect"
import type { Schema } from "effect"
import { createHash, randomBytes } from "node:crypto"
import type * as Entry from "../../outbox/Entry.ts"
import type { Request as Kept } from "../../outbox/Gate.ts"
import { canonical } from "../../outbox/internal/canonical.ts"
import type { Outbox, OutboxError } from "../../outbox/Outbox.ts"
import type { Approve, Person, Principal, Reject } from "../../wait/Approval.ts"
import * as Approving from "../../wait/internal/approving.ts"
import { requestOf } from "../../wait/internal/requests.ts"
import type { Deciding } from "../Decisions.ts"
import type { Who } from "../Runs.ts"
import { DecisionRefused, InvalidInput, RunsError } from "../RunsError.ts"

type Refusal = DecisionRefused["reason"]

const pageSize = 500

const linkMillis = Duration.toMillis("7 days")

const fail = (reason: RunsError["reason"]) => Effect.fail(new RunsError({ reason }))

const lift = <A, R>(self: Effect.Effect<A, OutboxError, R>): Effect.Effect<A, RunsError, R> =>
  Effect.mapError(self, ({ reason }) => new RunsError({ reason }))

const hashOf = (token: string): string => createHash("sha256").update(token, "utf8").digest("hex")

/** A decision as it is about to be sent. */
interface Decided {
  readonly yes: boolean
  readonly digest: string
  readonly why?: string | undefined
  readonly parameters?: Schema.Json | undefined
  readonly decision?: Schema.Json | undefined
  readonly id?: string | undefined
}

export const make = (
  outbox: Outbox["Service"],
  known: {
    /** The run, if it is there and has not ended. */
    readonly open: (runId: string) => Effect.Effect<unknown, RunsError>
    readonly checkText: (what: string, text: unknown, most: number) => Effect.Effect<string, RunsError>
    readonly lookAtPauses: Effect.Effect<void>
  }
): Deciding => {
  const { gate } = outbox
  const { checkText, open } = known

  /** What is asked at the path, as it is now; a refusal where a decision would not count. */
  const asked = Effect.fnUntraced(function* (runId: string, path: string, digest: string, who: Principal) {
    const refuse = (reason: Refusal) => fail(new DecisionRefused({ runId, path, reason }))
    yield* open(runId)
    const { at, requests } = yield* lift(gate.requests({ runId, path, limit: 1 }))
    const [kept] = requests
    if (kept === undefined) return yield* refuse("notAsked")
    if (kept.digest !== digest) return yield* refuse("notWhatWasShown")
    if (kept.until !== undefined && at >= kept.until) return yield* refuse("tooLate")
    if (who.kind !== "person") return yield* refuse("notAPerson")
    const question = Approving.questionOf({ value: kept.asked })
    if (!Approving.isAsked(question ?? {}, { at: kept.askedAt, groups: who.groups }, at)) {
      return yield* refuse("notTheirs")
    }
    return kept
  })

  /** Refuses a word that adds nothing: a change where none may be made, or what the same person said before. */
  const checkFits = (kept: Kept, told: Pick<Entry.Told, "by" | "value" | "happened">, decided: Decided) => {
    const { path, runId } = kept
    const refuse = (reason: Refusal) => fail(new DecisionRefused({ runId, path, reason }))
    const question = Approving.questionOf({ value: kept.asked })
    if (decided.parameters !== undefined && question?.mayChange === undefined) return refuse("mayNotChange")
    const isOld = kept.decisions.some(
      ({ by, digest, happened, value }) =>
        by === told.by && digest === kept.digest && happened === told.happened && value === told.value
    )
    return isOld ? refuse("decidedAlready") : Effect.void
  }

  const messageOf = Effect.fnUntraced(function* (kept: Kept, who: Person, decided: Decided, givenId: string) {
    const by = yield* checkText("The name of who decides", who.by, 500)
    const why = decided.why === undefined ? undefined : yield* checkText("The reason", decided.why, 10_000)
    const id = yield* checkText("The id of a message", givenId, 200)
    const { decision, parameters } = decided
    const words = yield* Effect.try({
      try: () =>
        canonical({
          as: "person",
          ...(who.groups === undefined ? {} : { groups: [...who.groups] }),
          ...(parameters === undefined ? {} : { parameters }),
          ...(decision === undefined ? {} : { decision })
        }),
      catch: (error) =>
        new RunsError({ reason: new InvalidInput({ what: "What was decided", why: `has no JSON: ${String(error)}` }) })
    })
    return {
      id,
      runId: kept.runId,
      told: {
        message: "decide",
        by,
        path: kept.path,
        digest: kept.digest,
        happened: decided.yes,
        value: words,
        ...(why === undefined ? {} : { why })
      }
    } as const
  })

  const decide = Effect.fnUntraced(function* (runId: string, path: string, decided: Decided, who: Person) {
    const kept = yield* asked(runId, path, decided.digest, who)
    const message = yield* messageOf(kept, who, decided, decided.id ?? crypto.randomUUID())
    const isSentAgain = kept.decisions.some(({ id }) => id === message.id)
    if (!isSentAgain) yield* checkFits(kept, message.told, decided)
    if (!(yield* lift(outbox.send(message)))) yield* open(runId)
  })

  return {
    approvals: (filter = {}) =>
      Stream.paginate(undefined as Pick<Kept, "askedAt" | "path" | "runId"> | undefined, (after) =>
        Effect.map(lift(gate.requests({ runId: filter.runId, after, limit: pageSize })), ({ requests }) => {
          const shown = requests.map(requestOf).filter(({ to }) => filter.to === undefined || to === filter.to)
          // Those of one run come all at once.
          const isAll = requests.length < pageSize || filter.runId !== undefined
          return [shown, isAll ? Option.none<typeof after>() : Option.some(requests.at(-1))] as const
        })
      ),

    approve: (runId, path, given: Approve, who) => decide(runId, path, { ...given, yes: true }, who),
    reject: (runId, path, given: Reject, who) => decide(runId, path, { ...given, yes: false }, who),

    decisionLink: Effect.fnUntraced(function* (runId, path, options) {
      const { digest, expires, who } = options
      const kept = yield* asked(runId, path, digest, who)
      const token = randomBytes(32).toString("base64url")
      const forMillis = expires === undefined ? linkMillis : Duration.toMillis(Duration.fromInputUnsafe(expires))
      const principal = canonical({ by: who.by, ...(who.groups === undefined ? {} : { groups: [...who.groups] }) })
      yield* lift(
        gate.link({
          hash: hashOf(token),
          runId,
          path,
          digest: kept.digest,
          principal,
          forMillis: Math.min(forMillis, 1e14)
        })
      )
      return token
    }),

    decide: Effect.fnUntraced(function* (token, given) {
      const hash = hashOf(token)
      const found = Option.getOrUndefined(yield* lift(gate.findLink(hash)))
      if (found === undefined) return yield* fail(new DecisionRefused({ reason: "linkUnknown" }))
      const { digest, path, runId } = found
      const refuse = (reason: Refusal) => fail(new DecisionRefused({ runId, path, reason }))
      if (found.used) return yield* refuse("linkUsed")
      if (found.expired) return yield* refuse("linkExpired")
      const who: Person = { kind: "person", ...(JSON.parse(found.principal) as Omit<Person, "kind">) }
      const kept = yield* asked(runId, path, digest, who)
      const decided: Decided =
        "reject" in given ? { yes: false, digest, why: given.reject } : { yes: true, digest, ...given.approve }
      const message = yield* messageOf(kept, who, decided, `link:${hash}`)
      yield* checkFits(kept, message.told, decided)
      if (!(yield* lift(gate.useLink(hash, message)))) return yield* refuse("linkUsed")
    }),

    pause: Effect.fnUntraced(function* (tool, who, options = {}) {
      yield* checkText("The name of a tool", tool, 100)
      const { by, why } = yield* checkWho(checkText, who)
      const isNew = yield* lift(gate.pause({ tool, compensations: options.compensations ?? false, by, why }))
      yield* known.lookAtPauses
      return isNew
    }),
    unpause: Effect.fnUntraced(function* (tool, who) {
      const wasPaused = yield* lift(gate.unpause(tool, yield* checkWho(checkText, who)))
      yield* known.lookAtPauses
      return wasPaused
    }),
    pauses: lift(gate.pauses)
  }
}

const checkWho = Effect.fnUntraced(function* (
  checkText: (what: string, text: unknown, most: number) => Effect.Effect<string, RunsError>,
  who: Who
) {
  const by = yield* checkText("The name of who decides", who.by, 500)
  const why = who.why === undefined ? undefined : yield* checkText("The reason", who.why, 10_000)
  return { by, why }
})
