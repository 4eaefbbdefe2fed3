/** The database of a command: its client, its outbox, and the runs in it. */
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Option, Redacted } from "effect"
import type { Duration } from "effect"
import { Postgres } from "../../postgres/index.ts"
import * as Runs from "../../saga/Runs.ts"
import { stop } from "./exits.ts"
import { databaseUrl } from "./settings.ts"

const patience: Duration.Input = "10 seconds"

const checked = Effect.gen(function* () {
  const found = Option.getOrUndefined(yield* databaseUrl)
  if (found === undefined) {
    return yield* stop("usage", "No database was named. Nothing was done. Set DATABASE_URL or give --database-url.")
  }
  const text = Redacted.value(found)
  if (!URL.canParse(text) || !/^postgres(?:ql)?:$/.test(new URL(text).protocol)) {
    return yield* stop(
      "usage",
      "The URL of the database is not one of Postgres. Nothing was done. It has to look like postgres://user@host:5432/name."
    )
  }
  return found
})

/** Which database it is, without the password. */
export const place = Effect.map(checked, (url) => {
  const { host, pathname, username } = new URL(Redacted.value(url))
  return `${username === "" ? "" : `${decodeURIComponent(username)}@`}${host}${pathname}`
})

/** A client. Fails after ten seconds where the database does not answer. */
export const client = (maxConnections = 2) =>
  Layer.unwrap(
    Effect.map(checked, (url) => {
      const made = PgClient.layer({ url, maxConnections, applicationName: "makegood cli", connectTimeout: patience })
      return Layer.provideMerge(
        // What can be asked for at once can be seen to be away at once.
        Layer.effectDiscard(
          Effect.flatMap(PgClient.PgClient, (sql) => sql`select 1`).pipe(
            Effect.timeoutOrElse({
              duration: patience,
              orElse: () =>
                Effect.fail(
                  stop(
                    "database",
                    "The database did not answer within 10 seconds. Nothing was done. Check DATABASE_URL."
                  )
                )
            })
          )
        ),
        made
      )
    })
  )

/** The outbox and its client. */
export const outbox = (options?: Postgres.Options) => Postgres.layer(options).pipe(Layer.provideMerge(client()))

/** The outbox, its client, and the runs in it. */
export const runs = Runs.layer.pipe(Layer.provideMerge(outbox()))
