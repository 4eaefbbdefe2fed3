import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "../..")
const read = (path: string) => readFileSync(join(root, path), "utf8")

interface Row {
  readonly rule: number
  readonly file: string
  readonly title: string
}

const rows = (markdown: string): ReadonlyArray<Row> =>
  Array.from(markdown.matchAll(/^\| (\d+)[^|]* \| `([^`]+)` \| (.+) \|$/gm), ([, rule, file, title]) => ({
    rule: Number(rule),
    file: file!,
    title: title!
  }))

/** The rows whose title does not begin any text of their file. */
const missing = (all: ReadonlyArray<Row>, textOf: (file: string) => string) =>
  all.filter(({ file, title }) => !['"', "`", "'"].some((quote) => textOf(file).includes(quote + title)))

describe("the table of the rules", () => {
  const all = rows(read("test/rules/README.md"))

  it("names a test for each of the seventeen rules", () => {
    const found = new Set(all.map(({ rule }) => rule))
    assert.deepStrictEqual(
      Array.from({ length: 17 }, (_, index) => index + 1).filter((rule) => !found.has(rule)),
      []
    )
  })

  it("names tests that are there", () => {
    assert.deepStrictEqual(missing(all, read), [])
  })

  it("is seen to be wrong where a title is not that of a test", () => {
    const planted = rows("| 3 whole | `a.test.ts` | Rule 3: holds |\n| 4 | `a.test.ts` | Rule 4: holds |")
    assert.deepStrictEqual(
      missing(planted, () => 'it("Rule 3: holds", () => {})').map(({ rule }) => rule),
      [4]
    )
  })
})
