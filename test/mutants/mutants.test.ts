/** Every planted bug is found, and the page about them is printed from the list. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { written } from "./document.ts"
import { all } from "./planted.ts"
import * as Play from "./play.ts"

const root = join(import.meta.dirname, "..", "..")

describe("a bug of a peer, planted in the engine", () => {
  for (const { by, here, id, peers } of all) {
    it(`is found: ${here} (${id}, ${peers})`, { timeout: 600_000 }, async () => {
      if (by._tag === "rule") {
        const text = readFileSync(join(root, "test", "rules", by.file), "utf8")
        assert.include(text, `"${by.violation}"`)
        return
      }
      const found = await (by._tag === "simulation" ? Play.simulation(by.changes) : Play.interleavings(by.changes))
      assert.isDefined(found, "no test sees it")
      if (process.env["MAKEGOOD_SHOW"] !== undefined) console.log(`${id}: ${found?.where}: ${found?.found}`)
    })
  }
})

it("there are at least 20, each with a name of its own", () => {
  assert.isAtLeast(all.length, 20)
  assert.strictEqual(new Set(all.map(({ id }) => id)).size, all.length)
})

it("prints docs/planted-bugs.md", () => {
  assert.strictEqual(
    readFileSync(join(root, "docs", "planted-bugs.md"), "utf8"),
    written,
    "run node --conditions=makegood-source test/mutants/write.ts"
  )
})
