import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, Redacted } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { chmodSync, cpSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { ScriptedModel } from "../../src/agent/index.ts"
import { Outbox, Runs, Worker } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { atRest } from "../worker/bench.ts"
import { Scripted } from "./desk.ts"
import { connect, desk, programOf, script, treeOf } from "./mcp/files.ts"
import type { Orders, Place } from "./mcp/worker.ts"

/** A folder with all sorts of files, and one for what is not wanted any more. */
const folders = Effect.map(Database.temporaryDirectory, (directory) => {
  const model = join(directory, "model")
  const [root, trash] = [join(directory, "root"), join(directory, "trash")] as const
  for (const folder of [root, trash, join(model, "a"), join(model, "folder/inside")])
    mkdirSync(folder, { recursive: true })
  const put = (name: string, what: string | Uint8Array) => writeFileSync(join(model, name), what)
  put("old.txt", "\uFEFFthe first line\r\nthe second, with \u0000 and \u{1F9F3}, and no end")
  put("doc.md", "# A page\r\n\r\n  one line\r\nand the end\r\n\r\n")
  put("picture.bin", new Uint8Array([0, 255, 254, 128, 10, 13, 195]))
  put("folder/inside/leaf.txt", "a leaf")
  put("empty.txt", "")
  chmodSync(join(model, "old.txt"), 0o640)
  return {
    root,
    trash,
    make: (name: string) => {
      const folder = join(root, name)
      cpSync(model, folder, { recursive: true })
      return folder
    }
  }
})

const worker = Worker.layer({ poll: "50 millis", hold: "10 seconds" })

describe("files of a real MCP server", () => {
  it.live("are as they were after a rollback, byte for byte", () =>
    Effect.gen(function* () {
      const { make, root, trash } = yield* folders
      const folder = make("one")
      const before = treeOf(folder)
      const Clerk = yield* desk(yield* connect([programOf("server-filesystem"), root, trash]), trash)
      const model = new Scripted([
        ...script.slice(0, -1),
        () => {
          const between = treeOf(folder)
          assert.deepInclude(between, {
            "a/b/c/deep.txt": `644 ${Buffer.from("deep").toString("base64")}`,
            "a/moved.txt": `640 ${Buffer.from("written over").toString("base64")}`,
            "new.txt": `644 ${Buffer.from("newer").toString("base64")}`
          })
          assert.includeMembers(Object.keys(between), ["a/folder/inside/leaf.txt", "doc.md", "picture.bin"])
          assert.notInclude(Object.keys(between), "old.txt")
          return ScriptedModel.calls(["GiveUp", { why: "It was not to be." }])
        }
      ])
      yield* Effect.gen(function* () {
        const { runId } = yield* Clerk.start({ id: "a", prompt: folder })
        const run = yield* atRest(runId)
        assert.deepStrictEqual([run.state, run.standing], ["rolled_back", []])
        assert.deepStrictEqual(
          model.results(4).map(({ isFailure, name }) => [name, isFailure]),
          [
            ["read_text_file", false],
            ["edit_file", true],
            ["write_file", true],
            ["move_file", true]
          ]
        )
        assert.deepStrictEqual(treeOf(folder), before)
      }).pipe(Effect.provide(Clerk.toLayer({ model: model.layer }).pipe(Layer.provideMerge(worker))))
    }).pipe(
      Effect.scoped,
      Effect.provide(Outbox.layerMemory),
      Effect.timeout("50 seconds"),
      Effect.provide(Logger.layer([]))
    )
  )

  it.live("and so they are wherever the worker's process is killed: between calls, in one, and on the way back", () =>
    Effect.gen(function* () {
      const { make, root, trash } = yield* folders
      const url = yield* Database.fresh
      const database = PgClient.layer({ url, maxConnections: 8 })
      const outbox = Postgres.layer().pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(database))
      const requests = Array.from({ length: 18 }, (_, index) => index + 1)
      const places: ReadonlyArray<Place> = [
        ...[2, 3, 4, 5].map((nth) => ({ at: "turn", nth }) as const),
        ...requests.map((nth) => ({ at: "before", nth }) as const),
        ...requests.map((nth) => ({ at: "after", nth }) as const)
      ]
      const killed = places.map((place) => ({ place, folder: make(`${place.at}-${place.nth}`) }))
      const before = treeOf(killed[0]!.folder)
      const client = yield* connect([programOf("server-filesystem"), root, trash])
      const Clerk = yield* desk(client, trash, "6 seconds")
      const model = new Scripted(script)
      yield* Effect.gen(function* () {
        const runs = yield* Effect.forEach(killed, ({ folder }) => Clerk.start({ id: folder, prompt: folder })).pipe(
          Effect.provide(Runs.layer)
        )
        const orders: Orders = {
          root,
          trash,
          places: Object.fromEntries(killed.map(({ folder, place }) => [folder, place]))
        }
        yield* killedOnceAllStand(orders, Redacted.value(url))
        yield* Effect.gen(function* () {
          for (const [index, { runId }] of runs.entries()) {
            const { folder, place } = killed[index]!
            const at = `${place.at} ${place.nth}`
            const run = yield* atRest(runId)
            assert.deepStrictEqual([at, run.state, run.stuck, run.standing], [at, "rolled_back", undefined, []])
            assert.deepStrictEqual([at, treeOf(folder)], [at, before])
            const paid = run.calls.filter(({ act }) => act === "model").map(({ attempts }) => attempts)
            assert.deepStrictEqual(paid, place.at === "turn" ? [1, 1, 1, 1, 1].with(place.nth - 1, 2) : [1, 1, 1, 1, 1])
          }
        }).pipe(Effect.provide(Clerk.toLayer({ model: model.layer }).pipe(Layer.provideMerge(worker))))
      }).pipe(Effect.provide(outbox))
    }).pipe(Effect.scoped, Effect.timeout("55 seconds"), Effect.provide(Logger.layer([])))
  )
})

/** A worker's life: until each of its runs stands where it was told to, or has ended. */
const killedOnceAllStand = (orders: Orders, url: string) =>
  Effect.promise(async () => {
    const child = spawn(
      process.execPath,
      [...process.execArgv, join(import.meta.dirname, "mcp/worker.ts"), JSON.stringify(orders)],
      { env: { ...process.env, DATABASE_URL: url }, stdio: ["ignore", "pipe", "inherit"] }
    )
    const exited = once(child, "exit")
    const standing = new Set<string>()
    const all = Object.keys(orders.places).length
    const lines = createInterface(child.stdout)
    await new Promise<void>((resolve) => {
      lines.on("line", (line) => {
        standing.add(line)
        if (standing.size === all) resolve()
      })
      lines.on("close", resolve)
    })
    child.kill("SIGKILL")
    await exited
    lines.close()
    assert.strictEqual(standing.size, all)
  })
