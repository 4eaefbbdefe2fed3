/** Reads the repository as text and holds it to the rules of the house. Each rule is shown a violation first. */
import { assert, describe, it } from "@effect/vitest"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { documentExports, guarantees, keepGuarantees, showExamples } from "./tidy/documents.ts"
import { keepToArrows, usePublicNames } from "./tidy/imports.ts"
import { code, type File, imports } from "./tidy/source.ts"
import { comeFromNowhere, haveNames, leaveTimeToEffect, runEveryTest, stayShort } from "./tidy/words.ts"

const root = join(import.meta.dirname, "..")

/** All that git would track: what .gitignore names by folder, and git's own, is left out. */
const read = (): ReadonlyArray<File> => {
  const ignored = readFileSync(join(root, ".gitignore"), "utf8")
    .split("\n")
    .filter((line) => line.endsWith("/"))
  const isIgnored = (folder: string) =>
    folder === ".git" || ignored.some((name) => `${folder}/` === name || folder.endsWith(`/${name.slice(0, -1)}`))
  const walk = (folder: string): ReadonlyArray<string> =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = folder === "" ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return isIgnored(path) ? [] : walk(path)
      return entry.isFile() && entry.name !== ".git" ? [path] : []
    })
  return walk("").map((path) => ({ path, text: readFileSync(join(root, path), "utf8") }))
}

const repository = read()
const file = (path: string, text: string): File => ({ path, text })
const manifest = file("package.json", JSON.stringify({ name: "makegood", exports: { ".": "a", "./internal/*": null } }))
const tested = file("test/a.test.ts", 'it("holds (G1)", () => {})')
const upheld = file("src/a/A.ts", "/** Upholds it (G1). */\nimport {} from 'effect'")
const table = file("src/README.md", "| id | invariant |\n|---|---|\n| G1 | each act |\n")
const machinePath = ["", "ro" + "ot", "project"].join("/")

interface Rule {
  readonly title: string
  readonly rule: (files: ReadonlyArray<File>) => ReadonlyArray<string>
  /** Each is found to break the rule. */
  readonly broken: ReadonlyArray<ReadonlyArray<File>>
  /** Each looks like breaking it and is found to keep it. */
  readonly kept: ReadonlyArray<ReadonlyArray<File>>
}

const rules: ReadonlyArray<Rule> = [
  {
    title: "the folders of src import only what is below them",
    rule: keepToArrows,
    broken: [
      [file("src/tool/A.ts", 'import { B } from "../outbox/B.ts"')],
      [file("src/tool/internal/a.ts", 'import type * as B from "../../saga/B.ts"')],
      [file("src/tool/A.ts", 'import { B } from "@effect/sql-pg"')],
      [file("src/outbox/A.ts", 'export * from "../tool/B.ts"')],
      [file("src/saga/A.ts", 'import {\n  B,\n  C\n} from "../worker/B.ts"')],
      [file("src/saga/A.ts", 'type B = import("../worker/B.ts").B')],
      [file("src/worker/A.ts", 'import { B } from "../testing/B.ts"')],
      [file("src/worker/A.ts", 'import { B } from "../postgres/B.ts"')],
      [file("src/postgres/A.ts", 'import { B } from "../saga/B.ts"')],
      [file("src/embedded/A.ts", 'import { B } from "../outbox/B.ts"')],
      [file("src/outbox/A.ts", 'import "../../test/B.ts"')],
      [file("src/elsewhere/A.ts", 'import { B } from "effect"')]
    ],
    kept: [
      [file("src/saga/A.ts", 'import { B } from "../tool/B.ts"\nimport { C } from "./internal/c.ts"')],
      [file("src/tool/A.ts", 'import { createHash } from "node:crypto"\nimport { D } from "effect/sql"')],
      [file("src/testing/A.ts", 'import { B } from "../worker/B.ts"')],
      [file("src/tool/A.ts", '/**\n * ```ts\nimport { A } from "makegood"\n * ```\n */\nexport const from = 1')]
    ]
  },
  {
    title: "tools, sagas and examples import makegood by its public names",
    rule: usePublicNames,
    broken: [
      [manifest, file("examples/01-a.ts", 'import { Tool } from "../src/index.ts"')],
      [manifest, file("tools/A.ts", 'import { b } from "makegood/internal/b"')],
      [manifest, file("sagas/A.ts", 'import { B } from "../tools/B.ts"')],
      [manifest, file("tools/internal/a.ts", 'import { B } from "makegood/elsewhere"')]
    ],
    kept: [[manifest, file("tools/A.ts", 'import { Tool } from "makegood"\nimport { b } from "./internal/b.ts"')]]
  },
  {
    title: "no file has more than 500 lines",
    rule: stayShort,
    broken: [[file("bench/a.ts", "x\n".repeat(501))]],
    kept: [[file("bench/a.ts", "x\n".repeat(500)), file("package-lock.json", "x\n".repeat(501))]]
  },
  {
    title: "no file or folder is named after nothing in particular",
    rule: haveNames,
    broken: ["src/utils.ts", "src/tool/Helpers.ts", "test/common/a.ts", "src/types/A.ts", "src/tool/interfaces.ts"].map(
      (path) => [file(path, "")]
    ),
    kept: [[file("test/types/program.ts", ""), file("src/tool/commonplace.ts", "")]]
  },
  {
    title: "src takes time and chance from Effect",
    rule: leaveTimeToEffect,
    broken: ["Date.now()", "Math.random()", "setTimeout(f, 1)", "globalThis.setInterval(f, 1)", "new Date()"].map(
      (text) => [file("src/worker/A.ts", `const a = ${text}`)]
    ),
    kept: [
      [file("src/embedded/A.ts", "setTimeout(f, 1)")],
      [file("src/worker/A.ts", '// not Date.now()\nconst a = "Math.random()" + new Date(0) + crypto.randomUUID()')]
    ]
  },
  {
    title: "every test is run",
    rule: runEveryTest,
    broken: ["it.only", "describe.skip", "it.effect.skip", "it.live.only", "test.todo"].map((text) => [
      file("test/a.test.ts", `${text}("is", () => {})`)
    ]),
    kept: [[file("test/a.test.ts", 'it("says .only and it.skip", () => Stream.skip(1))')]]
  },
  {
    title: "nothing says on which machine or from which host it was made",
    rule: comeFromNowhere,
    broken: [
      [file("README.md", `Look in ${machinePath}/src`)],
      [file("src/a.ts", `const a = "${machinePath}/src"`)],
      [file("package-lock.json", '"resol' + 'ved": "http' + '://127.0.0.1/effect.tgz"')],
      [file(".npmrc", "registry=https" + "://regis" + "try.example.org")]
    ],
    kept: [[file("README.md", `The folder test${machinePath} of effect/workflow, a registry of tools`)]]
  },
  {
    title: "every export of a public module has a doc comment",
    rule: documentExports,
    broken: [
      [file("src/tool/A.ts", "/** A header. */\nimport {} from 'effect'\n\nexport const a = 1")],
      [file("src/tool/A.ts", "/** One. */\nexport const a = 1\nexport type B = 1")],
      [file("src/tool/A.ts", "const a = 1\nexport { a as b }")],
      [file("src/tool/A.ts", "/** One. */\nexport const A = 1\nexport type B = typeof B.Type")],
      [file("tools/A.ts", "// no doc\nexport interface A {}")]
    ],
    kept: [
      [file("src/tool/A.ts", "/** One. */\nexport const a = 1\n\n/**\n * Two.\n */\nexport interface B {}")],
      [file("src/tool/A.ts", 'export * from "./B.ts"\nexport type { C } from "./C.ts"')],
      [file("src/tool/A.ts", "const a = 1\nexport {\n  /** One. */\n  a as b\n}")],
      [file("src/tool/A.ts", "/** One. */\nexport const A = 1\nexport type A = typeof A.Type")],
      [file("src/tool/internal/a.ts", "export const a = 1")],
      [file("src/tool/A.ts", "const a = `\nexport const b = 1\n`")]
    ]
  },
  {
    title: "every guarantee is named by a module that upholds it and by a test",
    rule: keepGuarantees,
    broken: [
      [table, upheld],
      [table, tested],
      [table, tested, { ...upheld, path: "src/testing/A.ts" }],
      [table, tested, { ...upheld, text: `import {} from "effect"\n${upheld.text}` }],
      [table, upheld, { ...tested, text: 'it("holds (G11)", () => {}) // G1' }],
      [upheld, tested]
    ],
    kept: [
      [table, upheld, tested],
      [table, upheld, file("test/a.test.ts", 'it.each([1])(\n  "holds (G1)", () => {})')]
    ]
  },
  {
    title: "every example is in the README and has a test that knows what it prints",
    rule: showExamples,
    broken: [
      [file("examples/01-a.ts", ""), file("README.md", "examples/01-a.ts")],
      [file("examples/01-a.ts", ""), file("README.md", "1"), file("test/examples.test.ts", '"01-a"')]
    ],
    kept: [
      [file("examples/01-a.ts", ""), file("README.md", "examples/01-a.ts"), file("test/examples.test.ts", '"01-a"')],
      [file("README.md", "")]
    ]
  }
]

describe.each(rules)("$title", ({ broken, kept, rule }) => {
  it("is seen to be broken, and seen to be kept", () => {
    for (const files of broken) assert.isNotEmpty(rule(files), JSON.stringify(files))
    for (const files of kept) assert.deepStrictEqual(rule(files), [])
  })

  it("is kept by the repository", () => assert.deepStrictEqual(rule(repository), []))
})

describe("what the rules read", () => {
  it("is the whole repository", () => {
    for (const path of ["package.json", "src/index.ts", "test/tidy.test.ts", "scripts/check.ts", ".ci/run"]) {
      assert.isTrue(
        repository.some((there) => there.path === path),
        path
      )
    }
    assert.isFalse(repository.some(({ path }) => path.startsWith("node_modules/") || path.startsWith(".git/")))
    assert.isNotEmpty(guarantees(repository))
  })

  it("is every file to its end: what is opened in its code is closed", () => {
    const off = repository
      .filter(({ path }) => path.endsWith(".ts"))
      .filter(({ text }) => {
        const bare = code(text, { strings: false })
        return ["{}", "()", "[]"].some(([open, close]) => bare.split(open!).length !== bare.split(close!).length)
      })
    assert.deepStrictEqual(
      off.map(({ path }) => path),
      []
    )
  })

  it("is code without its comments, and without its strings where asked", () => {
    const text = 'a("/* b */") // c\n/* d\n */ e(`f${g("`")} //`, /["/]/) / h'
    assert.strictEqual(
      code(text, { strings: true }),
      `a("/* b */")${" ".repeat(5)}\n    \n    e(\`f\${g("\`")} //\`, /["/]/) / h`
    )
    assert.strictEqual(code(text, { strings: false }).replaceAll(/ +/g, " "), "a( ) \n \n e( , ) / h")
  })

  it("is imports of every form", () => {
    const text = ['import { a,\n  b } from "1"', 'import type { c } from "2"', 'import * as d from "3"', 'import "4"']
    const more = ['export * as e from "5"', 'export { f } from "6"', 'const g = await import("7")', '// import "8"']
    const found = imports(file("a.ts", [...text, ...more].join("\n")))
    assert.deepStrictEqual([...found].sort(), ["1", "2", "3", "4", "5", "6", "7"])
  })
})
