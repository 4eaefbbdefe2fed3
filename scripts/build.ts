/** Empties `dist` and builds it from src, tools, sagas and the demo, so that no file of an earlier build is published. */
import { spawnSync } from "node:child_process"
import { chmodSync, rmSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..")
rmSync(join(root, "dist"), { recursive: true, force: true })
const { status } = spawnSync("tsc", ["-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
  shell: process.platform === "win32"
})
// npm does so for the command when it installs the package; run from here it is to work as well.
if (status === 0) chmodSync(join(root, "dist", "src", "cli", "main.js"), 0o755)
process.exitCode = status ?? 1
