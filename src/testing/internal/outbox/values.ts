/** Cases of the outbox suite: what goes in comes out, or is refused. */
import { Effect, Result } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type * as Entry from "../../../outbox/Entry.ts"
import type { OutboxError } from "../../../outbox/Outbox.ts"
import type { Draft } from "./stage.ts"
import { draft, fenced, message, recorded, to, toldOf, told } from "./stage.ts"

const texts: ReadonlyArray<readonly [what: string, text: string]> = [
  ["an escaped NUL", '{"a\\u0000b":"\\u0000"}'],
  ["halves of surrogate pairs, escaped", '["\\ud800","\\udc00","\\udc00\\ud800"]'],
  ["__proto__ and constructor as keys", '{"__proto__":{"a":1},"constructor":{"prototype":2}}'],
  ["256 levels of nesting", "[".repeat(128) + '{"a":'.repeat(128) + "1" + "}".repeat(128) + "]".repeat(128)],
  ["numbers that no double holds", "[123456789012345678901234567890,0.1000000000000000055,1e400,-0,1.0]"],
  ["the order of keys, doubles of keys and white space", '{ "b":1,"a" :2,"10":3,"9":4,\n"a":5 }'],
  [
    "characters beyond the first plane and beyond print",
    '"\ud83d\ude00 \u202e\u200b\ufeff \u2028\u2029 \u007f \uffff"'
  ],
  ["quotes, backslashes, braces and percent signs", '"\\"\\\\\' {\\"} $1 ${a} %s ; -- \\\\x00 \\\\N"'],
  ["nothing but null", "null"],
  ["an empty text", '""'],
  ["a text of a megabyte", JSON.stringify("0123456789äöü\n".repeat(75_000))]
]

const everyKind: ReadonlyArray<Entry.Entry> = [
  { _tag: "claimed", worker: "somebody", from: "dead" },
  {
    _tag: "intended",
    path: "hotel/HoldSeat~2",
    tool: "HoldSeat",
    toolVersion: 3,
    act: "reversible",
    key: "key",
    digest: "digest",
    value: "{}"
  },
  { _tag: "attempted", path: "hotel/HoldSeat~2", attempt: 2 },
  {
    _tag: "attempt_failed",
    path: "hotel/HoldSeat~2",
    attempt: 2,
    class: "rateLimited",
    leaves: "retry",
    value: '{"_tag":"Busy"}',
    why: "NUL \0, half a pair \ud800",
    retryAt: 1_700_000_000_000.5,
    stamp: 1_700_000_000_000.25
  },
  { _tag: "settled", path: "hotel/HoldSeat~2", how: "person", happened: "either", by: "a person", why: "it was seen" },
  { _tag: "settled", path: "hotel/HoldSeat~2", how: "lookup", happened: false },
  { _tag: "succeeded", path: "hotel/HoldSeat~2", how: "lookup", value: "[]", by: "a person", why: "so", stamp: 3 },
  { _tag: "succeeded", path: "hotel/HoldSeat~2", how: "executed", stamp: 0 },
  { _tag: "failed", path: "Charge!compensate", class: "permanent", value: "1", why: "no", stamp: 4 },
  { _tag: "recorded", path: "now", value: '"then"', stamp: 5 },
  { _tag: "rollback_began", cause: "cancelled", value: "1", by: "a person", why: "a change of mind" },
  { _tag: "stuck", reason: "in_doubt", path: "Charge", why: "nobody knows" },
  {
    _tag: "told",
    message: "resolve",
    id: "id",
    by: "a person",
    why: "it was seen",
    path: "Charge",
    happened: true,
    value: '{"b":1,"a":2}'
  },
  { _tag: "told", message: "resolve", id: "another id", by: "a person", happened: false },
  { _tag: "ended", state: "partly_rolled_back", value: "1" }
]

const isRefusal = (error: OutboxError) => {
  assert.equal(error._tag, "OutboxError")
  assert.equal(error.reason._tag, "Refused")
}

const refuses = (attempt: Effect.Effect<unknown, OutboxError>) =>
  Effect.map(Effect.result(attempt), (result) => {
    assert.ok(Result.isFailure(result), "it is refused")
    isRefusal(result.failure)
  })

/** Demands that what was given is what is there, unless it was refused. */
const keptOrRefused = <A>(given: A, kept: Effect.Effect<A, OutboxError>) =>
  Effect.map(Effect.result(kept), (result) => {
    if (Result.isFailure(result)) isRefusal(result.failure)
    else assert.deepEqual(result.success, given)
  })

export const values: ReadonlyArray<Draft> = [
  ...texts.map(([what, text]) =>
    draft(`keeps ${what} in payloads, entries, messages and results (G14)`, (stage) =>
      Effect.gen(function* () {
        const worker = yield* stage.worker
        const given = stage.newRun({ payload: text, worker })
        const held = { runId: given.runId, worker }
        yield* stage.outbox.start(given)
        const id = randomUUID()
        const spoken = { id, runId: held.runId, told: { message: "resolve", by: "a person", value: text } } as const
        yield* stage.outbox.send(spoken)
        assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), [spoken])
        const entries = [recorded("a", text), toldOf(spoken)]
        yield* stage.write(held, { entries, consumed: [id], change: to("completed", { result: text }) })
        assert.deepEqual(
          (yield* stage.entries(held.runId)).slice(1).map(({ entry }) => entry),
          entries
        )
        const { payload, result } = yield* stage.run(held.runId)
        assert.ok(payload === text && result === text)
      })
    )
  ),

  draft("keeps every field of every kind of entry, and adds none (G14)", ({ entries, held, write }) =>
    Effect.gen(function* () {
      const run = yield* held()
      yield* write(run, { entries: everyKind })
      assert.deepEqual(
        (yield* entries(run.runId)).slice(1).map(({ entry }) => entry),
        everyKind
      )
    })
  ),

  draft("keeps keys, attributes and words with NUL or half a surrogate pair, or refuses them (G14)", (stage) =>
    Effect.gen(function* () {
      for (const odd of ["a\0b", "a\ud800b", "\udc00"]) {
        const keyed = stage.newRun({ key: odd })
        yield* keptOrRefused(
          odd,
          Effect.andThen(stage.outbox.start(keyed), stage.run(keyed.runId)).pipe(Effect.map(({ key }) => key))
        )
        const attributes = { [odd]: "1", city: odd }
        const run = stage.newRun({ attributes })
        yield* keptOrRefused(
          attributes,
          Effect.andThen(stage.outbox.start(run), stage.run(run.runId)).pipe(
            Effect.map((kept) => ({ ...kept.attributes }))
          )
        )
        const runId = yield* stage.pending
        const plain = message(runId, randomUUID())
        const spoken = { ...plain, told: { ...plain.told, by: odd, why: odd, path: odd } }
        yield* keptOrRefused(
          [spoken],
          Effect.andThen(stage.outbox.send(spoken), stage.outbox.inboxOf(runId)).pipe(
            Effect.map((messages) => [...messages])
          )
        )
        const held = yield* stage.held()
        yield* keptOrRefused(
          ["claimed", odd],
          Effect.andThen(
            stage.append(held, { entries: [recorded(odd)] }),
            Effect.map(stage.entries(held.runId), (entries) => [...told(entries)])
          )
        )
      }
    })
  ),

  draft("refuses what is no JSON with a typed error, writes nothing of it, and lets others by (G14)", (stage) =>
    Effect.gen(function* () {
      const [bad, good] = [yield* stage.held(), yield* stage.held()]
      const broken = [recorded("a"), recorded("b", "{"), recorded("c")]
      const both = [refuses(stage.append(bad, { entries: broken })), stage.write(good)] as const
      yield* Effect.all(both, { concurrency: "unbounded" })
      assert.deepEqual(told(yield* stage.entries(bad.runId)), ["claimed"])
      assert.deepEqual(told(yield* stage.entries(good.runId)), ["claimed", "a"])
      yield* refuses(stage.append(bad, { change: to("completed", { result: "no" }) }))
      assert.deepEqual(told(yield* stage.entries(bad.runId)), ["claimed"])
      const run = stage.newRun({ payload: "" })
      yield* refuses(stage.outbox.start(run))
      yield* stage.write(bad)
      fenced(yield* stage.append(bad, { appendId: 2 }))
    })
  )
]
