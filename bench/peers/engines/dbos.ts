/** A registered workflow, called directly; its steps by `DBOS.runStep`. All defaults. */
import { DBOS } from "@dbos-inc/dbos-sdk"
import type { Engine } from "../Peer.ts"
import { receipt, steps } from "../Peer.ts"

const saga = DBOS.registerWorkflow(
  async (_order: string) => {
    for (let step = 0; step < steps; step++) await DBOS.runStep(() => Promise.resolve(receipt), { name: `act-${step}` })
  },
  { name: "saga" }
)

export const open: Engine["open"] = async ({ url }) => {
  DBOS.setConfig({ name: "bench", systemDatabaseUrl: url, logLevel: "error" })
  await DBOS.launch()
  return { saga: () => saga(crypto.randomUUID()), queues: false, close: () => DBOS.shutdown() }
}
