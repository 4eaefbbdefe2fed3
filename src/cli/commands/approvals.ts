/** `makegood approvals`: what runs ask people for, and what they decide. */
import { Clock, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Runs from "../../saga/Runs.ts"
import * as Approval from "../../wait/Approval.ts"
import * as Acting from "../internal/acting.ts"
import * as Database from "../internal/database.ts"
import { stop } from "../internal/exits.ts"
import * as Naming from "../internal/naming.ts"
import * as Print from "../internal/print.ts"
import { Json, width } from "../internal/settings.ts"
import { wrap } from "../internal/table.ts"
import { clean, instant, shortId, span, toDuration } from "../internal/words.ts"
import { toJson } from "./calls.ts"

/** `approvals list`: what is asked for, oldest first. */
export const list = Command.make(
  "list",
  {
    to: Flag.String("to").pipe(Flag.withDescription("What this group is asked"), Flag.optional),
    run: Flag.String("run").pipe(Flag.withDescription("What this run asks"), Flag.optional)
  },
  Effect.fnUntraced(function* ({ run, to }) {
    const of = Option.isSome(run) ? yield* Naming.find(run.value) : undefined
    const found = yield* Runs.approvals({
      ...(of === undefined ? {} : { runId: of.runId }),
      ...(Option.isSome(to) ? { to: to.value } : {})
    }).pipe(Stream.runCollect)
    const now = yield* Clock.currentTimeMillis
    yield* Print.rows(
      found,
      [
        { name: "run" },
        { name: "path", least: 12 },
        { name: "of", least: 8 },
        { name: "for", right: true },
        { name: "digest" },
        { name: "shown", least: 14 }
      ],
      {
        json: (request) => request,
        cells: ({ askedAt, digest, path, runId, shown, to }) => [
          shortId(runId),
          path,
          to ?? "anybody",
          span(now - askedAt),
          digest.slice(0, 8),
          JSON.stringify(shown)
        ],
        nothing: "Nothing is asked for."
      }
    )
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("List what runs ask people for, oldest first."),
  Command.withExamples([
    { command: "makegood approvals list --to managers", description: "What the managers are asked" }
  ])
)

const flags = {
  run: Naming.argument,
  path: Argument.String("path").pipe(Argument.withDescription("Where in the run it is asked")),
  digest: Flag.String("digest").pipe(
    Flag.withDescription("Of what was seen, at least 8 digits, from approvals list; needed with --yes"),
    Flag.optional
  ),
  by: Acting.flags.by,
  yes: Acting.yes
}

/** The request that is meant, as it stands now: shown to whoever is asked, or known by the digest that was seen. */
const seen = Effect.fnUntraced(function* (given: {
  readonly run: string
  readonly path: string
  readonly digest: Option.Option<string>
  readonly yes: boolean
}) {
  const { runId, ...run } = yield* Naming.openRun(given.run)
  const [request] = (yield* Stream.runCollect(Runs.approvals({ runId }))).filter(({ path }) => path === given.path)
  const where = `${clean(given.path)} of ${Naming.inWords({ runId, ...run })}`
  if (request === undefined) {
    return yield* stop(
      "missing",
      `Nothing is asked for at ${where}. Nothing was decided. Look with \`makegood approvals list\`.`
    )
  }
  if (Option.isSome(given.digest)) {
    if (given.digest.value.length < 8 || !request.digest.startsWith(given.digest.value)) {
      return yield* stop(
        "refused",
        `What is asked for at ${where} is not what was seen. Nothing was decided. Look again.`
      )
    }
  } else if (given.yes || (yield* Json)) {
    return yield* stop(
      "usage",
      "Nobody is shown what is decided. Nothing was decided. Give its --digest, from `makegood approvals list`."
    )
  } else {
    const until = request.until === undefined ? "" : `, until ${instant(request.until)} UTC`
    yield* Print.lines(
      wrap(`${where} asks ${request.to ?? "anybody"}${until}: ${clean(JSON.stringify(request.shown))}`, width()).split(
        "\n"
      )
    )
  }
  return { request, where }
})

/** `approvals approve`: says yes to what is asked for. */
export const approve = Command.make(
  "approve",
  {
    ...flags,
    why: Acting.flags.why,
    parameters: Flag.String("parameters").pipe(
      Flag.withMetavar("<json>"),
      Flag.withDescription("To be sent in place of those shown, where the tool allows it"),
      Flag.optional
    ),
    decision: Flag.String("decision").pipe(
      Flag.withMetavar("<json>"),
      Flag.withDescription("What else is decided, such as an amount"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* (given) {
    const { decision, parameters } = given
    const more = {
      ...(Option.isSome(parameters) ? { parameters: yield* toJson("The parameters", parameters.value) } : {}),
      ...(Option.isSome(decision) ? { decision: yield* toJson("The decision", decision.value) } : {})
    }
    const { request, where } = yield* seen(given)
    const { by, why } = Acting.whoOf(given)
    yield* Acting.confirm(`Approve ${where}?`, given.yes)
    const { digest, path, runId } = request
    const said = { digest, ...(why === undefined ? {} : { why }), ...more }
    yield* Runs.approve(runId, path, said, Approval.person(by))
    yield* Print.either({ runId, path, said: "approve", by, ...said }, () => [`Approved by ${by}.`])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Approve what a run asks for, exactly as it is shown."),
  Command.withExamples([
    { command: "makegood approvals approve 3f2c81aa Refund", description: "Shows it, and asks" },
    {
      command: "makegood approvals approve 3f2c81aa Refund --digest 9b1d03aa --yes",
      description: "What was seen before"
    }
  ])
)

/** `approvals reject`: says no to what is asked for, and why. */
export const reject = Command.make(
  "reject",
  {
    ...flags,
    why: Flag.String("why").pipe(Flag.withMetavar("<reason>"), Flag.withDescription("Why; told to the run"))
  },
  Effect.fnUntraced(function* (given) {
    const { request, where } = yield* seen(given)
    const { by } = Acting.whoOf({ by: given.by, why: Option.none() })
    yield* Acting.confirm(`Reject ${where}?`, given.yes)
    const { digest, path, runId } = request
    yield* Runs.reject(runId, path, { digest, why: given.why }, Approval.person(by))
    yield* Print.either({ runId, path, said: "reject", by, why: given.why }, () => [`Rejected by ${by}.`])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Reject what a run asks for, and say why."),
  Command.withExamples([
    { command: "makegood approvals reject 3f2c81aa Refund --why 'the goods were used'", description: "The run is told" }
  ])
)

/** `approvals link`: makes a token with which somebody can decide once. */
export const link = Command.make(
  "link",
  {
    run: flags.run,
    path: flags.path,
    digest: flags.digest,
    yes: flags.yes,
    for: Flag.String("for").pipe(
      Flag.withMetavar("<name>"),
      Flag.withDescription("As whom its holder decides; recorded with the decision")
    ),
    group: Flag.String("group").pipe(
      Flag.withDescription("In whose name; can be given more than once. Default: whichever is asked"),
      Flag.between(0, 100)
    ),
    expires: Flag.String("expires").pipe(
      Flag.withMetavar("<time>"),
      Flag.withDescription("How long it can be used. Default: 7d, and never longer than it is asked"),
      Flag.filterMap(toDuration, (text) => `${text} is no length of time; write 12h or 7d`),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* (given) {
    const { request, where } = yield* seen(given)
    yield* Acting.confirm(`Let whoever has the link decide ${where} as ${clean(given.for)}?`, given.yes)
    const { digest, path, runId } = request
    const who = Approval.person(given.for, given.group.length === 0 ? {} : { groups: given.group })
    const token = yield* Runs.decisionLink(runId, path, {
      digest,
      who,
      ...(Option.isSome(given.expires) ? { expires: given.expires.value } : {})
    })
    yield* Print.either({ runId, path, for: given.for, token }, () => [token])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Make a token to decide by once"),
  Command.withDescription(
    "Print a token with which whoever has it decides once, as the person named: for a link of your application, which hands it to Runs.decide. It is shown here and kept nowhere, only its hash."
  ),
  Command.withExamples([
    {
      command: "makegood approvals link 3f2c81aa Refund --for ann --expires 2d",
      description: "To be sent to ann, and nobody else"
    }
  ])
)

/** `makegood approvals`. */
export const command = Command.make("approvals").pipe(
  Command.withDescription("Look at what runs ask people for, and decide."),
  Command.withSubcommands([list, approve, reject, link])
)
