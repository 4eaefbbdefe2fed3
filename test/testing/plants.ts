/** Good evidence for the checkers that need more than a small play shows, and the same with a violation planted in it. */
import { Schema } from "effect"
import type { Entry } from "../../src/outbox/Entry.ts"
import type { Evidence } from "../../src/testing/internal/evidence.ts"
import * as Record from "./records.ts"

const { attempted, began, done, ended, evidence, goesBack, intended, second, setback, succeeded, told } = Record

/** What is found, in evidence that is good but for that. */
export interface Plant {
  readonly what: string
  readonly good: Evidence
  readonly bad: Evidence
}

const one = (lines: ReadonlyArray<Record.Line>, more: Parameters<typeof Record.run>[2] = {}): Evidence =>
  evidence(Record.run("r1", lines, more))
const claimed = (from: "dead" | "inbox" | "queue", worker = "w2"): Entry => ({ _tag: "claimed", worker, from })
const at = (seconds: number) => began + seconds * second
const rested = (until?: number): Entry => ({ _tag: "rested", ...(until === undefined ? {} : { until }) })

// ---- G12

const slept = (until: number) =>
  one([
    { _tag: "awaited", path: "Sleep", wait: "timer", name: "Sleep", until },
    { _tag: "answered", path: "Sleep", how: "due", stamp: at(2) }
  ])
const triedAgain = (retryAt: number, ...between: ReadonlyArray<Entry>) =>
  one([intended("Pay"), setback("Pay", 1, { retryAt }), ...between, attempted("Pay", 2)])
const late = (deadline: number | undefined) => one([{ _tag: "rollback_began", cause: "deadline" }], { deadline })
const fromTheDead = (diedAt: number | undefined): Evidence => ({
  ...one([claimed("dead")]),
  workers: [{ id: "w1", leaseUntil: at(0), diedAt }]
})

// ---- G13

const show = (parameters: unknown, version = 1) => JSON.stringify({ show: { parameters, tool: "Pay", version } })
const asked = show({ cents: 1 })
const decision = (id: string, more: Partial<Extract<Entry, { readonly _tag: "told" }>> = {}) =>
  told("decide", id, {
    path: "Pay!approval",
    digest: Record.digestOf(asked),
    happened: true,
    sentAt: at(2),
    ...more
  })
const answered = (how: "approved" | "rejected" | "due", more: object = {}): Entry => ({
  _tag: "answered",
  path: "Pay!approval",
  how,
  stamp: at(3),
  ...(how === "due" ? {} : { message: "m1" }),
  ...more
})
const approved = (
  changes: {
    readonly said?: object
    readonly answer?: Entry
    readonly cents?: number
    readonly until?: number
    readonly outcome?: Entry
  } = {}
) => {
  const value = JSON.stringify({ cents: changes.cents ?? 1 })
  return one([
    {
      _tag: "awaited",
      path: "Pay!approval",
      wait: "approval",
      name: "Pay",
      value: asked,
      digest: Record.digestOf(asked),
      until: changes.until ?? at(100)
    },
    decision("m1", changes.said),
    changes.answer ?? answered("approved", { value: '{"by":["ann"]}' }),
    intended("Pay", { value, digest: Record.digestOf(value) }),
    changes.outcome ?? succeeded("Pay")
  ])
}
const refused = (outcome: Entry) => approved({ said: { happened: false }, answer: answered("rejected"), outcome })
const failed: Entry = { _tag: "failed", path: "Pay", class: "permanent", value: '"no"', stamp: at(3) }
const signals = (second_: string) =>
  one([
    ...["S", "S~2"].map((path): Entry => ({ _tag: "awaited", path, wait: "signal", name: "paid" })),
    told("signal", "m1", { name: "paid", value: "1" }),
    told("signal", "m2", { name: "paid", value: "2" }),
    { _tag: "answered", path: "S", how: "signal", message: "m1", value: "1", stamp: at(4) },
    { _tag: "answered", path: "S~2", how: "signal", message: second_, value: "2", stamp: at(4) }
  ])
const message = (id: string) => ({ id, runId: "r1", told: { message: "signal", by: "ann", name: "paid" } as const })

// ---- G14

const called = (value: string, digest = Record.digestOf(value), result = "null") =>
  one([intended("Pay", { value, digest }), succeeded("Pay", { value: result })])
const Pay = {
  name: "Pay",
  version: 1,
  parameters: Schema.Struct({ cents: Schema.Int }),
  success: Schema.Struct({ at: Schema.Date }),
  failure: Schema.Never
}
const through = (result: string): Evidence => ({ ...called('{"cents":1}', undefined, result), tools: [Pay] })

// ---- G15

const built = (version: number, compatible: ReadonlyArray<number>, saga = 1): Evidence => ({
  ...one([intended("Pay"), claimed("dead"), setback("Pay", 1), attempted("Pay", 2)]),
  builds: [
    {
      worker: "w2",
      saga: "Trip",
      version: saga,
      tools: new Map([["Pay", { version, compatibleWith: new Set(compatible) }]])
    }
  ]
})

// ---- G16

const requested = (...times: ReadonlyArray<number>): Evidence => ({
  ...one([intended("Pay"), setback("Pay", 1), attempted("Pay", 2), succeeded("Pay")]),
  ledger: times.map((time) => ({
    at: at(time),
    kind: "act" as const,
    what: "card",
    key: "key of Pay",
    came: time === times[0] ? ("done" as const) : ("known" as const)
  }))
})
const dying = (...last: ReadonlyArray<Entry>) => one([...Array.from({ length: 5 }, () => claimed("dead")), ...last])

// ---- L1 to L3

const died = (lines: ReadonlyArray<Record.Line>, how: "died" | "stopped" = "died"): Evidence => ({
  ...one(lines),
  observed: { until: at(60), deaths: [{ worker: "w1", at: at(1) + 1, how, leaseMillis: 5 * second }] }
})
const returned = (
  line: number,
  outages?: ReadonlyArray<{ readonly from: number; readonly until: number }>
): Evidence => ({
  ...one([intended("Pay"), [at(line), succeeded("Pay")]]),
  observed: { until: at(60), returns: [at(10)], ...(outages === undefined ? {} : { outages }) }
})
const heard = (time: number, ...more: ReadonlyArray<Record.Line>): Evidence => ({
  ...one([...more, [at(time), told("signal", "m1", { name: "paid" })]]),
  observed: { until: at(60), sent: [{ runId: "r1", id: "m1", at: at(10) }] }
})
const wokenUp = (time: number): Evidence => ({
  ...one([
    { _tag: "awaited", path: "Sleep", wait: "timer", name: "Sleep", until: at(10) },
    [at(time), { _tag: "answered", path: "Sleep", how: "due", stamp: at(10) }]
  ]),
  observed: { until: at(60) }
})

export const plants: Readonly<Record<string, ReadonlyArray<Plant>>> = {
  G12: [
    { what: "a timer goes off early", good: slept(at(2)), bad: slept(at(2) + 1) },
    { what: "an attempt is made early", good: triedAgain(at(3)), bad: triedAgain(at(3) + 1) },
    {
      what: "an attempt is made early though nobody asked",
      good: triedAgain(at(100), told("resume", "m1")),
      bad: triedAgain(at(100), rested(at(1)))
    },
    { what: "a deadline passes early", good: late(at(1)), bad: late(at(1) + 1) },
    { what: "a deadline passes that there is not", good: late(at(0)), bad: late(undefined) },
    {
      what: "a run is woken early",
      good: one([rested(at(2)), claimed("queue")]),
      bad: one([rested(at(3)), claimed("queue")])
    },
    {
      what: "a run is woken that only its inbox can wake",
      good: one([rested(), claimed("inbox")]),
      bad: one([rested(), claimed("queue")])
    },
    { what: "a run is taken from a worker that lives", good: fromTheDead(at(1)), bad: fromTheDead(undefined) },
    { what: "a run is taken from a worker that dies later", good: fromTheDead(at(1)), bad: fromTheDead(at(2)) }
  ],
  G13: [
    { what: "a message ends two waits", good: signals("m2"), bad: signals("m1") },
    { what: "a message that nobody sent ends a wait", good: signals("m2"), bad: signals("m3") },
    {
      what: "a message is heard twice",
      good: one([told("resume", "m1"), told("resume", "m2")]),
      bad: one([told("resume", "m1"), told("resume", "m1")])
    },
    {
      what: "a message is heard and stays where it was",
      good: { ...one([told("signal", "m1", { name: "paid" })]), inbox: [message("m2")] },
      bad: { ...one([told("signal", "m1", { name: "paid" })]), inbox: [message("m1")] }
    },
    { what: "an approval was one of something else", good: approved(), bad: approved({ said: { digest: "x" } }) },
    {
      what: "an approval was one of another call",
      good: approved(),
      bad: approved({ said: { path: "Other!approval" } })
    },
    { what: "a no is taken for a yes", good: approved(), bad: approved({ said: { happened: false } }) },
    { what: "an approval came too late", good: approved({ until: at(3) }), bad: approved({ until: at(2) }) },
    {
      what: "an approval came too soon",
      good: approved({ said: { sentAt: at(1) } }),
      bad: approved({ said: { sentAt: at(0) } })
    },
    {
      what: "nobody approved",
      good: approved(),
      bad: approved({ answer: answered("approved", { message: undefined }) })
    },
    { what: "other parameters are sent than were shown", good: approved(), bad: approved({ cents: 2 }) },
    {
      what: "other parameters are sent than were decided",
      good: approved({ answer: answered("approved", { value: '{"by":["ann"],"parameters":{"cents":1}}' }) }),
      bad: approved({ answer: answered("approved", { value: '{"by":["ann"],"parameters":{"cents":3}}' }) })
    },
    { what: "what was refused is done", good: refused(failed), bad: refused(succeeded("Pay")) },
    {
      what: "a wait has two ends",
      good: signals("m2"),
      bad: one([
        { _tag: "awaited", path: "S", wait: "signal", name: "paid" },
        { _tag: "answered", path: "S", how: "withdrawn", stamp: at(2) },
        { _tag: "answered", path: "S", how: "withdrawn", stamp: at(2) }
      ])
    }
  ],
  G14: [
    { what: "a value is no JSON", good: called("{}"), bad: called("{") },
    { what: "a value is not canonical", good: called('{"a":1,"b":2}'), bad: called('{"b":2,"a":1}') },
    { what: "a number is not canonical", good: called("[1,0.1]"), bad: called("[1.0,0.1]") },
    {
      what: "a value is not what its digest says",
      good: called('{"a":1}'),
      bad: called('{"a":1}', Record.digestOf("{}"))
    },
    {
      what: "the payload is not what its digest says",
      good: one([], { payload: "1", payloadDigest: Record.digestOf("1") }),
      bad: one([], { payload: "1" })
    },
    { what: "a result is not canonical", good: one([ended("completed")]), bad: one([], { result: "{ }" }) },
    {
      what: "a value does not come back through its schema",
      good: through('{"at":"2026-01-01T00:00:00.000Z"}'),
      bad: through('{"at":"2026-01-01"}')
    },
    { what: "a value cannot be read", good: through('{"at":"2026-01-01T00:00:00.000Z"}'), bad: through('"soon"') },
    {
      what: "a message is no JSON",
      good: one([told("signal", "m1", { value: '{ "b": 1, "a": 2 }' })]),
      bad: one([told("signal", "m1", { value: "undefined" })])
    }
  ],
  G15: [
    {
      what: "a worker has two versions of a tool",
      good: one([...done("Pay"), claimed("dead"), ...done("Pay~2", { toolVersion: 2 })]),
      bad: one([...done("Pay"), ...done("Pay~2", { toolVersion: 2 })])
    },
    { what: "a call goes on under a version that does not bear it", good: built(2, [1]), bad: built(2, []) },
    { what: "a run goes on under another version of its saga", good: built(1, []), bad: built(1, [], 2) }
  ],
  G16: [
    {
      what: "an attempt is left out",
      good: one([intended("Pay"), attempted("Pay", 2)]),
      bad: one([intended("Pay"), attempted("Pay", 3)])
    },
    {
      what: "an attempt fails that was never begun",
      good: one([intended("Pay"), setback("Pay", 1)]),
      bad: one([intended("Pay"), setback("Pay", 2)])
    },
    { what: "a call is made more often than counted", good: requested(1, 3), bad: requested(1, 3, 4) },
    { what: "a call is made before it is counted", good: requested(1, 3), bad: requested(1, 2) },
    { what: "a call is made before its intent", good: requested(1), bad: requested(0) },
    {
      what: "a run goes on that killed five workers",
      good: dying({ _tag: "stuck", reason: "poison", why: "it" }),
      bad: dying(intended("Pay"))
    },
    {
      what: "a run goes on that rests between one death and the next",
      good: one(
        Array.from({ length: 4 }, () => [claimed("dead"), rested(at(0))])
          .flat()
          .concat(attempted("Pay", 2))
      ),
      bad: one(Array.from({ length: 5 }, () => [claimed("dead"), rested(at(0))]).flat())
    },
    {
      what: "an intent is taken for progress",
      good: dying(told("resume", "m1"), intended("Pay")),
      bad: one([
        ...Array.from({ length: 5 }, (_, index) => [
          claimed("dead"),
          ...(index < 2 ? [intended(`Pay~${index}`)] : [])
        ]).flat(),
        attempted("Pay~0", 2)
      ])
    }
  ],
  G17: [
    {
      what: "a run is lost that was committed",
      good: { ...one([]), starts: [{ runId: "r1", committed: true }] },
      bad: { ...one([]), starts: [{ runId: "r2", committed: true }] }
    },
    {
      what: "a run is there that was taken back",
      good: { ...one([]), starts: [{ runId: "r2", committed: false }] },
      bad: { ...one([]), starts: [{ runId: "r1", committed: false }] }
    }
  ],
  G18: [
    {
      what: "a secret stands in an entry",
      good: { ...called('{"card":"***"}'), secrets: ["4111"] },
      bad: { ...called('{"card":"4111"}'), secrets: ["4111"] }
    },
    {
      what: "a secret stands in JSON in JSON",
      good: { ...called(JSON.stringify("no")), secrets: ['a"b'] },
      bad: { ...called(JSON.stringify('a"b')), secrets: ['a"b'] }
    },
    {
      what: "a secret stands in the register",
      good: { ...one([], { attributes: { card: "1" } }), secrets: ["4111"] },
      bad: { ...one([], { attributes: { card: "4111" } }), secrets: ["4111"] }
    },
    {
      what: "a secret stands in the inbox",
      good: { ...one([]), secrets: ["4111"], inbox: [message("m1")] },
      bad: { ...one([]), secrets: ["4111"], inbox: [message("m-4111")] }
    },
    {
      what: "a secret is logged",
      good: { ...one([]), secrets: ["4111"], texts: [{ where: "a log", text: "all is well" }] },
      bad: { ...one([]), secrets: ["4111"], texts: [{ where: "a log", text: "charged 4111" }] }
    }
  ],
  L1: [
    {
      what: "a dead worker's run is taken late",
      good: died([intended("Pay"), [at(8), claimed("dead")]]),
      bad: died([intended("Pay"), [at(8) + 2, claimed("dead")]])
    },
    {
      what: "a dead worker's run is never taken",
      good: died([rested()]),
      bad: died([intended("Pay")])
    },
    {
      what: "a stopped worker's run is taken late",
      good: died([intended("Pay"), [at(2), claimed("queue")]], "stopped"),
      bad: died([intended("Pay"), [at(3), claimed("queue")]], "stopped")
    }
  ],
  L2: [
    { what: "work goes on late", good: returned(15), bad: returned(16) },
    {
      what: "work goes on late after it was away once more",
      good: returned(18, [{ from: at(12), until: at(14) }]),
      bad: returned(20, [{ from: at(12), until: at(14) }])
    }
  ],
  L3: [
    { what: "a message is seen late", good: heard(12), bad: heard(13) },
    { what: "a message is never seen", good: heard(12), bad: { ...heard(12), runs: one([intended("Pay")]).runs } },
    { what: "a timer goes off late", good: wokenUp(12), bad: wokenUp(13) },
    {
      what: "a run that goes on is let wait",
      good: heard(12, goesBack),
      bad: heard(14, goesBack)
    }
  ]
}
