import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Child from "../../demo/internal/child.ts"
import type { Line } from "../../demo/internal/ledger.ts"
import * as Database from "../Database.ts"

const start = (ledgerFile: string) =>
  Effect.gen(function* () {
    const child = yield* Child.start("provider.ts", { LEDGER_FILE: ledgerFile })
    const { port } = (yield* child.ready) as { readonly port: number }
    const ask = (method: string, path: string, key?: string, body?: object) =>
      Effect.promise(async () => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, {
          method,
          headers: key === undefined ? {} : { "idempotency-key": key },
          ...(body === undefined ? {} : { body: JSON.stringify(body) })
        })
        return { status: response.status, body: (await response.json()) as unknown }
      })
    const kinds = Effect.map(ask("GET", "/ledger"), ({ body }) =>
      (body as ReadonlyArray<Line>).map((line) => `${line.kind} ${line.key}`)
    )
    return { ask, kinds, kill: child.kill }
  })

describe("the demo's provider", () => {
  it.live("acts once per key, also after it was killed, and refuses another request under a key", () =>
    Effect.gen(function* () {
      const file = join(yield* Database.temporaryDirectory, "ledger.jsonl")
      const charge = { card: "tok_4242", cents: 5 }
      const first = yield* start(file)
      const made = yield* first.ask("POST", "/charges", "k1", charge)
      assert.deepStrictEqual(made, { status: 201, body: { id: "charge-1", cents: 5 } })
      yield* first.kill

      const second = yield* start(file)
      assert.deepStrictEqual(yield* second.ask("POST", "/charges", "k1", charge), made)
      assert.strictEqual((yield* second.ask("POST", "/charges", "k1", { ...charge, cents: 6 })).status, 422)
      assert.strictEqual((yield* second.ask("POST", "/charges", undefined, charge)).status, 400)
      assert.deepStrictEqual(yield* second.kinds, ["act k1", "repeat k1"])
      assert.strictEqual(readFileSync(file, "utf8").trim().split("\n").length, 2)
    })
  )

  it.live("takes back each act once, and says so again to the same key", () =>
    Effect.gen(function* () {
      const { ask, kinds } = yield* start(join(yield* Database.temporaryDirectory, "ledger.jsonl"))
      yield* ask("POST", "/seats", "k1", { flight: "MG104" })
      const released = yield* ask("DELETE", "/seats/seat-1", "k2")
      assert.strictEqual(released.status, 200)
      assert.deepStrictEqual(yield* ask("DELETE", "/seats/seat-1", "k2"), released)
      assert.strictEqual((yield* ask("DELETE", "/seats/seat-1", "k3")).status, 404)
      assert.deepStrictEqual(yield* kinds, ["act k1", "takeBack k2", "repeat k2", "refusal k3"])
    })
  )

  it.live("refuses full flights, full hotels and cards that end in 0002", () =>
    Effect.gen(function* () {
      const { ask, kinds } = yield* start(join(yield* Database.temporaryDirectory, "ledger.jsonl"))
      assert.strictEqual((yield* ask("POST", "/seats", "k1", { flight: "MG000" })).status, 409)
      assert.strictEqual((yield* ask("POST", "/rooms", "k2", { hotel: "Full House" })).status, 409)
      assert.strictEqual((yield* ask("POST", "/charges", "k3", { card: "tok_0002", cents: 1 })).status, 402)
      assert.deepStrictEqual(yield* kinds, ["refusal k1", "refusal k2", "refusal k3"])
    })
  )
})
