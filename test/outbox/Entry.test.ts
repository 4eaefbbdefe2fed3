import { assert, describe, it } from "@effect/vitest"
import * as Entry from "../../src/outbox/Entry.ts"

const intended: Entry.Intended = {
  _tag: "intended",
  path: "hotel/HoldSeat",
  tool: "HoldSeat",
  toolVersion: 2,
  act: "reversible",
  key: "key",
  digest: "digest",
  value: '{"b":1}'
}

/** What is thrown for the row of an intent with these columns changed. */
const unreadable = (changed: Partial<Entry.Row>): Entry.UnreadableEntry => {
  try {
    Entry.fromRowUnsafe({ ...Entry.toRow(intended), ...changed })
  } catch (error) {
    assert.instanceOf(error, Entry.UnreadableEntry)
    return error
  }
  return assert.fail("it was read")
}

describe("Entry", () => {
  // A row goes to the database and back as JSON would: no undefined, no minus zero.
  const throughRow = (entry: Entry.Entry): Entry.Entry =>
    Entry.fromRowUnsafe(JSON.parse(JSON.stringify(Entry.toRow(entry))) as Entry.Row)

  for (const kind of Entry.Entry.members) {
    const tag = kind.fields._tag.schema.literal
    it.prop(`gives every entry of kind ${tag} back as it was, through its row (G14)`, [kind], ([entry]) => {
      assert.strictEqual(Entry.toRow(entry).kind, tag)
      assert.deepStrictEqual(throughRow(entry), JSON.parse(JSON.stringify(entry)))
    })
  }

  it("puts into columns what has one, and the rest into detail", () => {
    assert.deepStrictEqual(Entry.toRow(intended), {
      kind: "intended",
      format: 1,
      path: "hotel/HoldSeat",
      tool: "HoldSeat",
      toolVersion: 2,
      act: "reversible",
      key: "key",
      digest: "digest",
      attempt: null,
      class: null,
      leaves: null,
      stamp: null,
      value: '{"b":1}',
      detail: null
    })
    const stuck = Entry.toRow({ _tag: "stuck", reason: "in_doubt", path: "HoldSeat", why: "nobody knows" })
    assert.strictEqual(stuck.path, "HoldSeat")
    assert.deepStrictEqual(JSON.parse(stuck.detail ?? ""), { reason: "in_doubt", why: "nobody knows" })
  })

  it("reads no row of a newer format, and says which one it knows (G15)", () => {
    const error = unreadable({ format: 2 })
    assert.strictEqual(error.format, 2)
    assert.strictEqual(error.kind, "intended")
    assert.include(error.message, "format 1")
  })

  it("reads no row of a kind that it does not know (G15)", () => {
    assert.strictEqual(unreadable({ kind: "teleported" }).kind, "teleported")
  })

  it.each<readonly [string, Partial<Entry.Row>]>([
    ["a missing column", { key: null }],
    ["an act unknown", { act: "magical" }],
    ["a version that is no integer", { toolVersion: 1.5 }],
    ["a detail that is no JSON", { detail: "{" }]
  ])("reads no row with %s (G15)", (_, changed) => {
    assert.strictEqual(unreadable(changed).kind, "intended")
  })
})
