/**
 * The command `makegood`: what people and scripts do with runs, from a terminal.
 *
 * A further act on a run is an item of `acts` in `commands/runs.ts`; a further command is one more below. Nothing is named
 * in the help that is not there.
 */
import { Console, Effect } from "effect"
import type { Cause } from "effect"
import { Command } from "effect/cli"
import * as Approvals from "./commands/approvals.ts"
import { calls, resolve, signal, skip, stuck } from "./commands/calls.ts"
import { doctor, exportRun, gc, importRuns, migrate } from "./commands/database.ts"
import * as RunsCommand from "./commands/runs.ts"
import * as ToolsCommand from "./commands/tools.ts"
import { demo, dev, worker } from "./commands/worker.ts"
import { codes, ending } from "./internal/exits.ts"
import * as Help from "./internal/help.ts"
import { DatabaseUrl, Json } from "./internal/settings.ts"

/** The command with all that is below it. */
export const command = Command.make("makegood").pipe(
  Command.withDescription(
    "makegood: every side effect either happens or is made good. Look at runs, decide for those that wait, and keep their database."
  ),
  Command.withSubcommands([
    { group: "Runs", commands: [RunsCommand.command, calls, stuck] },
    { group: "Decide", commands: [Approvals.command, resolve, skip, signal, ToolsCommand.command] },
    { group: "Run", commands: [worker, dev, demo] },
    { group: "Database", commands: [migrate, doctor, gc, exportRun, importRuns] }
  ]),
  Command.withGlobalFlags([DatabaseUrl, Json]),
  Command.withExamples([
    { command: "makegood dev ./src/app.ts", description: "Begin, with a database of its own" },
    { command: "makegood runs list --state stuck", description: "What waits for a person" },
    { command: "makegood runs show BookTrip/trip-17", description: "What happened to one run" }
  ])
)

/**
 * Runs the command with these arguments, says what went wrong on standard error, and gives the exit code.
 *
 * 0 done; 1 not foreseen; 2 wrong usage; 3 the database cannot be used; 4 no such run; 5 refused; 6 not confirmed;
 * 7 looked, and it is not well; 130 interrupted.
 */
export const run = (args: ReadonlyArray<string>, options: { readonly version: string }) =>
  Command.runWith(command, { version: options.version })(args).pipe(
    Effect.as(codes.done as number),
    Effect.provide(Help.layer({ isJson: args.includes("--json") })),
    Effect.catchCause((cause: Cause.Cause<unknown>) => {
      const { code, name, sentence } = ending(cause)
      if (sentence === undefined) return Effect.succeed(code)
      const isJson = args.includes("--json")
      return Effect.as(
        Console.error(isJson ? JSON.stringify({ error: name, message: sentence, code }) : sentence),
        code
      )
    })
  )
