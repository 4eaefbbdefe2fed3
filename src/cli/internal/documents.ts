/** Files of exported runs: a line of JSON a run, gzipped where the file's name says so. */
import { Clock, Effect } from "effect"
import * as fs from "node:fs/promises"
import { basename, join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import * as Archive from "../../outbox/Archive.ts"
import { rootOf, stop } from "./exits.ts"

const attempt = <A>(what: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (error) => stop("usage", `${what}: ${rootOf(error)}. Nothing more was done.`) })

/** The documents in a file. Fails where one of its lines is none. */
export const read = Effect.fnUntraced(function* (file: string) {
  const text = yield* attempt(`${file} cannot be read`, async () => {
    const bytes = await fs.readFile(file)
    const isGzip = bytes[0] === 0x1f && bytes[1] === 0x8b
    return (isGzip ? gunzipSync(bytes) : bytes).toString("utf8")
  })
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  return yield* Effect.forEach(lines, (line) => Archive.fromLine(line))
})

/** Writes one document into a file that may be there. */
export const write = (file: string, line: string) => {
  const bytes = Buffer.from(`${line}\n`, "utf8")
  return attempt(`${file} cannot be written`, () =>
    fs.writeFile(file, file.endsWith(".gz") ? gzipSync(bytes) : bytes, { mode: 0o600 })
  )
}

/**
 * A new file in a folder, for documents to be added to.
 *
 * What is added is a whole member of the gzip file, on the disk before it is answered: what was cut off by a crash is the
 * last one, whose runs were not removed then.
 */
export const newFile = Effect.fnUntraced(function* (folder: string) {
  const now = new Date(yield* Clock.currentTimeMillis).toISOString().replaceAll(/[-:]|\..*/g, "")
  const path = join(folder, `makegood-${now}-${process.pid}.jsonl.gz`)
  const what = `The archive ${basename(path)} cannot be written`
  yield* attempt(what, () => fs.mkdir(folder, { recursive: true }))
  const append = (documents: ReadonlyArray<Archive.Document>) =>
    attempt(what, async () => {
      const handle = await fs.open(path, "a", 0o600)
      try {
        await handle.appendFile(gzipSync(documents.map((document) => `${Archive.toLine(document)}\n`).join("")))
        await handle.sync()
      } finally {
        await handle.close()
      }
    })
  return { path, append }
})
