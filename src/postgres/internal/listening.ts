/**
 * Listens for hints on a connection of its own, which is opened again whenever it is lost.
 *
 * Every time it is opened, listeners are told `ready`: what was said meanwhile is lost.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { Effect, Queue, Schedule } from "effect"
import type { Scope } from "effect"
import type { Hint } from "../../outbox/Outbox.ts"
import type { Connections } from "./connections.ts"
import { inRealTime } from "./connections.ts"
import { channel, parse } from "./hints.ts"

export type Listen = (listener: (hint: Hint) => void) => Effect.Effect<void, never, Scope.Scope>

const backoff = Schedule.min([Schedule.exponential("100 millis"), Schedule.spaced("5 seconds")])

/** Opens no connection before the first listener comes. The connection closes with the scope. */
export const make = Effect.fnUntraced(function* (
  connections: Connections,
  options: { readonly pooler: boolean }
): Effect.fn.Return<Listen, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const listeners = new Set<{ readonly tell: (hint: Hint) => void }>()
  let listening = false

  const tell = (hint: Hint) => {
    for (const listener of listeners) listener.tell(hint)
  }

  const once = Effect.gen(function* () {
    const connection = yield* PgConnection.make({ ...connections.config, applicationName: "makegood listen" })
    const notifications = yield* connection.listen(channel)
    tell({ _tag: "ready" })
    return yield* Effect.forever(Effect.map(Queue.take(notifications), ({ payload }) => parse(payload).forEach(tell)))
  }).pipe(Effect.scoped)

  // Only after a connection that listened does the next failure wait short again, since `retry` starts anew with it.
  const forever = Effect.forever(Effect.ignore(Effect.retry(once, backoff)))

  return (listener) =>
    Effect.gen(function* () {
      const entry = { tell: listener }
      yield* Effect.acquireRelease(
        Effect.sync(() => listeners.add(entry)),
        () => Effect.sync(() => listeners.delete(entry))
      )
      // A pooler hands the connection to others, and with it what is heard.
      if (listening || options.pooler) return
      listening = true
      yield* Effect.forkIn(inRealTime(forever), scope)
    })
})
