/** A worker beside the caller, with all defaults. */
import { Effect, ManagedRuntime, Redacted } from "effect"
import * as Flow from "../../Flow.ts"
import * as Stand from "../../Stand.ts"
import type { Engine } from "../Peer.ts"

export const open: Engine["open"] = async (place) => {
  const url = Redacted.make(place.url)
  await Effect.runPromise(Stand.tables(url))
  const runtime = ManagedRuntime.make(Stand.layer(url, 10))
  return { saga: () => runtime.runPromise(Flow.forward), queues: false, close: () => runtime.dispose() }
}
