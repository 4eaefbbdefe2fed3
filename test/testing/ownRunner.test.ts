/** What a user of Node's own runner sees. */
import { assert, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { join } from "node:path"

it("works with node's own runner, which shows the history of what failed", async () => {
  const printed = await new Promise<string>((resolve) => {
    const args = ["--conditions=makegood-source", "--test", join(import.meta.dirname, "ownRunner.ts")]
    // Node's runner does not run in a process that it takes for one of its own.
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined }
    execFile(process.execPath, args, { timeout: 50_000, env }, (_, stdout) => resolve(stdout))
  })
  assert.match(printed, /pass 1\n/)
  assert.match(printed, /fail 1\n/)
  assert.match(printed, /✔ a trip without a mistake/)
  assert.match(printed, /Trip is not made good in \d+ of the \d+ scenarios/)
  assert.match(printed, /the outbox +the world/)
  assert.match(printed, /SagaTest\.only\(Crash\.at\("/)
})
