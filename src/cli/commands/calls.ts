/** Calls across runs, runs that wait for a person, and what a person can say about a call. */
import { Clock, Effect, Option, Result, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Value from "../../outbox/internal/value.ts"
import type { Outbox, OutboxError, Run } from "../../outbox/Outbox.ts"
import * as Runs from "../../saga/Runs.ts"
import * as Signal from "../../wait/Signal.ts"
import * as Acting from "../internal/acting.ts"
import * as Application from "../internal/application.ts"
import * as Database from "../internal/database.ts"
import { stop } from "../internal/exits.ts"
import type { Stopped } from "../internal/exits.ts"
import * as Naming from "../internal/naming.ts"
import * as Print from "../internal/print.ts"
import { callsOf, remedies } from "../internal/remedies.ts"
import { clean, shortId, span } from "../internal/words.ts"

const states = [
  "intended",
  "succeeded",
  "failed",
  "in_doubt",
  "compensating",
  "compensated",
  "compensation_failed",
  "skipped"
] as const

const limitOf = (fallback: number) =>
  Flag.Int("limit").pipe(
    Flag.withDescription(`At most so many. Default: ${fallback}`),
    Flag.filter(
      (limit) => limit > 0,
      (limit) => `${limit} is not more than 0`
    ),
    Flag.withDefault(fallback)
  )

/** `calls`: the calls of a run, or of the newest runs. */
export const calls = Command.make(
  "calls",
  {
    run: Naming.argument.pipe(Argument.optional),
    tool: Flag.String("tool").pipe(Flag.withDescription("Calls of this tool"), Flag.optional),
    state: Flag.Literals("state", states).pipe(Flag.withDescription("Calls in this state"), Flag.optional),
    runs: Flag.Int("runs").pipe(
      Flag.withDescription("How many of the newest runs to look through. Default: 200"),
      Flag.withDefault(200)
    ),
    limit: limitOf(50)
  },
  Effect.fnUntraced(function* ({ limit, run, runs, state, tool }) {
    const looked: Stream.Stream<Run, Runs.RunsError | OutboxError | Stopped, Runs.Runs | Outbox> = Option.isSome(run)
      ? Stream.fromEffect(Naming.find(run.value))
      : Runs.list().pipe(Stream.take(Math.max(0, runs)))
    const found = yield* looked.pipe(
      Stream.mapEffect(({ runId }) => Runs.get(runId), { concurrency: 4 }),
      Stream.flatMap(({ calls, key, runId, saga }) =>
        Stream.fromIterable(calls.map((call) => ({ runId, saga, runKey: key, ...call })))
      ),
      Stream.filter(
        (call) =>
          (Option.isNone(tool) || call.tool === tool.value) && (Option.isNone(state) || call.state === state.value)
      ),
      Stream.take(limit),
      Stream.runCollect
    )
    yield* Print.rows(
      found,
      [
        { name: "run" },
        { name: "path", least: 16 },
        { name: "tool", least: 10 },
        { name: "state" },
        { name: "tries", right: true },
        { name: "known by" }
      ],
      {
        json: (call) => call,
        cells: ({ attempts, how, path, runId, state, tool }) => [
          shortId(runId),
          path,
          tool,
          state.replaceAll("_", " "),
          String(attempts),
          how ?? ""
        ],
        nothing: "There are no such calls."
      }
    )
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("List the calls of a run, or of the newest runs."),
  Command.withExamples([
    { command: "makegood calls BookTrip/trip-17", description: "Of one run" },
    { command: "makegood calls --tool ChargeCard --state in_doubt", description: "Charges nobody is sure of" }
  ])
)

/** `stuck`: the runs that wait for a person, and what can be done. */
export const stuck = Command.make(
  "stuck",
  { limit: limitOf(20) },
  Effect.fnUntraced(function* ({ limit }) {
    const found = yield* Runs.list({ state: "stuck" }).pipe(
      Stream.take(limit),
      Stream.mapEffect(({ runId }) => Runs.get(runId), { concurrency: 4 }),
      Stream.runCollect
    )
    const now = yield* Clock.currentTimeMillis
    yield* Print.rows(
      found,
      [
        { name: "run" },
        { name: "saga", least: 10 },
        { name: "reason" },
        { name: "for", right: true },
        { name: "path", least: 20 },
        { name: "why", least: 12 }
      ],
      {
        json: (run) => ({
          ...Print.runJson(run),
          remedies: run.stuck === undefined ? [] : remedies(run.runId, run.stuck, callsOf(run))
        }),
        cells: (run) => [
          shortId(run.runId),
          run.saga,
          (run.stuck?.reason ?? run.stuckReason ?? "").replaceAll("_", " "),
          span(now - run.changedAt),
          run.stuck?.path ?? "",
          run.stuck?.why ?? ""
        ],
        nothing: "No run waits for a person."
      }
    )
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("List the runs that wait for a person or a deploy"),
  Command.withDescription("List the runs that wait for a person or a deploy. `runs show` says what can be done."),
  Command.withExamples([
    { command: "makegood stuck", description: "Who waits, and why" },
    { command: "makegood stuck --json | jq -r .remedies[]", description: "What can be done, as commands" }
  ])
)

const path = Argument.String("path").pipe(Argument.withDescription("The path of the call in its run"))

/** JSON as a person types it. */
export const toJson = (what: string, text: string) =>
  Effect.mapError(Schema.decodeUnknownEffect(Schema.fromJsonString(Schema.Json))(text), () =>
    stop(
      "usage",
      `${what} is not JSON: ${clean(text).slice(0, 80)}. Nothing was done. Texts are in double quotes: '"ch_1"'.`
    )
  )

/** Refuses to say of a call what would change nothing. What names no call is left to `Runs` to refuse. */
const asked = Effect.fnUntraced(function* (
  run: Run,
  path: string,
  isSo: (found: { readonly call: Runs.CallSummary | undefined; readonly stuckAt: boolean }) => boolean,
  isNot: string
) {
  const { calls, stuck } = yield* Runs.get(run.runId)
  const call = calls.find((call) => call.path === path)
  if (call === undefined || isSo({ call, stuckAt: stuck?.path === path })) return
  const state = call.state.replaceAll("_", " ")
  return yield* stop(
    "refused",
    `${clean(path)} of ${Naming.inWords(run)} ${isNot}: its state is ${state}. Nothing was done.`
  )
})

/** `resolve`: says what became of a call in doubt. */
export const resolve = Command.make(
  "resolve",
  {
    run: Naming.argument,
    path,
    happened: Flag.String("happened").pipe(
      Flag.withMetavar("<json>"),
      Flag.withDescription("It happened, and this was its result, as JSON"),
      Flag.optional
    ),
    didNotHappen: Flag.Boolean("did-not-happen").pipe(
      Flag.withDescription("It did not happen"),
      Flag.withDefault(false)
    ),
    ...Acting.flags
  },
  Effect.fnUntraced(function* (given) {
    if (Option.isSome(given.happened) === given.didNotHappen) {
      return yield* stop(
        "usage",
        "What became of the call was not said. Nothing was done. Give --happened <json> or --did-not-happen, and not both."
      )
    }
    const resolution: Runs.Resolution = Option.isSome(given.happened)
      ? { happened: yield* toJson("The result", given.happened.value) }
      : { didNotHappen: true }
    const run = yield* Naming.stuckRun(given.run)
    yield* asked(run, given.path, ({ call, stuckAt }) => stuckAt || call?.state === "in_doubt", "is not in doubt")
    const who = Acting.whoOf(given)
    const said = given.didNotHappen ? "did not happen" : "happened"
    yield* Acting.confirm(`Record that ${clean(given.path)} of ${Naming.inWords(run)} ${said}?`, given.yes)
    yield* Runs.resolve(run.runId, given.path, resolution, who)
    yield* Print.either({ runId: run.runId, said: "resolve", path: given.path, ...resolution, ...who }, () => [
      `It is told that ${clean(given.path)} ${said}. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Say what became of a call in doubt"),
  Command.withDescription("Say what became of a call in doubt. Its run goes on from there."),
  Command.withExamples([
    {
      command: `makegood resolve 3f2c81aa ChargeCard --happened '{"chargeId":"ch_1"}'`,
      description: "It happened, with this result"
    },
    {
      command: "makegood resolve 3f2c81aa ChargeCard --did-not-happen --why 'not in the bank's list'",
      description: "It did not"
    }
  ])
)

/** `skip`: lets a call stand that cannot be taken back. */
export const skip = Command.make(
  "skip",
  { run: Naming.argument, path, ...Acting.flags },
  Effect.fnUntraced(function* (given) {
    const run = yield* Naming.openRun(given.run)
    yield* asked(run, given.path, ({ call }) => call?.state !== "failed", "has not happened")
    const who = Acting.whoOf(given)
    yield* Acting.confirm(
      `Let ${clean(given.path)} of ${Naming.inWords(run)} stand, without taking it back?`,
      given.yes
    )
    yield* Runs.skip(run.runId, given.path, who)
    yield* Print.either({ runId: run.runId, said: "skip", path: given.path, ...who }, () => [
      `${clean(given.path)} will stand, and is listed so. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Let a call stand that cannot be taken back"),
  Command.withDescription("Give up taking a call back: it stands, is listed so, and the rollback goes on."),
  Command.withExamples([
    { command: "makegood skip 3f2c81aa ReserveHotel --why 'refunded by telephone'", description: "And say why" }
  ])
)

/** `signal`: sends a signal that a run waits for. */
export const signal = Command.make(
  "signal",
  {
    run: Naming.argument,
    name: Argument.String("name").pipe(Argument.withDescription("The name of the signal")),
    payload: Argument.String("payload").pipe(
      Argument.withDescription("Its payload, as JSON. Default: none"),
      Argument.optional
    ),
    id: Flag.String("id").pipe(
      Flag.withDescription("The same id twice is one signal. Default: a fresh one"),
      Flag.optional
    ),
    module: Flag.String("module").pipe(
      Flag.withDescription("The application: its export of this signal checks the payload before it is sent"),
      Flag.optional
    ),
    by: Acting.flags.by,
    yes: Acting.yes
  },
  Effect.fnUntraced(function* (given) {
    const payload = Option.isSome(given.payload) ? yield* toJson("The payload", given.payload.value) : null
    const of = yield* Effect.try({
      try: () => Signal.make(given.name, { payload: Schema.Json }),
      catch: (error) => stop("usage", (error as Error).message)
    })
    if (Option.isSome(given.module)) {
      const { payloadSchema } = yield* Application.signal(given.module.value, given.name)
      const read = Value.codec(payloadSchema).decode(JSON.stringify(payload), `The payload of the signal ${given.name}`)
      if (Result.isFailure(read)) {
        const { where, why } = read.failure
        return yield* stop("usage", `${where} does not fit: ${why}. Nothing was sent.`)
      }
    }
    const run = yield* Naming.openRun(given.run)
    const { by } = Acting.whoOf({ by: given.by, why: Option.none() })
    yield* Acting.confirm(`Send the signal ${given.name} to the run ${Naming.inWords(run)}?`, given.yes)
    yield* Runs.signal(run.runId, of, payload, { by, ...(Option.isSome(given.id) ? { id: given.id.value } : {}) })
    yield* Print.either({ runId: run.runId, said: "signal", name: given.name, payload, by }, () => [
      `The signal ${given.name} is on its way. Sent by ${by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Send a signal to a run"),
  Command.withDescription(
    "Send a signal to a run, before or after it waits for it. Without --module the payload is sent as it is: a run whose wait cannot read it is stuck."
  ),
  Command.withExamples([
    {
      command: `makegood signal BookTrip/trip-17 payment-settled '{"cents":1200}' --id evt_1`,
      description: "As a webhook would"
    }
  ])
)
