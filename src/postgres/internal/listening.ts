/**
 * Listens for hints on a connection of its own, which is opened again whenever it is lost.
 *
 * Every time it is opened, listeners are told `ready`: what was said meanwhile is lost.
 */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import { Effect, Queue } from "effect"
import type { Scope } from "effect"
import type { Hint } from "../../outbox/Outbox.ts"
import type { Connections } from "./connections.ts"
import { inRealTime } from "./connections.ts"
import { channel } from "../queries/notify.ts"
import { parse } from "./hints.ts"

export type Listen = (listener: (hint: Hint) => void) => Effect.Effect<void, never, Scope.Scope>

// How long after a lost connection the next one is tried: at first, doubled each time, and at most.
const minMillis = 100
const maxMillis = 5_000

/** Opens no connection before the first listener comes. The connection closes with the scope. */
export const make = Effect.fnUntraced(function* (
  connections: Connections,
  options: { readonly pooler: boolean }
): Effect.fn.Return<Listen, never, Scope.Scope> {
  const scope = yield* Effect.scope
  const listeners = new Set<{ readonly tell: (hint: Hint) => void }>()
  let listening = false
  let nextMillis = minMillis

  const tell = (hint: Hint) => {
    for (const listener of listeners) listener.tell(hint)
  }

  const once = Effect.gen(function* () {
    const connection = yield* PgConnection.make({ ...connections.config, applicationName: "makegood listen" })
    const notifications = yield* connection.listen(channel)
    nextMillis = minMillis
    tell({ _tag: "ready" })
    return yield* Effect.forever(Effect.map(Queue.take(notifications), ({ payload }) => parse(payload).forEach(tell)))
  }).pipe(Effect.scoped)

  const forever = Effect.forever(
    Effect.andThen(
      Effect.ignore(once),
      Effect.suspend(() => {
        const delayMillis = nextMillis
        nextMillis = Math.min(nextMillis * 2, maxMillis)
        return Effect.sleep(delayMillis)
      })
    )
  )

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
