/** `makegood tools`: stop a tool for all runs, and let it go again. */
import { Clock, Effect } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Tools from "../../saga/Tools.ts"
import * as Acting from "../internal/acting.ts"
import * as Database from "../internal/database.ts"
import { stop } from "../internal/exits.ts"
import * as Print from "../internal/print.ts"
import { clean, span } from "../internal/words.ts"

/** `tools list`: which are paused, and by whom. */
export const list = Command.make(
  "list",
  {},
  Effect.fnUntraced(function* () {
    const now = yield* Clock.currentTimeMillis
    yield* Print.rows(
      yield* Tools.paused,
      [
        { name: "tool", least: 10 },
        { name: "waiting" },
        { name: "for", right: true },
        { name: "by", least: 6 },
        { name: "why", least: 12 }
      ],
      {
        json: (pause) => pause,
        cells: ({ by, compensations, since, tool, why }) => [
          tool,
          compensations ? "calls, takings-back" : "calls",
          span(now - since),
          by,
          why ?? ""
        ],
        nothing: "No tool is paused."
      }
    )
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("List the tools that are paused, who paused them and why."),
  Command.withExamples([{ command: "makegood tools list", description: "What is stopped" }])
)

const tool = Argument.String("tool").pipe(Argument.withDescription("The name of the tool, as its definition has it"))

/** `tools pause`: stops a tool for all runs. */
export const pause = Command.make(
  "pause",
  {
    tool,
    compensations: Flag.Boolean("compensations").pipe(
      Flag.withDescription("Taking its calls back waits as well"),
      Flag.withDefault(false)
    ),
    ...Acting.flags
  },
  Effect.fnUntraced(function* ({ compensations, tool, ...given }) {
    const who = Acting.whoOf(given)
    yield* Acting.confirm(
      `Stop the tool ${clean(tool)} for all runs${compensations ? ", and the taking-back of its calls" : ""}?`,
      given.yes
    )
    if (!(yield* Tools.pause(tool, who, { compensations }))) {
      return yield* stop(
        "refused",
        `The tool ${clean(tool)} is paused already. Nothing was done. Look with \`makegood tools list\`.`
      )
    }
    yield* Print.either({ tool, said: "pause", compensations, ...who }, () => [
      `The tool ${clean(tool)} is paused, until \`makegood tools unpause\`. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Stop a tool for all runs"),
  Command.withDescription(
    "Stop a tool for all runs at their next call of it, on every worker. They wait, and go on once it is let go. Nobody checks that there is such a tool."
  ),
  Command.withExamples([
    { command: "makegood tools pause ChargeCard --why 'the bank is down'", description: "And say why" }
  ])
)

/** `tools unpause`: lets a tool go. */
export const unpause = Command.make(
  "unpause",
  { tool, ...Acting.flags },
  Effect.fnUntraced(function* ({ tool, ...given }) {
    const who = Acting.whoOf(given)
    yield* Acting.confirm(`Let the tool ${clean(tool)} go?`, given.yes)
    if (!(yield* Tools.unpause(tool, who))) {
      return yield* stop(
        "refused",
        `The tool ${clean(tool)} is not paused. Nothing was done. Look with \`makegood tools list\`.`
      )
    }
    yield* Print.either({ tool, said: "unpause", ...who }, () => [
      `The tool ${clean(tool)} is let go, and runs that wait for it go on. Said by ${who.by}.`
    ])
  }, Effect.provide(Database.runs))
).pipe(
  Command.withDescription("Let a paused tool go. Runs that wait for it go on."),
  Command.withExamples([{ command: "makegood tools unpause ChargeCard", description: "The bank is back" }])
)

/** `makegood tools`. */
export const command = Command.make("tools").pipe(
  Command.withDescription("Stop a tool for all runs, and let it go again."),
  Command.withSubcommands([list, pause, unpause])
)
