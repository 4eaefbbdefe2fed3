/**
 * Runs the numbered programs of `examples/`.
 *
 * `npm run example` lists them, `npm run example -- 03` runs one. What each prints stands at its end, in a comment, and is
 * held to that by a test; `npm run example -- 03 --write`, or `-- --write` for all, writes that comment anew.
 */
import { spawn } from "node:child_process"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
const folder = join(root, "examples")
const heading = "\n// It prints:\n//\n"

/** The names of all examples, without `.ts`. */
export const names: ReadonlyArray<string> = readdirSync(folder)
  .filter((file) => /^\d\d-.*\.ts$/.test(file))
  .map((file) => file.replace(/\.ts$/, ""))
  .sort()

const read = (name: string): string => readFileSync(join(folder, `${name}.ts`), "utf8")

/** What the comment at the end of an example says that it prints. */
export const expected = (name: string): string => {
  const [, said = ""] = read(name).split(heading)
  return said.replaceAll(/^\/\/ ?/gm, "")
}

const write = (name: string, printed: string): void => {
  const [program = ""] = read(name).split(heading)
  const comment = printed
    .trimEnd()
    .split("\n")
    .map((line) => `// ${line}`.trimEnd())
  writeFileSync(join(folder, `${name}.ts`), `${program}${heading}${comment.join("\n")}\n`)
}

/** Runs an example in a process of its own; passes on what it prints where asked. */
export const run = (
  name: string,
  options: { readonly show: boolean }
): Promise<{ readonly code: number | null; readonly printed: string; readonly errors: string }> =>
  new Promise((resolve, reject) => {
    const args = ["--conditions=makegood-source", join(folder, `${name}.ts`)]
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], timeout: 100_000 })
    let printed = ""
    let errors = ""
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      printed += text
      if (options.show) process.stdout.write(text)
    })
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      errors += text
      if (options.show) process.stderr.write(text)
    })
    child.on("error", reject)
    child.on("close", (code) => resolve({ code, printed, errors }))
  })

/** The first line of an example's opening comment that says something. */
const subject = (name: string): string => /^\/\*\*\n \* (.*)$/m.exec(read(name))?.[1] ?? ""

const main = async (args: ReadonlyArray<string>): Promise<number> => {
  const writes = args.includes("--write")
  const [asked] = args.filter((arg) => arg !== "--write")
  const chosen = names.filter((name) => asked !== undefined && name.startsWith(asked))
  if (asked === undefined && !writes) {
    console.log("npm run example -- 01 runs the first of:\n")
    for (const name of names) console.log(`  ${name.padEnd(22)} ${subject(name)}`)
    return 0
  }
  if (asked !== undefined && chosen.length !== 1) {
    console.error(
      `${chosen.length === 0 ? "no" : "more than one"} example begins with ${asked}; there are: ${names.join(", ")}`
    )
    return 2
  }
  let failed = 0
  for (const name of asked === undefined ? names : chosen) {
    const { code, printed } = await run(name, { show: true })
    if (code !== 0) failed++
    else if (writes) write(name, printed)
  }
  return failed === 0 ? 0 : 1
}

if (import.meta.main) process.exitCode = await main(process.argv.slice(2))
