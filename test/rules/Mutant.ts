/** The engine with a rule taken out of it: its own source, copied, with a few words changed, and imported from there. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type * as Index from "../../src/index.ts"
import type * as Outbox from "../../src/outbox/Outbox.ts"
import type * as Postgres from "../../src/postgres/index.ts"
import type * as Lease from "../../src/worker/internal/lease.ts"

/** A change: which words, found exactly once (or so many times) under a file or folder of `src`, become which. */
export interface Change {
  readonly under: string
  readonly from: string
  readonly to: string
  readonly times?: number
}

/** Everything of the engine that a rule's test uses. */
export const modules = {
  index: "index.ts",
  outbox: "outbox/Outbox.ts",
  postgres: "postgres/index.ts",
  lease: "worker/internal/lease.ts"
} as const

/** The engine as tests see it, so that the same test runs on the true one and on a changed one. */
export interface Engine {
  readonly index: typeof Index
  readonly outbox: typeof Outbox
  readonly postgres: typeof Postgres
  readonly lease: typeof Lease
}

const root = join(import.meta.dirname, "../..")

const load = async (folder: string): Promise<Engine> => {
  const loaded: Record<string, unknown> = {}
  for (const [name, file] of Object.entries(modules)) loaded[name] = await import(join(folder, "src", file))
  return loaded as never
}

/** The engine as it is. */
export const original: Promise<Engine> = load(root)

/** The engine after the changes. Its files are gone once it is loaded. */
export const mutant = (changes: ReadonlyArray<Change>): Promise<Engine> => planted(changes, [], load)

/** What is loaded from a folder with the engine after the changes, and with copies of these other files and folders. */
export const planted = async <A>(
  changes: ReadonlyArray<Change>,
  also: ReadonlyArray<string>,
  load: (folder: string) => Promise<A>
): Promise<A> => {
  const folder = mkdtempSync(join(tmpdir(), "makegood-mutant-"))
  try {
    cpSync(join(root, "src"), join(folder, "src"), { recursive: true })
    for (const path of ["package.json", ...also]) cpSync(join(root, path), join(folder, path), { recursive: true })
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    for (const { from, times = 1, to, under } of changes) {
      const place = join(folder, "src", under)
      const files = statSync(place).isFile()
        ? [place]
        : readdirSync(place, { recursive: true, encoding: "utf8" })
            .filter((name) => name.endsWith(".ts"))
            .map((name) => join(place, name))
      const found = files.filter((file) => readFileSync(file, "utf8").includes(from))
      const counts = found.map((file) => readFileSync(file, "utf8").split(from).length - 1)
      if (counts.length !== 1 || counts[0] !== times)
        throw new Error(`src/${under} no longer has ${times} times: ${from}`)
      for (const file of found)
        writeFileSync(
          file,
          readFileSync(file, "utf8").replaceAll(from, () => to)
        )
    }
    return await load(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
