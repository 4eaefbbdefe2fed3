import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import type * as Entry from "../../src/outbox/Entry.ts"
import * as Path from "../../src/outbox/Path.ts"
import * as RunState from "../../src/outbox/RunState.ts"

const stored = (entries: ReadonlyArray<Entry.Entry>): ReadonlyArray<Entry.Stored> =>
  entries.map((entry, seq) => ({ seq, epoch: 1, at: 1000 + seq, entry }))

const claimed = (from: Entry.ClaimedFrom): Entry.Entry => ({ _tag: "claimed", worker: "worker", from })
const intended = (path: string): Entry.Entry => ({
  _tag: "intended",
  path,
  tool: "HoldSeat",
  toolVersion: 1,
  act: Path.compensatedBy(path) === undefined ? "reversible" : "compensation",
  key: path,
  digest: "digest"
})
const attempted = (path: string, attempt: number): Entry.Entry => ({ _tag: "attempted", path, attempt })
const attemptFailed = (path: string, of: Entry.Class, retryAt?: number): Entry.Entry => ({
  _tag: "attempt_failed",
  path,
  attempt: 1,
  class: of,
  leaves: of === "inDoubt" ? "doubt" : retryAt === undefined ? "given_up" : "retry",
  stamp: 1,
  ...(retryAt === undefined ? {} : { retryAt })
})
const settled = (path: string, happened: false | "either"): Entry.Entry => ({
  _tag: "settled",
  path,
  how: happened === false ? "lookup" : "sameKey",
  happened
})
const succeeded = (path: string, stamp = 1): Entry.Entry => ({
  _tag: "succeeded",
  path,
  how: "executed",
  value: "1",
  stamp
})
const failed = (path: string, stamp = 1): Entry.Entry => ({ _tag: "failed", path, class: "permanent", stamp })
const recorded = (path: string, stamp = 1): Entry.Entry => ({ _tag: "recorded", path, value: "1", stamp })
const told = (id: string, message: Entry.Told["message"] = "resume"): Entry.Told => ({
  _tag: "told",
  message,
  id,
  by: "a person"
})
const stuck: Entry.Entry = { _tag: "stuck", reason: "in_doubt", path: "a", why: "nobody knows" }
const began: Entry.Entry = { _tag: "rollback_began", cause: "failed" }

/** A record that could have been written, told by numbers: each one picks what happens next, and to which call. */
const history = (picks: ReadonlyArray<number>): ReadonlyArray<Entry.Stored> => {
  const entries: Array<Entry.Entry> = [claimed("start")]
  const open: Array<string> = []
  const done: Array<string> = []
  for (const [index, pick] of picks.entries()) {
    const scope = ["", "hotel", "legs/0"][pick % 3] as string
    const path = Path.step(scope, "Step", index + 1)
    const call = open[pick % Math.max(open.length, 1)]
    const kind = Math.floor(pick / 7) % 12
    if (kind === 0) entries.push(claimed("dead"))
    else if (kind === 1) entries.push(recorded(path, pick))
    else if (kind === 2) entries.push(told(`${pick % 5}`, pick % 2 === 0 ? "cancel" : "resume"))
    else if (kind === 3) entries.push(stuck)
    else if (kind === 4) entries.push(began)
    else if (kind === 5 && done.length > 0) {
      const compensation = Path.compensationOf(done.pop() as string)
      entries.push(intended(compensation))
      open.push(compensation)
    } else if (call === undefined || kind === 6 || kind === 5) {
      entries.push(intended(path))
      open.push(path)
    } else if (kind === 7) entries.push(attempted(call, pick))
    else if (kind === 8) entries.push(attemptFailed(call, pick % 2 === 0 ? "inDoubt" : "transient", pick))
    else if (kind === 9) entries.push(settled(call, pick % 2 === 0 ? false : "either"))
    else {
      entries.push(kind === 10 ? succeeded(call, pick) : failed(call, pick))
      open.splice(open.indexOf(call), 1)
      if (kind === 10 && Path.compensatedBy(call) === undefined) done.push(call)
    }
  }
  return stored(entries)
}

/** Everything of a state but its growing. */
const seen = ({ add: _, ...state }: RunState.Growing) => structuredClone(state)

const grown = (entries: ReadonlyArray<Entry.Stored>): RunState.Growing => {
  const state = RunState.make()
  for (const entry of entries) state.add(entry)
  return state
}

const folded = (entries: ReadonlyArray<Entry.Stored>) => seen(RunState.fold(entries) as RunState.Growing)

const frozen = <A>(value: A): A => {
  if (typeof value === "object" && value !== null) Object.values(Object.freeze(value)).forEach(frozen)
  return value
}

const callOf = (state: RunState.RunState, path: string): RunState.Call => {
  const step = state.steps.get(path)
  if (step?._tag !== "call") return assert.fail(`${path} is no call`)
  return step
}

const picks = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 })))

describe("RunState", () => {
  it.prop("folds the same entries to the same state, and leaves them as they are (G5)", [picks], ([picks]) => {
    const entries = frozen(history(picks))
    assert.deepStrictEqual(folded(entries), folded(structuredClone(entries)))
  })

  it.prop("grows entry by entry to what folding in one go gives, at every entry (G5)", [picks], ([picks]) => {
    const entries = history(picks)
    const state = RunState.make()
    for (const [index, entry] of entries.entries()) {
      state.add(entry)
      assert.deepStrictEqual(seen(state), folded(entries.slice(0, index + 1)))
    }
  })

  it.prop("hands each outcome to the body once, in recorded order (G5)", [picks], ([picks]) => {
    const entries = history(picks)
    const outcomes = entries.flatMap(({ entry }) =>
      (entry._tag === "succeeded" || entry._tag === "failed" || entry._tag === "recorded") &&
      Path.compensatedBy(entry.path) === undefined
        ? [entry.path]
        : []
    )
    const { delivered } = RunState.fold(entries)
    assert.deepStrictEqual(delivered, outcomes)
    assert.strictEqual(new Set(delivered).size, delivered.length)
  })

  it.prop("keeps every step in its scope, in the order in which they were asked", [picks], ([picks]) => {
    const { scopes, steps } = RunState.fold(history(picks))
    for (const [scope, paths] of scopes) {
      assert.deepStrictEqual(
        paths,
        [...steps.keys()].filter((path) => Path.scopeOf(path) === scope)
      )
    }
    assert.strictEqual([...scopes.values()].flat().length, steps.size)
  })

  it.prop("never turns the stamp back, and stands at the last entry", [picks], ([picks]) => {
    const entries = history(picks)
    let before = 0
    const state = RunState.make()
    for (const entry of entries) {
      state.add(entry)
      assert.isAtLeast(state.stamp, before)
      before = state.stamp
      assert.strictEqual(state.seq, entry.seq)
      assert.strictEqual(state.epoch, entry.epoch)
    }
  })

  it("is nothing before the first entry", () => {
    const state = RunState.fold([])
    assert.strictEqual(state.seq, -1)
    assert.strictEqual(state.epoch, 0)
    assert.strictEqual(state.steps.size, 0)
  })

  it("keeps what was intended, each attempt and the outcome of a call", () => {
    const call = callOf(
      grown(
        stored([
          claimed("start"),
          intended("a"),
          attemptFailed("a", "transient", 5000),
          attempted("a", 2),
          succeeded("a", 7)
        ])
      ),
      "a"
    )
    assert.strictEqual(call.seq, 1)
    assert.strictEqual(call.intendedAt, 1001)
    assert.strictEqual(call.attempt, 2)
    assert.deepStrictEqual(
      call.attempts.map(({ retryAt }) => retryAt),
      [5000]
    )
    assert.strictEqual(call.outcome?._tag, "succeeded")
    assert.strictEqual(call.outcome?.seq, 4)
    assert.strictEqual(call.outcome?.stamp, 7)
  })

  it("keeps a compensation on its call, and hands its outcome to no body", () => {
    const state = RunState.fold(
      stored([
        intended("hotel/a"),
        succeeded("hotel/a"),
        intended("hotel/a!compensate"),
        succeeded("hotel/a!compensate")
      ])
    )
    assert.deepStrictEqual([...state.steps.keys()], ["hotel/a"])
    assert.deepStrictEqual(state.delivered, ["hotel/a"])
    assert.strictEqual(callOf(state, "hotel/a").compensation?.outcome?._tag, "succeeded")
  })

  it("counts deaths since the last sign of progress (G16)", () => {
    const deaths = (...entries: ReadonlyArray<Entry.Entry>) => RunState.fold(stored(entries)).deaths
    const dead = claimed("dead")
    assert.strictEqual(deaths(claimed("start"), dead, dead, intended("a"), dead), 3)
    assert.strictEqual(deaths(dead, dead, claimed("queue"), claimed("inbox")), 2)
    assert.strictEqual(deaths(dead, claimed("own"), claimed("own")), 3)
    assert.strictEqual(deaths(dead, { _tag: "rested", until: 1 }, claimed("queue"), dead), 2)
    for (const progress of [recorded("r"), stuck, told("1"), began]) assert.strictEqual(deaths(dead, progress, dead), 1)
    assert.strictEqual(deaths(intended("a"), dead, attempted("a", 2), dead), 2)
    for (const end of [succeeded("a"), failed("a"), attemptFailed("a", "transient", 1)]) {
      assert.strictEqual(deaths(intended("a"), dead, end), 0)
    }
  })

  it("is stuck until somebody speaks, and keeps the first cancel", () => {
    assert.strictEqual(RunState.fold(stored([stuck])).stuck, stuck)
    const first = told("1", "cancel")
    const state = RunState.fold(stored([stuck, first, told("2", "cancel"), told("3")]))
    assert.strictEqual(state.stuck, undefined)
    assert.strictEqual(state.cancel, first)
    assert.deepStrictEqual([...state.told], ["1", "2", "3"])
  })

  it("keeps the end and how the rollback began", () => {
    const ended: Entry.Entry = { _tag: "ended", state: "rolled_back" }
    const state = RunState.fold(stored([began, ended]))
    assert.strictEqual(state.rollback, began)
    assert.strictEqual(state.ended, ended)
  })

  it.each([
    attempted("a", 2),
    attemptFailed("a", "inDoubt"),
    settled("a", false),
    succeeded("a"),
    failed("a"),
    intended("a!compensate"),
    succeeded("a!compensate")
  ])("refuses $_tag of a call that was not intended", (entry) => {
    assert.throws(() => RunState.fold(stored([entry])), /before its intent/)
    assert.throws(() => RunState.fold(stored([recorded("a"), entry])), /before its intent/)
  })

  const a = [intended("a")]
  const done = [...a, succeeded("a"), intended("a!compensate")]
  it.each<readonly [RunState.CallState, string, ReadonlyArray<Entry.Entry>]>([
    ["intended", "was begun", a],
    ["intended", "waits for its next attempt", [...a, attemptFailed("a", "transient", 5000)]],
    ["in_doubt", "may have happened", [...a, attemptFailed("a", "inDoubt")]],
    [
      "intended",
      "was in doubt and is sent again",
      [...a, attemptFailed("a", "inDoubt"), settled("a", "either"), attempted("a", 2)]
    ],
    ["intended", "was in doubt and did not happen", [...a, attemptFailed("a", "inDoubt"), settled("a", false)]],
    ["succeeded", "succeeded", [...a, succeeded("a")]],
    ["succeeded", "was in doubt and had happened", [...a, attemptFailed("a", "inDoubt"), succeeded("a")]],
    ["failed", "failed", [...a, failed("a")]],
    ["compensating", "is being taken back", done],
    ["compensating", "waits to be taken back", [...done, attemptFailed("a!compensate", "transient", 5000)]],
    ["compensated", "was taken back", [...done, succeeded("a!compensate")]],
    ["compensation_failed", "could not be taken back", [...done, attemptFailed("a!compensate", "permanent")]],
    [
      "compensating",
      "is tried again after a person spoke",
      [...done, attemptFailed("a!compensate", "permanent"), told("1")]
    ]
  ])("calls a call %s that %s", (state, _, entries) => {
    assert.strictEqual(RunState.callState(callOf(RunState.fold(stored(entries)), "a")), state)
  })
})
