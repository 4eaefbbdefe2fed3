/**
 * One Postgres for a whole test run: the one at DATABASE_URL, or an embedded one in a temporary folder.
 *
 * Its URL travels to the test processes in MAKEGOOD_TEST_DATABASE_URL; see `Database.ts` for what tests do with it.
 */
import { Effect, Exit, Redacted, Scope } from "effect"
import * as Database from "./Database.ts"

export default async function setup(): Promise<() => Promise<void>> {
  const given = process.env["DATABASE_URL"]
  if (given !== undefined && given !== "") {
    process.env[Database.variable] = given
    return async () => {}
  }
  const scope = Scope.makeUnsafe()
  const server = await Effect.runPromise(
    Scope.provide(Database.server({ settings: { max_connections: "200" } }), scope)
  )
  process.env[Database.variable] = Redacted.value(server.url)
  return () => Effect.runPromise(Scope.close(scope, Exit.void))
}
