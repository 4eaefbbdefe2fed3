/** One autocommitted insert a step, by the bare client. */
import { PgClient } from "@effect/sql-pg"
import { Effect, ManagedRuntime, Redacted } from "effect"
import * as Floor from "../../Floor.ts"
import type { Engine } from "../Peer.ts"

export const open: Engine["open"] = async ({ url }) => {
  const runtime = ManagedRuntime.make(PgClient.layer({ url: Redacted.make(url), maxConnections: 10 }))
  await runtime.runPromise(Floor.create)
  return {
    saga: () => runtime.runPromise(Floor.work),
    queues: false,
    close: () => Effect.runPromise(runtime.disposeEffect)
  }
}
