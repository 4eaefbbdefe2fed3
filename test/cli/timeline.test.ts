import { assert, describe, it } from "@effect/vitest"
import { extentOf, lanesOf } from "../../src/cli/internal/lanes.ts"
import { coloured } from "../../src/cli/internal/table.ts"
import { bar, eventLine, eventOf, heading, timeline } from "../../src/cli/internal/timeline.ts"
import type * as Entry from "../../src/outbox/Entry.ts"
import type { Details } from "../../src/saga/Runs.ts"

/** Entries at times counted from 0, in order. */
const record = (...told: ReadonlyArray<readonly [at: number, entry: object]>): ReadonlyArray<Entry.Stored> =>
  told.map(([at, entry], seq) => ({ seq, epoch: 1, at, entry: { stamp: at, ...entry } as unknown as Entry.Entry }))

const intended = (path: string) => ({
  _tag: "intended",
  path,
  tool: path.replace("!compensate", ""),
  toolVersion: 1,
  act: path.endsWith("!compensate") ? "compensation" : "reversible",
  key: "k",
  digest: "d"
})
const succeeded = (path: string, rest: object = {}) => ({
  _tag: "succeeded",
  path,
  how: "executed",
  value: "1",
  ...rest
})
const failedOnce = (path: string, leaves: string) => ({
  _tag: "attempt_failed",
  path,
  attempt: 1,
  class: leaves === "doubt" ? "inDoubt" : "transient",
  leaves
})

const rolledBack = record(
  [0, { _tag: "claimed", worker: "w", from: "start" }],
  [0, intended("HoldSeat")],
  [100, succeeded("HoldSeat")],
  [100, intended("ChargeCard")],
  [200, failedOnce("ChargeCard", "retry")],
  [600, { _tag: "attempted", path: "ChargeCard", attempt: 2 }],
  [700, { _tag: "failed", path: "ChargeCard", class: "permanent" }],
  [700, { _tag: "rollback_began", cause: "failed" }],
  [700, intended("HoldSeat!compensate")],
  [900, succeeded("HoldSeat!compensate")],
  [1_000, { _tag: "ended", state: "rolled_back" }]
)

const draw = (entries: ReadonlyArray<Entry.Stored>, now = 1_000) => timeline(0, entries, { width: 80, now })

describe("the time line of a run", () => {
  it("draws calls, attempts, pauses and compensations where they were, with their states and lengths", () => {
    assert.deepStrictEqual(draw(rolledBack), [
      "                     0                            1.0 s",
      "HoldSeat             ████                                taken back       100 ms",
      "ChargeCard              ████·············████            failed      2x   600 ms",
      "HoldSeat!compensate                         ▒▒▒▒▒▒▒▒     done             200 ms",
      "                     █ calls  ▒ takes back  · pauses",
      "",
      "  +700 ms  goes back: failed",
      "   +1.0 s  ended: rolled back"
    ])
  })

  it("is never wider than it may be, however long paths, states and reasons are", () => {
    const path = `legs/0/${"A".repeat(60)}`
    const entries = record(
      [0, intended(path)],
      [10, { _tag: "stuck", reason: "defect", why: "word ".repeat(60), path }],
      [20, { _tag: "awaited", path: "wait", wait: "signal", name: "N".repeat(50) }]
    )
    for (const width of [40, 50, 60, 70, 80, 120]) {
      for (const line of timeline(0, entries, { width, now: 500 })) assert.isAtMost(line.length, width)
    }
  })

  it("draws what goes on until now, and a doubt as one", () => {
    const lines = draw(record([0, intended("A")], [500, failedOnce("A", "doubt")]))
    assert.match(lines[1]!, /^A {2}█{24,27}\?{24,27} {2}in doubt +1\.0 s$/)
  })

  it("draws waits, and how they ended", () => {
    const lines = draw(
      record(
        [0, { _tag: "awaited", path: "sleep", wait: "timer", name: "sleep" }],
        [500, { _tag: "answered", path: "sleep", how: "due" }],
        [500, { _tag: "awaited", path: "paid", wait: "signal", name: "paid" }]
      )
    )
    assert.match(lines[1]!, /^sleep {2}─+ +over +500 ms$/)
    assert.match(lines[2]!, /^paid +─+ {2}waits for signal paid +500 ms$/)
  })

  it("shows an act that is shorter than a cell, beside pauses and waits", () => {
    const { lanes } = lanesOf(
      record([0, intended("A")], [1, failedOnce("A", "retry")], [99_999, { _tag: "attempted", path: "A", attempt: 2 }])
    )
    assert.strictEqual(bar(lanes[0]!, 0, 100_000, 10), "█········█")
  })

  it("tells what people said, and takes no orders for the terminal from them", () => {
    const lines = draw(
      record(
        [100, { _tag: "told", message: "cancel", id: "1", by: "ann\u001b[2J", why: "twice\nordered" }],
        [200, { _tag: "told", message: "signal", id: "2", by: "bank", name: "paid" }],
        [300, { _tag: "skipped", path: "A", by: "ann", why: "refunded" }],
        [300, { _tag: "told", message: "child", id: "3", by: "x" }]
      )
    )
    assert.deepStrictEqual(lines, [
      "  +100 ms  ann·[2J said cancel: twice ordered",
      "  +200 ms  bank said signal paid",
      "  +300 ms  ann left A standing: refunded"
    ])
  })

  it("draws an act that is held until the body has succeeded as waiting, and then as a call", () => {
    const entries = record(
      [0, { ...intended("Send"), held: 0 }],
      [800, { _tag: "attempted", path: "Send", attempt: 1 }],
      [1_000, succeeded("Send")]
    )
    assert.match(draw(entries.slice(0, 1))[1]!, /^Send {2}─+ {2}held to the end +1\.0 s$/)
    assert.match(draw(entries)[1]!, /^Send {2}─+█+ {2}done +1\.0 s$/)
  })

  it("says what a look at the world found after a taking-back, and whom it asked again", () => {
    const entries = record(
      [0, intended("A")],
      [100, succeeded("A")],
      [200, intended("A!compensate")],
      [300, succeeded("A!compensate")],
      [300, { _tag: "verified", path: "A", verdict: "differs", why: "another price" }],
      [400, { _tag: "reminded", path: "ask", nth: 1, to: "managers" }]
    )
    const lines = draw(entries)
    assert.match(lines[1]!, /^A .*taken back \(differs\)/)
    assert.include(lines.join("\n"), "+300 ms  A was taken back (differs): another price")
    assert.include(lines.join("\n"), "+400 ms  asked again about ask, also managers")
  })

  it("has nothing to draw of a run that was not begun", () => assert.deepStrictEqual(draw([]), []))

  it("says how long a lane took, also one that goes on", () => {
    const { lanes } = lanesOf(record([100, intended("A")], [300, succeeded("A")], [300, intended("B")]))
    assert.deepStrictEqual(
      lanes.map((lane) => extentOf(lane, 1_000)),
      [
        { from: 100, millis: 200 },
        { from: 300, millis: 700 }
      ]
    )
  })

  it("ends every lane with the run", () => {
    const { lanes } = lanesOf(record([0, intended("A")], [100, { _tag: "ended", state: "rolled_back" }]))
    assert.strictEqual(extentOf(lanes[0]!, 5_000).millis, 100)
  })
})

describe("an entry as a line", () => {
  it.each([
    [intended("A"), "A is called"],
    [succeeded("A"), "A done: 1"],
    [succeeded("A", { value: "null" }), "A done"],
    [succeeded("A", { how: "person" }), "A done (person): 1"],
    [{ _tag: "failed", path: "A", class: "permanent", value: '{"_tag":"NoMoney"}' }, "A failed: NoMoney"],
    [{ _tag: "failed", path: "A", class: "permanent", value: '{"_tag":"No","left":3}' }, 'A failed: No {"left":3}'],
    [{ ...failedOnce("A", "doubt"), why: "silence" }, "A failed (inDoubt): silence"],
    [{ _tag: "settled", path: "A", how: "person", happened: false, by: "ann" }, "A did not happen, says ann"],
    [{ _tag: "stuck", reason: "in_doubt", why: "who knows" }, "stuck, in doubt: who knows"],
    [{ _tag: "ended", state: "partly_rolled_back" }, "ended: partly rolled back"],
    [{ _tag: "rested" }, "rests until it is called"],
    [{ _tag: "savepoint_failed", path: "plan-a" }, "plan-a savepoint failed"],
    [{ _tag: "something_new" }, "something new"]
  ])("%j", (entry, text) => assert.strictEqual(eventOf(record([0, entry])[0]!), text))

  it("begins with the time since the start, and fits", () => {
    const [stored] = record([1_234, succeeded("A", { value: JSON.stringify("x".repeat(200)) })])
    assert.match(eventLine(stored!, 0, 40), /^ {3}\+1\.2 s {2}A done: "x+…$/)
    assert.strictEqual(eventLine(stored!, 0, 40).length, 40)
  })
})

describe("the heading of a run", () => {
  const run = {
    runId: "3f2c81aa-0000-8000-8000-000000000000",
    saga: "Trip",
    version: 2,
    key: "trip\u001b-17",
    generation: 0,
    state: "stuck",
    phase: "rollback",
    createdAt: 0,
    changedAt: 5_000,
    attributes: { customer: "c-1" },
    payload: JSON.stringify({ text: "x".repeat(100) }),
    result: undefined
  } as unknown as Details

  it("says which it is and how it stands, and fits", () => {
    const lines = heading(run, { width: 60, now: 65_000 })
    assert.deepStrictEqual(lines.slice(0, 6), [
      "run       3f2c81aa-0000-8000-8000-000000000000",
      "saga      Trip, version 2",
      "key       trip·-17",
      "state     stuck, going back for 65 s",
      "started   1970-01-01 00:00:00 UTC",
      "customer  c-1"
    ])
    for (const line of lines) assert.isAtMost(line.length, 60)
  })

  it("says what came of one that ended", () => {
    const ended = { ...run, state: "rolled_back", result: '{"_tag":"NoMoney"}', generation: 1 } as Details
    const lines = heading(ended, { width: 80, now: 65_000, paint: coloured })
    assert.include(lines.join("\n"), "\u001b[36mrolled back\u001b[0m after 5.0 s")
    assert.include(lines.join("\n"), '{"_tag":"NoMoney"}')
    assert.include(lines.join("\n"), "(generation 1)")
  })
})
