/** A worker beside the caller; the caller awaits the result of each run. All defaults but the concurrency. */
import { OpenWorkflow } from "openworkflow"
import { BackendPostgres } from "openworkflow/postgres"
import type { Engine } from "../Peer.ts"
import { atOnce, receipt, steps } from "../Peer.ts"

export const open: Engine["open"] = async ({ url }) => {
  const backend = await BackendPostgres.connect(url)
  const engine = new OpenWorkflow({ backend })
  const saga = engine.defineWorkflow<{ order: string }, null>({ name: "saga" }, async ({ step }) => {
    for (let nth = 0; nth < steps; nth++) await step.run({ name: `act-${nth}` }, () => receipt)
    return null
  })
  const worker = engine.newWorker({ concurrency: atOnce })
  await worker.start()
  return {
    saga: async () => (await saga.run({ order: crypto.randomUUID() })).result(),
    queues: true,
    close: async () => {
      await worker.stop()
      await backend.stop()
    }
  }
}
