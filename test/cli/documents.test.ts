import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { gunzipSync, gzipSync } from "node:zlib"
import * as Documents from "../../src/cli/internal/documents.ts"
import * as Archive from "../../src/outbox/Archive.ts"
import * as Database from "../Database.ts"

const line = (key: string) =>
  JSON.stringify({
    makegood: 1,
    run: {
      runId: `00000000-0000-8000-8000-00000000000${key}`,
      saga: "Trip",
      version: 1,
      key,
      generation: 0,
      state: "completed",
      phase: "forward",
      payload: JSON.stringify("ä".repeat(50_000)),
      payloadDigest: "d",
      attributes: {},
      epoch: 1,
      createdAt: 0,
      changedAt: 0
    },
    entries: [],
    inbox: []
  })

const keys = (file: string) =>
  Effect.map(Stream.runCollect(Documents.read(file)), (documents) => documents.map(({ run }) => run.key))

const inFolder = <A, E>(test: (folder: string) => Effect.Effect<A, E>) =>
  Effect.scoped(Effect.flatMap(Database.temporaryDirectory, test))

describe("a file of documents", () => {
  it.live("is read as it is, gzipped or not, with a line's end after the last or without", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const file = join(folder, "runs")
        for (const text of [`${line("1")}\n${line("2")}\n`, `${line("1")}\n\n${line("2")}`]) {
          fs.writeFileSync(file, text)
          assert.deepStrictEqual(yield* keys(file), ["1", "2"])
        }
        fs.writeFileSync(file, gzipSync(`${line("1")}\n${line("2")}\n`))
        assert.deepStrictEqual(yield* keys(file), ["1", "2"])
      })
    )
  )

  it.live("that a crash cut off gives the runs that are whole in it, and no part of another", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const { append, path } = yield* Documents.newFile(folder)
        const documents = yield* Effect.forEach(["1", "2", "3"], (key) => Archive.fromLine(line(key)))
        yield* append(documents.slice(0, 2))
        const whole = fs.statSync(path).size
        yield* append(documents.slice(2))
        assert.deepStrictEqual(yield* keys(path), ["1", "2", "3"])
        assert.strictEqual(gunzipSync(fs.readFileSync(path)).toString().split("\n").length, 4)
        // The last eight bytes only tell whether the rest is whole.
        const all = fs.statSync(path).size - whole - 8
        for (const more of [1, 12, 60, all]) {
          const cut = join(folder, `cut-${more}`)
          fs.writeFileSync(cut, fs.readFileSync(path).subarray(0, whole + more))
          assert.deepStrictEqual(yield* keys(cut), more === all ? ["1", "2", "3"] : ["1", "2"], `${more} bytes more`)
        }
      })
    )
  )

  it.live("is refused where a line is none, or there is no file", () =>
    inFolder((folder) =>
      Effect.gen(function* () {
        const file = join(folder, "runs")
        fs.writeFileSync(file, `${line("1")}\nnonsense\n`)
        assert.strictEqual((yield* Effect.flip(keys(file)))._tag, "NoDocument")
        const missing = yield* Effect.flip(keys(join(folder, "none")))
        assert.match(missing.message, /cannot be read: ENOENT.*Nothing more was done/)
      })
    )
  )
})
