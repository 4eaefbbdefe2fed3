/**
 * Of two calls in doubt whose intents stood side by side in the record, the older one was taken back first: their places
 * behind the record were so large that they were the same number. Found by the campaign.
 */
import { assert, it } from "@effect/vitest"
import type { Entry, Stored } from "../../src/outbox/Entry.ts"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Rollback from "../../src/saga/Rollback.ts"

const intended = (path: string): Entry => ({
  _tag: "intended",
  path,
  tool: "Keep",
  toolVersion: 1,
  act: "reversible",
  key: path,
  digest: "digest",
  value: "{}"
})

it("what is in doubt is taken back with the youngest intent foremost, wherever in the record the intents are", () => {
  for (let claims = 1; claims <= 8; claims++) {
    const entries: ReadonlyArray<Entry> = [
      ...Array.from({ length: claims }, (): Entry => ({ _tag: "claimed", worker: "worker", from: "queue" })),
      intended("left/Keep"),
      intended("right/Keep"),
      { _tag: "rollback_began", cause: "cancelled", by: "somebody" }
    ]
    const record = entries.map((entry, seq): Stored => ({ seq, epoch: Math.min(seq + 1, claims), at: seq, entry }))
    const plan = Rollback.plan(RunState.fold(record))
    assert.deepStrictEqual(
      plan.map((item) => [item._tag, "call" in item && item.call.path]),
      [
        ["settle", "right/Keep"],
        ["settle", "left/Keep"]
      ],
      `after ${claims} claims`
    )
  }
})
