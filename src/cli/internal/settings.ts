/** What every command is told: which database, and how to print. */
import { Config, Effect, Option } from "effect"
import type { Redacted } from "effect"
import { Flag, GlobalFlag } from "effect/cli"
import { coloured, plain } from "./table.ts"
import type { Paint } from "./table.ts"

/** Where the outbox is. */
export const DatabaseUrl = GlobalFlag.Setting("database-url")({
  flag: Flag.Redacted("database-url").pipe(
    Flag.withMetavar("<url>"),
    Flag.withDescription("The Postgres of the outbox; default: the environment's DATABASE_URL"),
    Flag.optional
  )
})

/** Whether to print for programs. */
export const Json = GlobalFlag.Setting("json")({
  flag: Flag.Boolean("json").pipe(
    Flag.withDescription("Print JSON, one value a line, for scripts"),
    Flag.withDefault(false)
  )
})

/** The URL of the database, from the flag or the environment. */
export const databaseUrl: Effect.Effect<
  Option.Option<Redacted.Redacted<string>>,
  Config.ConfigError,
  GlobalFlag.Setting.Identifier<"database-url">
> = Effect.gen(function* () {
  const given = yield* DatabaseUrl
  return Option.isSome(given) ? given : yield* Config.option(Config.Redacted("DATABASE_URL"))
})

/** How many columns there are to print in. */
export const width = (): number => Math.max(40, process.stdout.isTTY ? (process.stdout.columns ?? 80) : 80)

/** Colours, where somebody sees them and has not said otherwise. */
export const paint = (): Paint => {
  const { FORCE_COLOR, NO_COLOR } = process.env
  const isWanted = FORCE_COLOR === undefined ? process.stdout.isTTY && (NO_COLOR ?? "") === "" : FORCE_COLOR !== "0"
  return isWanted ? coloured : plain
}
