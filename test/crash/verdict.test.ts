import { assert, describe, it } from "@effect/vitest"
import type { Line } from "./Ledger.ts"
import { violations } from "./verdict.ts"
import type { CallRow, Entry, Evidence } from "./verdict.ts"

type Written = Partial<Entry> & { readonly kind: string }

const written = (entries: ReadonlyArray<Written>): ReadonlyArray<Entry> =>
  entries.map((entry, seq) => ({
    path: undefined,
    act: undefined,
    key: undefined,
    state: undefined,
    epoch: 1,
    seq,
    at: 1_000 + seq * 10,
    ...entry
  }))

const call = (path: string): ReadonlyArray<Written> => [
  { kind: "intended", path, act: "reversible", key: `key of ${path}` },
  { kind: "succeeded", path }
]

const undone = (path: string): ReadonlyArray<Written> => [
  { kind: "intended", path: `${path}!compensate`, act: "compensation", key: `undo of ${path}` },
  { kind: "succeeded", path: `${path}!compensate` }
]

const line = (kind: "act" | "undo", path: string, at: number): Line => ({
  kind,
  target: "keyed",
  run: "run",
  step: path === "A" ? 1 : 2,
  key: `${kind === "act" ? "key" : "undo"} of ${path}`,
  of: kind === "undo" ? `key of ${path}` : undefined,
  worker: "worker",
  at,
  came: "done",
  lost: false
})

const rows = (state: string): ReadonlyArray<CallRow> =>
  ["A", "B"].map((path) => ({ path, key: `key of ${path}`, state }))

const completed: Evidence = {
  state: "completed",
  entries: written([{ kind: "claimed" }, ...call("A"), ...call("B"), { kind: "ended", state: "completed" }]),
  calls: rows("succeeded"),
  book: [line("act", "A", 1_015), line("act", "B", 1_035)]
}

const back: ReadonlyArray<Written> = [
  { kind: "claimed" },
  ...call("A"),
  ...call("B"),
  { kind: "rollback_began" },
  ...undone("B"),
  ...undone("A"),
  { kind: "ended", state: "rolled_back" }
]

const rolledBack: Evidence = {
  state: "rolled_back",
  entries: written(back),
  calls: rows("compensated"),
  book: [...completed.book, line("undo", "B", 1_065), line("undo", "A", 1_085)]
}

/** Evidence of one thing gone wrong, and how the verdict begins that finds it. */
const planted: ReadonlyArray<readonly [title: string, evidence: Evidence, finds: string]> = [
  ["an act done twice", { ...completed, book: [...completed.book, line("act", "B", 1_036)] }, "G1: B was done 2 times"],
  [
    "a recorded act that was never done",
    { ...completed, book: completed.book.slice(0, 1) },
    "G1: B is recorded and was not done"
  ],
  [
    "an act nobody recorded",
    { ...completed, book: [...completed.book, { ...line("act", "B", 1_036), key: "stray", step: 7 }] },
    "G1: nobody recorded"
  ],
  [
    "an act that was never taken back",
    { ...rolledBack, book: rolledBack.book.slice(0, -1) },
    "G1: A was done 1 times and taken back 0 times"
  ],
  [
    "an act taken back twice",
    { ...rolledBack, book: [...rolledBack.book, line("undo", "A", 1_086)] },
    "G9: A!compensate was done 2 times"
  ],
  [
    "a taking-back of what was not there",
    { ...rolledBack, book: [...rolledBack.book.slice(0, -1), { ...line("undo", "A", 1_085), came: "nothing" }] },
    "G9: A!compensate took back what was not there"
  ],
  [
    "a record that takes back in the wrong order",
    { ...rolledBack, entries: written([...back.slice(0, 6), ...undone("A"), ...undone("B"), back.at(-1)!]) },
    "G2: intended"
  ],
  [
    "a world that was taken back in the wrong order",
    { ...rolledBack, book: [...completed.book, line("undo", "A", 1_065), line("undo", "B", 1_066)] },
    "G2: the world"
  ],
  [
    "a request after the outcome was recorded",
    { ...completed, book: [...completed.book, { ...line("act", "A", 1_200), came: "known" }] },
    "G5: worker sent A"
  ],
  [
    "a request without an attempt of its own",
    { ...completed, book: [...completed.book, { ...line("act", "A", 1_015), came: "known" }] },
    "G16: A was sent 2 times"
  ],
  [
    "a key that serves two calls",
    {
      ...completed,
      entries: completed.entries.map((entry) => (entry.path === "B" ? { ...entry, key: "key of A" } : entry))
    },
    "G7: B has the key of A"
  ],
  [
    "a key that the world saw for two steps",
    { ...completed, book: [...completed.book, { ...line("act", "A", 1_015), step: 2, came: "known" }] },
    "G7: act run/2"
  ],
  [
    "a call begun after the rollback began",
    {
      ...rolledBack,
      entries: written([...back.slice(0, 3), { kind: "rollback_began" }, ...call("B"), ...back.slice(6)])
    },
    "G3: B"
  ],
  [
    "a gap in the record",
    { ...completed, entries: completed.entries.filter(({ seq }) => seq !== 2) },
    "G4: entry 3 stands at place 2"
  ],
  [
    "an entry of an older epoch",
    {
      ...completed,
      entries: completed.entries.map((entry) => (entry.seq === 3 ? { ...entry, epoch: 0 } : entry))
    },
    "G4: entry 3 (intended) has epoch 0"
  ],
  ["an entry after the end", { ...completed, entries: written([...completed.entries, ...call("C")]) }, "G11:"],
  [
    "an end that is not the run's",
    { ...completed, state: "rolled_back" },
    "G11: the run is rolled_back, its end says completed"
  ],
  [
    "a run that did not end",
    { ...completed, state: "running", entries: completed.entries.slice(0, -1) },
    "G1: it did not end"
  ],
  ["a view that says something else", { ...completed, calls: rows("intended") }, "view: A is intended"],
  ["a view that leaves a call out", { ...completed, calls: rows("succeeded").slice(1) }, "view: 1 calls"]
]

describe("The verdict on a run", () => {
  it("finds nothing wrong with a completed run and one that was rolled back", () => {
    assert.deepStrictEqual(violations(completed), [])
    assert.deepStrictEqual(violations(rolledBack), [])
  })

  for (const [title, evidence, finds] of planted) {
    it(`finds ${title}`, () => {
      const found = violations(evidence)
      assert.isTrue(
        found.some((violation) => violation.startsWith(finds)),
        found.join("\n") || "found nothing"
      )
    })
  }
})
