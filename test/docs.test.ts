/** The code in the documentation compiles and does what it says; see `scripts/docs-check.ts`. */
import { assert, describe, it } from "@effect/vitest"
import { blocks, check, documents } from "../scripts/docs-check.ts"

const readme = (...lines: ReadonlyArray<string>) => ({ path: "README.md", text: lines.join("\n") })

describe("the documentation", () => {
  it("holds programs in both READMEs and in doc comments", () => {
    const paths = documents()
      .flatMap(blocks)
      .map(({ path }) => path)
    for (const path of ["README.md", "src/README.md", "src/tool/Tool.ts"]) assert.include(paths, path)
  })

  it(
    "compiles, runs, and prints what it says",
    async () => assert.deepStrictEqual(await check(documents()), []),
    240_000
  )
})

describe("a program in the documentation", () => {
  it("is named with its line when it does not compile", async () => {
    const [wrong] = await check([readme("# Title", "", "```ts", "const a = 1", "const b: string = a", "```")])
    assert.match(wrong ?? "", /README\.md\(5,7\): error TS2322/)
  })

  it("is named when it fails, or prints something else than the text after it", async () => {
    const fails = readme("```ts", 'throw new Error("no")', "```")
    const lies = readme("", "```ts", "console.log(1)", "```", "It prints:", "```text", "2", "```")
    const honest = readme("```ts", "console.log(1)", "```", "", "```text", "1", "```")
    const wrong = await check([fails, lies, honest])
    assert.strictEqual(wrong.length, 2)
    assert.match(wrong[0]!, /README\.md:2 ended with 1:[\s\S]*Error: no/)
    assert.match(wrong[1]!, /README\.md:3 prints\n {4}1\n {2}and not\n {4}2/)
  })

  it("is found in the Example section of a doc comment, and nowhere else in a module", () => {
    const text = [
      "/**",
      " * ```ts",
      " * first",
      " * ```",
      " */",
      "const a = 1",
      "/**",
      " * **Example**",
      " *",
      " * ```ts",
      " * second",
      " * ```",
      " */"
    ].join("\n")
    const found = blocks({ path: "src/a/A.ts", text })
    assert.deepStrictEqual(found, [{ path: "src/a/A.ts", line: 11, code: "second", prints: undefined }])
  })
})
