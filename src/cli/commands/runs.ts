/** `makegood runs`: look at runs, and tell them what a person decided. */
import { Clock, Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { isEnd, Outbox } from "../../outbox/Outbox.ts"
import * as RunState from "../../outbox/RunState.ts"
import * as Runs from "../../saga/Runs.ts"
import * as Acting from "../internal/acting.ts"
import * as Database from "../internal/database.ts"
import { stop } from "../internal/exits.ts"
import * as Naming from "../internal/naming.ts"
import * as Print from "../internal/print.ts"
import { callsOf, remedies } from "../internal/remedies.ts"
import { Json, paint, width } from "../internal/settings.ts"
import { eventLine, heading, timeline } from "../internal/timeline.ts"
import { count, shortId, span } from "../internal/words.ts"
import { resolve, skip } from "./calls.ts"

const states = ["pending", "running", "waiting", "stuck", "completed", "rolled_back", "partly_rolled_back"] as const

/** `runs list`: runs, newest first. */
export const list = Command.make(
  "list",
  {
    saga: Flag.String("saga").pipe(Flag.withDescription("Runs of this saga"), Flag.optional),
    state: Flag.Literals("state", states).pipe(Flag.withDescription("Runs in this state"), Flag.optional),
    attributes: Flag.KeyValuePair("attribute").pipe(
      Flag.withDescription("Runs with this attribute, name=value; may be given more than once"),
      Flag.withDefault({} as Record<string, string>)
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("At most so many; 0: all. Default: 20"),
      Flag.filter(
        (limit) => limit >= 0,
        (limit) => `${limit} is less than 0`
      ),
      Flag.withDefault(20)
    )
  },
  Effect.fnUntraced(function* ({ attributes, limit, saga, state }) {
    const filter: Runs.Filter = {
      attributes,
      ...(Option.isSome(saga) ? { saga: saga.value } : {}),
      ...(Option.isSome(state) ? { state: state.value } : {})
    }
    const most = limit === 0 ? Number.MAX_SAFE_INTEGER : limit
    const found = yield* Runs.list(filter).pipe(Stream.take(most), Stream.runCollect)
    const now = yield* Clock.currentTimeMillis
    yield* Print.rows(
      found,
      [
        { name: "run" },
        { name: "saga", least: 12 },
        { name: "key", least: 10 },
        { name: "state" },
        { name: "age", right: true }
      ],
      {
        json: Print.runJson,
        cells: (run) => [
          shortId(run.runId),
          run.version === 1 ? run.saga : `${run.saga}@${run.version}`,
          run.key,
          run.state.replaceAll("_", " ") + (run.phase === "forward" || isEnd(run.state) ? "" : ", going back"),
          span(now - run.createdAt)
        ],
        nothing: "There are no such runs."
      }
    )
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("List runs, newest first."),
  Command.withExamples([
    { command: "makegood runs list --state stuck", description: "Those that wait for a person" },
    { command: "makegood runs list --attribute customer=c-1 --limit 0", description: "All of a customer" },
    { command: "makegood runs list --json | jq -r .runId", description: "Their ids, for a script" }
  ])
)

/** Whether a person holds the run, or has said so and it has still to hear of it. */
const isHeld = Effect.fnUntraced(function* (runId: string, entries: ReadonlyArray<Runs.Stored>) {
  const state = RunState.make()
  for (const entry of entries) state.add(entry)
  const inbox = yield* (yield* Outbox).inboxOf(runId)
  const last = inbox.findLast(({ told: { message } }) => message === "hold" || message === "release")
  return last === undefined ? state.held !== undefined : last.told.message === "hold"
})

/** `runs show`: a run drawn over time. */
export const show = Command.make(
  "show",
  { run: Naming.argument },
  Effect.fnUntraced(function* ({ run: name }) {
    const { runId } = yield* Naming.find(name)
    const run = yield* Runs.get(runId)
    const entries = yield* Runs.history(runId)
    const held = isEnd(run.state) ? false : yield* isHeld(runId, entries)
    const now = Math.max(yield* Clock.currentTimeMillis, run.changedAt)
    yield* Print.either({ ...Print.runJson(run), entries }, () => {
      const options = { width: width(), now, paint: paint() }
      const drawn = timeline(run.createdAt, entries, options)
      return [
        ...heading(run, { ...options, isHeld: held }),
        ...(drawn.length === 0 ? [] : ["", ...drawn]),
        ...(run.standing.length === 0
          ? []
          : ["", `${count(run.standing.length, "call")} stand:`, ...run.standing.map(({ path }) => `  ${path}`)]),
        ...(run.stuck === undefined ? [] : ["", ...remedies(runId, run.stuck, callsOf(run))])
      ]
    })
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Show a run, drawn over time"),
  Command.withDescription("Show a run: where it stands, and its calls, attempts, waits and compensations over time."),
  Command.withExamples([
    { command: "makegood runs show 3f2c81aa", description: "By the first digits of its id" },
    { command: "makegood runs show BookTrip/trip-17", description: "By its saga and key" },
    { command: "makegood runs show BookTrip/trip-17 --json", description: "All that is recorded of it" }
  ])
)

/** `runs watch`: what happens to a run, as it happens. */
export const watch = Command.make(
  "watch",
  { run: Naming.argument },
  Effect.fnUntraced(function* ({ run: name }) {
    const { createdAt, runId } = yield* Naming.find(name)
    const json = yield* Json
    const calls = new Set<string>()
    yield* Runs.watch(runId).pipe(
      Stream.runForEach((stored) => {
        if (json) return Print.lines([JSON.stringify(stored)])
        const { entry } = stored
        if (entry._tag === "intended") calls.add(entry.path)
        const told = entry._tag === "stuck" ? remedies(runId, entry, calls) : []
        return Print.lines([eventLine(stored, createdAt, width()), ...told.map((line) => `${" ".repeat(11)}${line}`)])
      })
    )
    const run = yield* Runs.get(runId)
    if (run.state !== "completed") {
      return yield* stop("notWell", `The run ${Naming.inWords(run)} ended: ${run.state.replaceAll("_", " ")}.`)
    }
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Watch a run until it ends"),
  Command.withDescription(
    "Watch a run until it ends. Exit code 0: it completed; 7: it was rolled back, wholly or partly."
  ),
  Command.withExamples([
    { command: "makegood runs watch BookTrip/trip-17", description: "Follow it" },
    { command: "makegood runs watch 3f2c81aa --json", description: "Its entries, one a line, as they are written" }
  ])
)

/** The run that a name means, where it is held. */
const heldRun = Effect.fnUntraced(function* (name: string) {
  const run = yield* Naming.openRun(name)
  if (!(yield* isHeld(run.runId, yield* Runs.history(run.runId)))) {
    return yield* stop("refused", `The run ${Naming.inWords(run)} is not held. Nothing was done.`)
  }
  return run
})

/** An act on a run that needs nothing but to be said. */
const act = (
  name: string,
  options: {
    readonly description: string
    readonly example: string
    readonly asks: (run: string) => string
    readonly done: string
    /** The run that is meant, if it can be told that. */
    readonly finds?: typeof Naming.openRun | typeof heldRun
    readonly does: (runId: string, who: Runs.Who) => Effect.Effect<void, Runs.RunsError, Runs.Runs | Outbox>
  }
) =>
  Command.make(
    name,
    { run: Naming.argument, ...Acting.flags },
    Effect.fnUntraced(function* (given) {
      const run = yield* (options.finds ?? Naming.openRun)(given.run)
      const who = Acting.whoOf(given)
      yield* Acting.confirm(options.asks(Naming.inWords(run)), given.yes)
      yield* options.does(run.runId, who)
      yield* Print.either({ runId: run.runId, said: name, ...who }, () => [`${options.done} Said by ${who.by}.`])
    }, Effect.provide(Database.runs))
  ).pipe(
    Command.withDescription(options.description),
    Command.withExamples([{ command: `makegood runs ${name} ${options.example}`, description: "And say why" }])
  )

/** `runs preview`: what taking a run back would do. */
export const preview = Command.make(
  "preview",
  { run: Naming.argument },
  Effect.fnUntraced(function* ({ run: name }) {
    const { runId } = yield* Naming.find(name)
    yield* Print.rows(
      yield* Runs.preview(runId),
      [{ name: "path", least: 16 }, { name: "tool", least: 10 }, { name: "act" }, { name: "fate" }],
      {
        json: (call) => call,
        cells: ({ act, fate, path, tool }) => [path, tool, act, fate.replaceAll("_", " ")],
        nothing: "It has done nothing that could be taken back."
      }
    )
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Say what taking a run back would do now, call by call. Nothing is done."),
  Command.withExamples([{ command: "makegood runs preview 3f2c81aa", description: "Before runs cancel" }])
)

/** `runs retry`: tries a taking-back again. */
export const retry = Command.make(
  "retry",
  {
    run: Naming.argument,
    path: Argument.String("path").pipe(
      Argument.withDescription("The call; refused where the run is stuck at another by now"),
      Argument.optional
    ),
    ...Acting.flags
  },
  Effect.fnUntraced(function* (given) {
    const run = yield* Naming.stuckRun(given.run)
    const who = Acting.whoOf(given)
    yield* Acting.confirm(`Have the run ${Naming.inWords(run)} try again what could not be taken back?`, given.yes)
    yield* Option.isSome(given.path) ? Runs.retry(run.runId, given.path.value, who) : Runs.retry(run.runId, who)
    yield* Print.either({ runId: run.runId, said: "retry", ...who }, () => [
      `It is told to try again. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Have a run that is stuck at a call that could not be taken back try that again."),
  Command.withExamples([
    { command: "makegood runs retry 3f2c81aa --why 'the hotel is open again'", description: "And say why" }
  ])
)

/** `runs grant`: raises a limit. */
export const grant = Command.make(
  "grant",
  {
    run: Naming.argument,
    to: Flag.Finite("to").pipe(
      Flag.withMetavar("<limit>"),
      Flag.withDescription("Up to where. Default: what the run proposes"),
      Flag.optional
    ),
    ...Acting.flags
  },
  Effect.fnUntraced(function* (given) {
    const run = yield* Naming.stuckRun(given.run)
    const who = Acting.whoOf(given)
    const to = Option.isSome(given.to) ? { to: given.to.value } : {}
    yield* Acting.confirm(`Grant the run ${Naming.inWords(run)} more than its budget?`, given.yes)
    yield* Runs.grant(run.runId, { ...who, ...to })
    yield* Print.either({ runId: run.runId, said: "grant", ...to, ...who }, () => [
      `It is granted more. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Grant a run more of what it is over its budget for, and have it go on."),
  Command.withExamples([
    {
      command: "makegood runs grant 3f2c81aa --to 600 --why 'the customer agreed'",
      description: "Up to where, and why"
    }
  ])
)

/** `runs undo`: takes back a run that completed. */
export const undo = Command.make(
  "undo",
  { run: Naming.argument, ...Acting.flags },
  Effect.fnUntraced(function* (given) {
    const run = yield* Naming.find(given.run)
    const who = Acting.whoOf(given)
    yield* Acting.confirm(`Take back the completed run ${Naming.inWords(run)}, by a new run?`, given.yes)
    const undoing = yield* Runs.undo(run.runId, who)
    yield* Print.either({ runId: run.runId, said: "undo", undoing: undoing.runId, ...who }, () => [
      `The run ${undoing.runId} takes it back. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Take back a run that completed, by a new run. The completed one stays as it is."),
  Command.withExamples([
    { command: "makegood runs undo BookTrip/trip-17 --why 'customer withdrew'", description: "And say why" }
  ])
)

/** The acts on a run. */
export const acts = [
  act("cancel", {
    description: "Take a run back. Calls in flight are awaited; everything that was done and can be taken back is.",
    example: "3f2c81aa --why 'ordered twice'",
    asks: (run) => `Take back the run ${run}?`,
    done: "It is told to go back.",
    does: Runs.cancel
  }),
  act("resume", {
    description: "Have a stuck run go on, at the very place where it is stuck.",
    example: "3f2c81aa --why 'quota raised'",
    asks: (run) => `Have the run ${run} go on?`,
    done: "It is told to go on.",
    finds: Naming.stuckRun,
    does: Runs.resume
  }),
  act("hold", {
    description: "Hold a run: it starts nothing more until it is released. Its deadline goes on.",
    example: "3f2c81aa --why 'asking the customer'",
    asks: (run) => `Hold the run ${run}?`,
    done: "It is told to hold.",
    does: Runs.hold
  }),
  act("release", {
    description: "Let a held run go on.",
    example: "3f2c81aa",
    asks: (run) => `Let the run ${run} go on?`,
    done: "It is told to go on.",
    finds: heldRun,
    does: Runs.release
  })
] as const

/** `makegood runs`. */
export const command = Command.make("runs").pipe(
  Command.withDescription("Look at runs, and tell them what a person decided."),
  Command.withSubcommands([list, show, watch, preview, ...acts, grant, undo, retry, resolve, skip])
)
