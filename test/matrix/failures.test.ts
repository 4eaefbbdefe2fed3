/** Every cell of the table in `docs/failures.md`, played; and the table itself, which is printed from the same cells. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { cells, failures, policies, situations } from "./cells.ts"
import { headings, tables, written } from "./document.ts"
import { play } from "./play.ts"

for (const situation of situations) {
  describe(headings[situation], () => {
    for (const cell of cells.filter((cell) => cell.situation === situation)) {
      const { met, policy, says, scenes } = cell
      it.effect(`${met}, ${policy}: ${says}`, () =>
        Effect.forEach(
          scenes,
          Effect.fnUntraced(function* (scene) {
            const { key, keys, seen, undoingKey } = yield* play(cell, scene)
            assert.deepStrictEqual(seen, scene)
            // G7, G9: whatever is sent again goes under the one key of its call.
            assert.deepStrictEqual([...keys.sent], scene.sent === 0 ? [] : [key])
            assert.deepStrictEqual([...keys.undone], scene.undone === 0 ? [] : [undoingKey])
          }),
          { discard: true }
        )
      )
    }
  })
}

describe("the table in docs/failures.md", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "failures.md"), "utf8")

  it("has a cell for every class, policy and direction", () => {
    const names = new Set(cells.map(({ met, policy, situation }) => `${situation} ${met} ${policy}`))
    assert.strictEqual(names.size, situations.length * failures.length * policies.length)
    assert.strictEqual(cells.length, names.size)
    for (const { scenes } of cells) assert.isNotEmpty(scenes)
  })

  it("says what the cells say", () => {
    assert.strictEqual(text, written(text), "run `node test/matrix/write.ts`")
  })

  it("is found to differ where a word of it is changed", () => {
    assert.include(text, tables.forward)
    const changed = text.replace(tables.forward, tables.forward.replace("stuck: blocked", "stuck: in_doubt"))
    assert.notStrictEqual(changed, text)
    assert.notStrictEqual(changed, written(changed))
  })
})
