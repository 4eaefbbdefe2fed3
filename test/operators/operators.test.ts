/** Every row of the tables in `docs/operators.md`, played or compiled; and the page, which is printed from the same rows. */
import { assert, beforeAll, describe, it } from "@effect/vitest"
import { Effect, Layer, Logger, References, Schema, Tracer } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { Saga } from "makegood"
import { Crash, FakeWorld, SagaTest } from "makegood/testing"
import { check } from "../../scripts/docs-check.ts"
import { printed, written } from "./document.ts"
import { isSaid, messages, type Message } from "./messages.ts"
import { A, B, type Body, type Hangs, No, Refused, type Refusal, type Row, type Stuck, type Works } from "./row.ts"
import { rows } from "./rows.ts"

const Trip = Saga.make("Trip", {
  version: 1,
  payload: {},
  success: Schema.Json,
  error: Refused,
  tools: [A, B, No],
  idempotencyKey: () => "1"
})

const standIns = FakeWorld.standIns([A, B, No], {
  A: ({ of }) => of,
  B: ({ of }) => of,
  No: () => Effect.fail(new Refused())
})

/** Plays a body, and counts what is seen of it. */
const play = (body: () => Body, ...mishaps: ReadonlyArray<SagaTest.Mishap>) => {
  let seen = 0
  const logger = Logger.make<unknown, unknown>(({ message }) => {
    if (String(message) === "seen") seen++
  })
  const tracer = Tracer.make({
    span: (options) => {
      if (options.name === "seen") seen++
      return new Tracer.NativeSpan(options)
    }
  })
  const layer = Trip.toLayer(() => body() as Effect.Effect<Schema.Json, Refused>).pipe(
    Layer.provide([
      Logger.layer([logger]),
      Layer.succeed(Tracer.Tracer, tracer),
      Layer.succeed(References.MinimumLogLevel, "All")
    ])
  )
  const played = SagaTest.play(Trip, { layer, payload: {}, standIns, mishaps })
  return Effect.map(played, (run) => ({ run, seen }))
}

const resultOf = ({ run }: SagaTest.Played): unknown => (run?.result === undefined ? undefined : JSON.parse(run.result))

const works = Effect.fnUntraced(function* (row: Works) {
  const { run } = yield* play(row.body)
  assert.strictEqual(run.run?.state, "completed", run.stuck?.why)
  if (row.gives !== undefined) assert.deepStrictEqual(resultOf(run), row.gives)
  const places = run.points.flatMap((point) => (point._tag === "landmark" ? [Crash.at(point.name, point.nth)] : []))
  assert.isAbove(places.length, 5)
  for (const place of places) {
    const again = yield* play(row.body, place)
    assert.strictEqual(again.run.lives, 2)
    assert.strictEqual(again.run.run?.state, "completed", `${place.landmark} ${place.nth}: ${again.run.stuck?.why}`)
    if (row.gives !== undefined) assert.deepStrictEqual(resultOf(again.run), row.gives)
  }
  if (row.seen === undefined) return
  assert.strictEqual((yield* play(row.body, Crash.at("call.after-act", 2))).seen, row.seen)
})

const stuck = Effect.fnUntraced(function* (row: Stuck) {
  const diverges = row.becomes === "stuck: diverged"
  if (diverges) assert.strictEqual((yield* play(row.body)).run.run?.state, "completed")
  const { run } = yield* play(row.body, ...(diverges ? [Crash.at("call.after-act", 2)] : []))
  assert.strictEqual(`stuck: ${run.stuck?.reason}`, row.becomes)
  assert.isTrue(isSaid(run.stuck?.why ?? "", row.says), run.stuck?.why)
  assert.notInclude(
    run.evidence.ledger.map(({ kind }) => kind),
    "undo"
  )
})

const hangs = Effect.fnUntraced(function* (row: Hangs) {
  const { run } = yield* play(row.body)
  assert.deepStrictEqual([run.run?.state, run.stuck], ["running", undefined])
  assert.deepStrictEqual(run.executions, [])
})

const isRefusal = (row: Row): row is Refusal => row.becomes === "does not compile"

const programOf = ({ program }: Pick<Refusal, "program">) => `
import { Context, Effect, Layer } from "effect"
import { Saga, Tool, Worker } from "makegood"

class Service extends Context.Service<Service, { readonly name: string }>()("Service") {}

const manner = { parameters: {}, execute: () => Effect.void, compensate: () => Effect.void, inDoubt: Tool.idempotent }
const Listed = Tool.make("Listed", manner)
const Unlisted = Tool.make("Unlisted", manner)
const Trip = Saga.make("Trip", { version: 1, payload: {}, tools: [Listed], idempotencyKey: () => "1" })

export const used = [Service, Listed, Unlisted]
export const live: Layer.Layer<never, never, Worker.Worker> = Trip.toLayer(() => Effect.asVoid(${program}))
`

const documentOf = (name: string, row: Pick<Refusal, "program">) => ({
  path: `${name}.md`,
  text: `\`\`\`ts\n${programOf(row)}\n\`\`\`\n`
})

/** What the compiler says, by the name of the document. */
let wrong: ReadonlyMap<string, string>

const byDocument = (texts: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  let name = ""
  for (const line of texts.join("\n").split("\n")) {
    name = /^\s*([\w-]+)\.md\(/.exec(line)?.[1] ?? name
    found.set(name, `${found.get(name) ?? ""} ${line}`)
  }
  return found
}

beforeAll(async () => {
  const refusals = rows.filter(isRefusal).map((row, index) => documentOf(`row-${index}`, row))
  wrong = byDocument(await check([documentOf("right", { program: "Listed({})" }), ...refusals]))
}, 240_000)

describe("in the body of a saga", () => {
  for (const row of rows) {
    const others = "also" in row ? row.also : []
    const played = "body" in row ? [row, ...others.map((body) => ({ ...row, body }))] : [row]
    const isSo = (row: Row): Effect.Effect<void> => {
      if (row.becomes === "waits for ever") return hangs(row)
      if (row.becomes === "works" || row.becomes === "durable") return works(row as Works)
      if (!isRefusal(row)) return stuck(row as Stuck)
      return Effect.sync(() => {
        const said = `${wrong.get(`row-${rows.filter(isRefusal).findIndex((one) => one.operator === row.operator)}`)} .`
        assert.isTrue(isSaid(said, row.says), said)
      })
    }
    it.effect(`${row.operator}: ${row.becomes}`, () => Effect.forEach(played, isSo, { discard: true }))
  }

  it("a program that makes none of these mistakes compiles", () => {
    assert.isFalse(wrong.has("right"))
  })
})

describe("the page docs/operators.md", () => {
  const text = readFileSync(join(import.meta.dirname, "..", "..", "docs", "operators.md"), "utf8")

  it("has a row for each operator once, and quotes each message that a row names and no other", () => {
    assert.strictEqual(new Set(rows.map(({ operator }) => operator)).size, rows.length)
    const named = new Set<Message>(rows.flatMap((row) => ("says" in row ? [row.says] : [])))
    assert.sameMembers([...named], Object.keys(messages))
  })

  it("says what the rows say", () => {
    assert.strictEqual(text, written(text), "run `node test/operators/write.ts`")
  })

  it("is found to differ where a word of it is changed", () => {
    assert.include(text, printed)
    const changed = text.replace("**stuck: defect**", "**works**")
    assert.notStrictEqual(changed, text)
    assert.notStrictEqual(changed, written(changed))
  })
})
