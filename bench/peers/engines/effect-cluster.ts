/** A workflow of activities on one runner, messages in Postgres; polls a hundred times a second instead of twice. */
import { PgClient } from "@effect/sql-pg"
import { NodeCrypto } from "@effect/platform-node"
import { Effect, Layer, ManagedRuntime, Redacted, Schema } from "effect"
import { ClusterWorkflowEngine, SingleRunner } from "effect/cluster"
import { Activity, Workflow } from "effect/workflow"
import type { Engine } from "../Peer.ts"
import { receipt, steps } from "../Peer.ts"

const Saga = Workflow.make("Saga", { payload: { order: Schema.String }, idempotencyKey: ({ order }) => order })

const act = (step: number) =>
  Activity.make({
    name: `act-${step}`,
    success: Schema.Struct({ id: Schema.String, note: Schema.String }),
    execute: Effect.succeed(receipt)
  })

export const open: Engine["open"] = async ({ url }) => {
  const live = Saga.toLayer(
    Effect.fnUntraced(function* () {
      for (let step = 0; step < steps; step++) yield* act(step)
    })
  )
  const runtime = ManagedRuntime.make(
    live.pipe(
      Layer.provideMerge(ClusterWorkflowEngine.layer),
      Layer.provide(
        SingleRunner.layer({
          runnerStorage: "memory",
          shardingConfig: { entityMessagePollInterval: "10 millis", entityReplyPollInterval: "10 millis" }
        })
      ),
      Layer.provide(NodeCrypto.layer),
      Layer.provide(PgClient.layer({ url: Redacted.make(url), maxConnections: 10 }))
    )
  )
  await runtime.context()
  return {
    saga: () => runtime.runPromise(Saga.execute({ order: crypto.randomUUID() })),
    queues: false,
    close: () => runtime.dispose()
  }
}
