/**
 * The caller's own transaction (G17). A statement in it runs on the caller's connection and fiber, and never travels
 * with those of others.
 */
import type { PgClient } from "@effect/sql-pg"
import { Context, Effect } from "effect"
import { ForeignTransaction, OutboxError } from "../../outbox/OutboxError.ts"
import type { Statement } from "./connections.ts"
import { inRealTime } from "./connections.ts"
import * as Failure from "./failure.ts"

// What effect/sql keeps for itself; it tells that a transaction of some client is open.
const CurrentTransaction = Context.Reference<object | undefined>("effect/sql/CurrentTransactionService", {
  defaultValue: () => undefined
})

/** Whether the fiber is in a transaction of `client`. */
export const inTransaction = (client: PgClient.PgClient): Effect.Effect<boolean> =>
  Effect.withFiber((fiber) => Effect.succeed(isIn(client, fiber.context)))

const isIn = (client: PgClient.PgClient, context: Context.Context<never>): boolean =>
  Context.getOption(context, client.transactionService)._tag === "Some"

/** `joined` in a transaction of `client`, `alone` in none, and a refusal in one of another client. */
export const inOrOut = <A, B>(
  client: PgClient.PgClient,
  joined: Effect.Effect<A, OutboxError>,
  alone: Effect.Effect<B, OutboxError>
): Effect.Effect<A | B, OutboxError> =>
  Effect.withFiber<A | B, OutboxError>((fiber) => {
    if (isIn(client, fiber.context)) return joined
    return fiber.getRef(CurrentTransaction) === undefined
      ? alone
      : Effect.fail(new OutboxError({ reason: new ForeignTransaction({}) }))
  })

/** Runs a statement with the given client: in the caller's transaction, where there is one. */
export const query =
  (client: PgClient.PgClient, timeoutMillis: number) =>
  <Row>({ params, text }: Statement<Row>): Effect.Effect<ReadonlyArray<Row>, OutboxError> =>
    client.unsafe<Row & object>(text, params).withoutTransform.pipe(
      Effect.mapError(Failure.fromSql),
      Effect.timeoutOrElse({
        duration: timeoutMillis,
        orElse: () => Effect.fail(Failure.timedOut(timeoutMillis))
      }),
      inRealTime
    )
