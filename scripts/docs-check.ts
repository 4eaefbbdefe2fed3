/**
 * Type-checks and runs the code in the documentation: the `ts` blocks of the READMEs and of `docs`, and of the **Example**
 * sections in the doc comments of public modules.
 *
 * Each block is a program of its own. Where a `text` block follows, that is what it has to print. `npm run docs:check`
 * checks them all; a test does as well.
 */
import { spawn } from "node:child_process"
import { chmodSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")

/** A text with code in it; `path` is relative to the repository. */
export interface Document {
  readonly path: string
  readonly text: string
}

/** A program in a document. */
export interface Block {
  readonly path: string
  /** Of its first line in the document, from 1. */
  readonly line: number
  readonly code: string
  /** What it has to print, where the document says so. */
  readonly prints: string | undefined
}

/** All documents of the repository that can hold programs. */
export const documents = (): ReadonlyArray<Document> =>
  globSync(["README.md", "docs/*.md", "src/**/README.md", "src/**/*.ts", "tools/*.ts", "sagas/*.ts"], { cwd: root })
    .filter((path) => !/[\\/](?:internal|migrations|queries)[\\/]/.test(path))
    .sort()
    .map((path) => ({ path: path.replaceAll("\\", "/"), text: readFileSync(join(root, path), "utf8") }))

interface Fence {
  readonly language: string
  readonly line: number
  readonly lines: ReadonlyArray<string>
}

/** The fenced blocks in these lines, whose first has the number `first`. */
const fences = (lines: ReadonlyArray<string>, first: number): ReadonlyArray<Fence> => {
  const found: Array<Fence> = []
  for (let at = 0; at < lines.length; at++) {
    const language = /^```(\w+)$/.exec(lines[at]!)?.[1]
    if (language === undefined) continue
    const end = lines.indexOf("```", at)
    if (end === -1) break
    found.push({ language, line: first + at + 1, lines: lines.slice(at + 1, end) })
    at = end
  }
  return found
}

/** The lines of a module's doc comments from **Example** on, without their stars. */
const exampleSections = ({
  text
}: Document): ReadonlyArray<{ readonly first: number; readonly lines: Array<string> }> =>
  Array.from(text.matchAll(/^\/\*\*$[\s\S]*?^ \*\/$/gm)).flatMap((comment) => {
    const start = comment[0].indexOf("**Example**")
    if (start === -1) return []
    const first = text.slice(0, comment.index + start).split("\n").length
    return [
      {
        first,
        lines: comment[0]
          .slice(start)
          .split("\n")
          .map((line) => line.replace(/^ \* ?/, ""))
      }
    ]
  })

/** The programs in a document. */
export const blocks = (document: Document): ReadonlyArray<Block> => {
  const sections = document.path.endsWith(".md")
    ? [{ first: 1, lines: document.text.split("\n") }]
    : exampleSections(document)
  return sections.flatMap(({ first, lines }) =>
    fences(lines, first).flatMap((fence, index, all) => {
      if (fence.language !== "ts") return []
      const next = all[index + 1]
      const prints = next?.language === "text" ? `${next.lines.join("\n")}\n` : undefined
      return [{ path: document.path, line: fence.line, code: fence.lines.join("\n"), prints }]
    })
  )
}

interface Ended {
  readonly code: number | null
  readonly printed: string
  readonly all: string
}

const start = (command: string, args: ReadonlyArray<string>, cwd: string): Promise<Ended> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: 100_000 })
    let printed = ""
    let all = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text
      all += text
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      all += text
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, printed, all }))
  })

const indented = (text: string): string => text.trimEnd().replaceAll(/^/gm, "    ")

/** Checks the programs of these documents and gives what is wrong with them. */
export const check = async (
  checked: ReadonlyArray<Document>,
  say: (line: string) => void = () => {}
): Promise<ReadonlyArray<string>> => {
  mkdirSync(join(root, ".makegood"), { recursive: true })
  // Inside the package, so that "makegood" means this one.
  const folder = mkdtempSync(join(root, ".makegood", "docs-"))
  // Programs run elsewhere, in a folder that a Postgres started by root, which runs as another user, can reach.
  const away = mkdtempSync(join(tmpdir(), "makegood-docs-"))
  chmodSync(away, 0o755)
  try {
    const programs = checked.flatMap(blocks).map((block, index) => ({
      block,
      place: `${block.path}:${block.line}`,
      file: `block-${index}.ts`
    }))
    for (const { block, file } of programs) {
      // Every line at the number it has in its document, as the compiler and stack traces name it.
      writeFileSync(join(folder, file), `${"\n".repeat(block.line - 1)}${block.code}\n\nexport {}\n`)
    }
    const names = (text: string) =>
      programs.reduce((named, { block, file }) => named.replaceAll(file, block.path), text.replaceAll(folder, "."))
    const config = { extends: "../../tsconfig.json", files: programs.map(({ file }) => file), include: [] }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config))
    say(`docs: type-checking ${programs.length} programs`)
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
    const types = await start(process.execPath, [tsc, "--noEmit", "--pretty", "false", "-p", folder], folder)
    if (types.code !== 0) return [`They do not compile:\n${indented(names(types.all))}`]

    const wrong: Array<string> = []
    for (const { block, file, place } of programs) {
      const cwd = join(away, file.replace(".ts", ""))
      mkdirSync(cwd)
      const ended = await start(process.execPath, ["--conditions=makegood-source", join(folder, file)], cwd)
      const problem =
        ended.code !== 0
          ? `${place} ended with ${ended.code}:\n${indented(names(ended.all))}`
          : block.prints !== undefined && block.prints !== ended.printed
            ? `${place} prints\n${indented(ended.printed)}\n  and not\n${indented(block.prints)}`
            : undefined
      say(
        `docs: ${place} ${problem === undefined ? "runs" : "FAILS"}${block.prints === undefined ? "" : ", output compared"}`
      )
      if (problem !== undefined) wrong.push(problem)
    }
    return wrong
  } finally {
    for (const path of [folder, away]) rmSync(path, { recursive: true, force: true, maxRetries: 3 })
  }
}

if (import.meta.main) {
  const wrong = await check(documents(), console.log)
  for (const problem of wrong) console.log(`\n${problem}`)
  console.log(wrong.length === 0 ? "docs: all passed" : `\ndocs: ${wrong.length} FAILED`)
  process.exitCode = wrong.length === 0 ? 0 : 1
}
