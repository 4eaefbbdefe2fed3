/**
 * Runs the four checks that need no database, at once, and prints each one's output when it ends.
 *
 * `npm run check` runs all; `npm run check types lint` runs the named ones.
 */
import { spawn } from "node:child_process"
import { delimiter, join } from "node:path"

const root = join(import.meta.dirname, "..")

const checks: Record<string, ReadonlyArray<string>> = {
  types: ["tsc", "--noEmit"],
  effect: ["effect-tsgo", "diagnostics", "--project", "tsconfig.json", "--severity", "error", "--format", "text"],
  lint: ["oxlint", "--type-aware", "."],
  format: ["oxfmt", "--check", "."]
}

interface Result {
  readonly name: string
  readonly passed: boolean
}

const run = (name: string, [command = "", ...args]: ReadonlyArray<string>): Promise<Result> =>
  new Promise((resolve) => {
    const started = performance.now()
    const child = spawn(command, args, {
      cwd: root,
      env: { ...process.env, PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH },
      shell: process.platform === "win32"
    })
    let output = ""
    const keep = (chunk: string) => {
      output += chunk
    }
    child.stdout.setEncoding("utf8").on("data", keep)
    child.stderr.setEncoding("utf8").on("data", keep)
    const end = (passed: boolean, why: string) => {
      const seconds = ((performance.now() - started) / 1000).toFixed(1)
      if (!passed && output.trim() !== "") console.log(`\n${output.trimEnd()}\n`)
      console.log(`check ${name}: ${passed ? "passed" : `FAILED (${why})`} in ${seconds} s`)
      resolve({ name, passed })
    }
    child.on("error", (error) => end(false, error.message))
    child.on("close", (code, signal) => end(code === 0, signal ?? `exit ${code}`))
  })

const asked = process.argv.slice(2)
const unknown = asked.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(`no check is called ${unknown.join(", ")}; there are: ${Object.keys(checks).join(", ")}`)
  process.exit(2)
}
const chosen = Object.entries(checks).filter(([name]) => asked.length === 0 || asked.includes(name))

console.log(`check: on Node ${process.version}, ${chosen.length} at once`)
for (const [name, command] of chosen) console.log(`check ${name}: ${command.join(" ")}`)

const results = await Promise.all(chosen.map(([name, command]) => run(name, command)))
const failed = results.filter((result) => !result.passed).map((result) => result.name)
console.log(failed.length === 0 ? `check: all ${results.length} passed` : `check: FAILED: ${failed.join(", ")}`)
process.exitCode = failed.length === 0 ? 0 : 1
