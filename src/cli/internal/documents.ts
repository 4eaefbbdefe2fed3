/** Files of exported runs: a line of JSON a run, gzipped where the file's name says so. */
import { Clock, Effect, Stream } from "effect"
import * as fs from "node:fs/promises"
import { basename, join } from "node:path"
import { constants, createGunzip, gzipSync } from "node:zlib"
import * as Archive from "../../outbox/Archive.ts"
import { rootOf, stop } from "./exits.ts"

const attempt = <A>(what: string, run: () => Promise<A>) =>
  Effect.tryPromise({ try: run, catch: (error) => stop("usage", `${what}: ${rootOf(error)}. Nothing more was done.`) })

/**
 * The lines of a file, gzipped or not, as they are read: archives can be larger than memory.
 *
 * Of a gzip file that was cut off by a crash the last, incomplete line is left out: its runs were not removed.
 */
async function* linesOf(file: string): AsyncGenerator<string> {
  const handle = await fs.open(file)
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(2), 0, 2, 0)
    const isGzip = bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
    const bytes = handle.createReadStream({ start: 0, autoClose: false })
    const texts = isGzip ? bytes.pipe(createGunzip({ finishFlush: constants.Z_SYNC_FLUSH })) : bytes
    bytes.on("error", (error) => texts.destroy(error))
    const decoder = new TextDecoder("utf-8", { fatal: true })
    let rest = ""
    for await (const chunk of texts) {
      rest += decoder.decode(chunk as Uint8Array, { stream: true })
      const lines = rest.split("\n")
      rest = lines.pop()!
      yield* lines
    }
    if (!isGzip && rest !== "") yield rest
  } finally {
    await handle.close()
  }
}

/** The documents in a file, one after the other. Fails where one of its lines is none. */
export const read = (file: string) =>
  Stream.fromAsyncIterable(linesOf(file), (error) =>
    stop("usage", `${file} cannot be read: ${rootOf(error)}. Nothing more was done.`)
  ).pipe(
    Stream.filter((line) => line.trim() !== ""),
    Stream.mapEffect(Archive.fromLine)
  )

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
