/**
 * A worker beside the caller; the caller awaits the result of each task. All defaults but the concurrency.
 *
 * Its functions in the database are not on npm: ABSURD_SQL names the file `sql/absurd.sql` of the release.
 */
import { Absurd } from "absurd-sdk"
import { readFile } from "node:fs/promises"
import pg from "pg"
import type { Engine } from "../Peer.ts"
import { atOnce, receipt, steps } from "../Peer.ts"

export const open: Engine["open"] = async ({ url }) => {
  const schema = await readFile(process.env["ABSURD_SQL"]!, "utf8")
  const pool = new pg.Pool({ connectionString: url })
  await pool.query(schema)
  const app = new Absurd({ db: pool })
  await app.createQueue()
  app.registerTask<{ order: string }>({ name: "saga" }, async (_, task) => {
    for (let nth = 0; nth < steps; nth++) await task.step(`act-${nth}`, () => Promise.resolve(receipt))
    return null
  })
  const worker = await app.startWorker({ concurrency: atOnce })
  return {
    saga: async () => {
      const { taskID } = await app.spawn("saga", { order: crypto.randomUUID() })
      return app.awaitTaskResult(taskID)
    },
    queues: true,
    close: async () => {
      await worker.close()
      await pool.end()
    }
  }
}
