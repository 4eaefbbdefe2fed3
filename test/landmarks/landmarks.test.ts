/** The registry of landmarks: that it is whole, and that the page about it is printed from it. */
import { assert, it } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Outbox } from "../../src/index.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import { written } from "./document.ts"

const readers =
  "afterCommit inTransaction get find list startingWith entries inbox inboxOf listen expired requests findLink lines pauses gate"
/** What of the outbox and of its gate writes nothing, or is no business of a worker or of `Runs`. */
const unmarked = new Set([
  ...readers.split(" "),
  // Retention and archives: no process of theirs holds anything, and each is one step.
  "remove",
  "restore",
  // Marked by entry, in the pen.
  "append"
])

it("names at least 60 landmarks, each once, and says of each what it is", () => {
  assert.isAtLeast(Landmark.names.length, 60)
  assert.strictEqual(new Set(Landmark.names).size, Landmark.names.length)
  for (const name of Landmark.names) assert.isAbove(Landmark.meaningOf(name).length, 10, name)
})

it.effect("gives every operation of the outbox that writes a landmark on both sides", () =>
  Effect.gen(function* () {
    const outbox = Context.get(yield* Layer.build(Outbox.layerMemory), Outbox.Outbox)
    const operations = [...Object.keys(outbox), ...Object.keys(outbox.gate)]
    assert.deepStrictEqual(operations.filter((name) => !unmarked.has(name)).sort(), Landmark.operations.toSorted())
    const marked = Landmark.marked(outbox)
    for (const name of Landmark.operations) {
      const port = name in outbox ? [outbox, marked] : [outbox.gate, marked.gate]
      assert.notStrictEqual(Reflect.get(port[1]!, name), Reflect.get(port[0]!, name), name)
    }
  })
)

it("prints docs/landmarks.md", () => {
  const path = join(import.meta.dirname, "..", "..", "docs", "landmarks.md")
  assert.strictEqual(readFileSync(path, "utf8"), written, "run test/landmarks/write.ts")
})
