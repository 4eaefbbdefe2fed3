import { assert, describe, it } from "@effect/vitest"
import { CliOutput } from "effect/cli"
import { coloured, fit, pad, table, wrap } from "../../src/cli/internal/table.ts"

const columns = [{ name: "run" }, { name: "key", least: 6 }, { name: "age", right: true }]

describe("a table", () => {
  it("has a heading, and columns as wide as what is in them", () => {
    const rows = [
      ["3f2c81aa", "trip-1", "5 s"],
      ["90482420", "a", "100 min"]
    ]
    assert.deepStrictEqual(table(columns, rows, { width: 80 }), [
      "run       key         age",
      "3f2c81aa  trip-1      5 s",
      "90482420  a       100 min"
    ])
  })

  it("cuts the columns that may shrink, the widest first, and no others", () => {
    const rows = [["3f2c81aa", "a-key-that-goes-on-and-on-and-on", "5 s"]]
    assert.deepStrictEqual(table(columns, rows, { width: 30 }), [
      "run       key              age",
      "3f2c81aa  a-key-that-goe\u2026  5 s"
    ])
    assert.strictEqual(table(columns, rows, { width: 5 })[1], "3f2c81aa  a-key\u2026  5 s")
  })

  it("counts the columns of a terminal, not characters", () => {
    const lines = table(
      columns,
      [
        ["1", "\u6771\u4eac-\u6771\u4eac-\u6771\u4eac", "5 s"],
        ["2", "x", "6 s"]
      ],
      { width: 20 }
    )
    for (const line of lines) assert.isAtMost(CliOutput.displayWidth(line), 20)
    assert.strictEqual(CliOutput.displayWidth(lines[1]!), CliOutput.displayWidth(lines[2]!))
  })

  it("keeps every row on its line, whatever is in its cells, and passes no escape codes on", () => {
    const lines = table(columns, [["1", "a\nb\u001b[2J", "5 s"]], { width: 80 })
    assert.deepStrictEqual(
      lines,
      ["run  key     age", "1    a b\u00b7[2J  5 s"].map((line) => line.replace("key     ", "key      "))
    )
  })

  it("has the same width with colours", () => {
    const rows = [["1", "red", "5 s"]]
    const options = {
      width: 80,
      paint: coloured,
      style: (column: string) => (column === "key" ? "red" : undefined)
    } as const
    const [plainLine, colouredLine] = [table(columns, rows, { width: 80 })[1]!, table(columns, rows, options)[1]!]
    assert.include(colouredLine, "\u001b[31mred   \u001b[0m".trimEnd().slice(0, 8))
    assert.strictEqual(CliOutput.displayWidth(colouredLine), CliOutput.displayWidth(plainLine))
  })
})

describe("a text", () => {
  it("is cut with an ellipsis, and filled up on either side", () => {
    assert.deepStrictEqual([fit("abcdef", 4), fit("abcd", 4), fit("a", 0)], ["abc\u2026", "abcd", ""])
    assert.deepStrictEqual([pad("ab", 4), pad("ab", 4, true), pad("abcdef", 4)], ["ab  ", "  ab", "abc\u2026"])
  })

  it("is broken under the last column of its line, and loses no word", () => {
    const line = "  --older-than <age>     How long ago the runs have to have ended: 30d, 12h, 2w"
    const broken = wrap(line, 60)
    assert.strictEqual(
      broken,
      [
        "  --older-than <age>     How long ago the runs have to have",
        "                         ended: 30d, 12h, 2w"
      ].join("\n")
    )
    assert.strictEqual(wrap("one two three", 80), "one two three")
    assert.strictEqual(wrap("one two three four", 9), "one two\nthree\nfour")
  })
})
