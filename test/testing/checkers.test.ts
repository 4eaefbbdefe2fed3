/** Each checker finds nothing in what really happened, and finds what is planted in it. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { Fault, SagaTest } from "makegood/testing"
import type { Entry, Stored } from "../../src/outbox/Entry.ts"
import { checkers } from "../../src/testing/internal/checkers/all.ts"
import type { Evidence, Line } from "../../src/testing/internal/evidence.ts"
import { DeskFake, tripWith } from "./mistakes.ts"
import { plants } from "./plants.ts"

const { ChargeCard, Trip, layer } = tripWith("none")

const played = (...mishaps: ReadonlyArray<SagaTest.Mishap>) =>
  Effect.map(
    SagaTest.play(Trip, { layer, payload: { trip: "t" }, world: DeskFake, mishaps }),
    ({ evidence }): Evidence => evidence
  )

/** Completed, after a doubt that was settled by sending again. */
const completed = played(Fault.losesReply(ChargeCard))
/** Rolled back: the seats were released. */
const wentBack = played(Fault.fails(ChargeCard, "permanent"))

type Run = Evidence["runs"][number]

const withRun = (evidence: Evidence, change: (run: Run) => Run): Evidence => ({
  ...evidence,
  runs: evidence.runs.map(change)
})

/** The entries numbered anew. */
const renumbered = (entries: ReadonlyArray<Stored>) => entries.map((stored, seq) => ({ ...stored, seq }))

const withEntries = (evidence: Evidence, change: (entries: ReadonlyArray<Stored>) => ReadonlyArray<Stored>) =>
  withRun(evidence, (run) => ({ ...run, entries: renumbered(change(run.entries)) }))

const withLines = (evidence: Evidence, change: (lines: ReadonlyArray<Line>) => ReadonlyArray<Line>): Evidence => ({
  ...evidence,
  ledger: change(evidence.ledger ?? [])
})

const isAt = (path: string, tag: Entry["_tag"]) => (stored: Stored) =>
  stored.entry._tag === tag && "path" in stored.entry && stored.entry.path === path

const one = <A>(all: ReadonlyArray<A>, is: (a: A) => boolean): A => {
  const found = all.find(is)
  assert.isDefined(found)
  return found
}

/** The same entry once more, after another. */
const again =
  (what: (stored: Stored) => boolean, after: (stored: Stored) => boolean, change: Partial<Entry> = {}) =>
  (entries: ReadonlyArray<Stored>) => {
    const copy = one(entries, what)
    return entries.flatMap((stored) =>
      after(stored) ? [stored, { ...copy, entry: { ...copy.entry, ...change } as Entry }] : [stored]
    )
  }

const without = (what: (stored: Stored) => boolean) => (entries: ReadonlyArray<Stored>) =>
  entries.filter((stored) => !what(stored))

const changed =
  (what: (stored: Stored) => boolean, change: Readonly<Record<string, unknown>>) => (entries: ReadonlyArray<Stored>) =>
    entries.map((stored) => (what(stored) ? { ...stored, entry: { ...stored.entry, ...change } as Entry } : stored))

const isTag = (tag: Entry["_tag"]) => (stored: Stored) => stored.entry._tag === tag
const isAct = (line: Line) => line.kind === "act" && line.came === "done"
const isUndo = (line: Line) => line.kind === "undo"

interface Plant {
  readonly of: Effect.Effect<Evidence>
  readonly what: string
  readonly plant: (evidence: Evidence) => Evidence
}

const charge = "ChargeCard"
const seats = "HoldSeats"
const releasing = "HoldSeats!compensate"

const planted: Readonly<Record<string, ReadonlyArray<Plant>>> = {
  G1: [
    {
      of: completed,
      what: "a card is charged twice",
      plant: (evidence) =>
        withLines(evidence, (lines) => [...lines, one(lines, (line) => isAct(line) && line.path === charge)])
    },
    {
      of: completed,
      what: "an act is there that nobody intended",
      plant: (evidence) => withLines(evidence, (lines) => lines.map((line) => ({ ...line, key: `${line.key}x` })))
    },
    { of: completed, what: "a recorded act is not there", plant: (evidence) => withLines(evidence, () => []) },
    {
      of: wentBack,
      what: "the seats are still there",
      plant: (evidence) => withLines(evidence, (lines) => lines.filter((line) => !isUndo(line)))
    }
  ],
  G2: [
    {
      of: wentBack,
      what: "the earlier call is taken back before the later one",
      plant: (evidence) =>
        withEntries(evidence, (entries) => {
          const later = (stored: Stored, path: string, key: string): Stored => ({
            ...stored,
            entry: { ...stored.entry, path, key } as Entry
          })
          const did = entries.filter((stored) => isAt(seats, "intended")(stored) || isAt(seats, "succeeded")(stored))
          const undid = entries.filter((stored) => "path" in stored.entry && stored.entry.path === releasing)
          return entries
            .filter((stored) => !("path" in stored.entry && stored.entry.path === charge))
            .flatMap((stored) =>
              isAt(seats, "succeeded")(stored)
                ? [stored, ...did.map((copy) => later(copy, "Later", "k1"))]
                : isAt(releasing, "succeeded")(stored)
                  ? [stored, ...undid.map((copy) => later(copy, "Later!compensate", "k2"))]
                  : [stored]
            )
        })
    }
  ],
  G3: [
    {
      of: wentBack,
      what: "a call begins after the rollback began",
      plant: (evidence) =>
        withEntries(
          evidence,
          again(isAt(seats, "intended"), isTag("rollback_began"), { path: "HoldSeats~2", key: "k" })
        )
    },
    {
      of: completed,
      what: "a call begins in a savepoint that failed",
      plant: (evidence) =>
        withEntries(evidence, (entries) =>
          changed(isAt(charge, "intended"), { path: "plan/ChargeCard" })(entries).flatMap((stored) =>
            isAt(seats, "succeeded")(stored)
              ? [stored, { ...stored, entry: { _tag: "savepoint_failed", path: "plan" } as Entry }]
              : [stored]
          )
        )
    }
  ],
  G4: [
    {
      of: completed,
      what: "an entry is missing",
      plant: (evidence) =>
        withRun(evidence, (run) => ({ ...run, entries: run.entries.filter((stored) => stored.seq !== 2) }))
    },
    {
      of: completed,
      what: "somebody writes in an epoch that nobody claimed",
      plant: (evidence) =>
        withRun(evidence, (run) => ({
          ...run,
          entries: run.entries.map((stored) => (stored.seq === 3 ? { ...stored, epoch: 2 } : stored))
        }))
    }
  ],
  G5: [
    {
      of: completed,
      what: "a call has two outcomes",
      plant: (evidence) => withEntries(evidence, again(isAt(seats, "succeeded"), isAt(charge, "intended")))
    },
    {
      of: completed,
      what: "a call goes on after its outcome",
      plant: (evidence) => withEntries(evidence, again(isAt(charge, "attempted"), isAt(charge, "succeeded")))
    },
    {
      of: completed,
      what: "the world is asked after the outcome was recorded",
      plant: (evidence) =>
        withLines(evidence, (lines) => lines.map((line) => ({ ...line, at: line.at + 1e9, sentAt: undefined })))
    }
  ],
  G6: [
    {
      of: completed,
      what: "a doubt is not settled before the call is sent again",
      plant: (evidence) => withEntries(evidence, without(isAt(charge, "settled")))
    },
    {
      of: completed,
      what: "a call reaches the world more often than it was attempted",
      plant: (evidence) => withEntries(evidence, without(isAt(charge, "attempted")))
    }
  ],
  G7: [
    {
      of: completed,
      what: "two calls have one key",
      plant: (evidence) =>
        withEntries(evidence, (entries) => {
          const { entry } = one(entries, isAt(seats, "intended"))
          return changed(isAt(charge, "intended"), { key: "key" in entry ? entry.key : "" })(entries)
        })
    },
    {
      of: completed,
      what: "a call is intended with other parameters",
      plant: (evidence) =>
        withEntries(evidence, again(isAt(seats, "intended"), isAt(seats, "intended"), { digest: "another" } as never))
    }
  ],
  G8: [
    {
      of: completed,
      what: "an outcome is another call's and does not say so",
      plant: (evidence) => withEntries(evidence, changed(isAt(charge, "succeeded"), { how: "duplicate" }))
    },
    {
      of: completed,
      what: "a duplicate is one of another intent",
      plant: (evidence) => withEntries(evidence, changed(isAt(charge, "succeeded"), { how: "duplicate", of: seats }))
    },
    {
      of: completed,
      what: "the world gives one call what it did for another",
      plant: (evidence) =>
        withLines(evidence, (lines) => [...lines, { ...one(lines, isAct), path: "Other", came: "known" }])
    }
  ],
  G9: [
    {
      of: wentBack,
      what: "a compensation takes effect twice",
      plant: (evidence) => withLines(evidence, (lines) => [...lines, one(lines, isUndo)])
    },
    {
      of: wentBack,
      what: "a compensation finds nothing to take back",
      plant: (evidence) =>
        withLines(evidence, (lines) => lines.map((line) => (isUndo(line) ? { ...line, came: "nothing" } : line)))
    },
    {
      of: wentBack,
      what: "what failed is taken back",
      plant: (evidence) =>
        withEntries(
          evidence,
          again(isAt(releasing, "intended"), isAt(releasing, "succeeded"), {
            path: "ChargeCard!compensate"
          })
        )
    }
  ],
  G10: [
    {
      of: wentBack,
      what: "the seats stand and the run says it is rolled back",
      plant: (evidence) =>
        withEntries(
          evidence,
          without((stored) => "path" in stored.entry && stored.entry.path === releasing)
        )
    },
    {
      of: completed,
      what: "a completed run hides a doubt",
      plant: (evidence) => withEntries(evidence, without(isAt(charge, "succeeded")))
    },
    {
      of: wentBack,
      what: "it is rolled back and never began to",
      plant: (evidence) => withEntries(evidence, without(isTag("rollback_began")))
    }
  ],
  G11: [
    {
      of: completed,
      what: "something is written after the end",
      plant: (evidence) => withEntries(evidence, again(isAt(seats, "intended"), isTag("ended")))
    },
    {
      of: completed,
      what: "the register says something else",
      plant: (evidence) => withRun(evidence, (run) => ({ ...run, run: { ...run.run, state: "rolled_back" } }))
    },
    {
      of: completed,
      what: "the result is another one",
      plant: (evidence) => withRun(evidence, (run) => ({ ...run, run: { ...run.run, result: "42" } }))
    }
  ]
}

describe("checkers", () => {
  it("are there for each guarantee that has plants here", () =>
    assert.deepStrictEqual(Object.keys(checkers), [...Object.keys(planted), ...Object.keys(plants)]))

  it.effect("find nothing in runs that went well, with the ledger and without", () =>
    Effect.gen(function* () {
      for (const evidence of [yield* completed, yield* wentBack]) {
        // Else G14 and G15 would have looked at less than they can.
        assert.deepStrictEqual(evidence.tools?.map(({ name }) => name).toSorted(), ["ChargeCard", "HoldSeats"])
        const claim = evidence.runs[0]?.entries[0]?.entry
        assert.deepStrictEqual(
          evidence.builds?.map(({ saga, worker }) => [saga, worker]),
          [[Trip.name, claim?._tag === "claimed" ? claim.worker : undefined]]
        )
        for (const checker of Object.values(checkers)) {
          assert.deepStrictEqual(checker(evidence), [])
          assert.deepStrictEqual(checker({ ...evidence, ledger: undefined }), [])
        }
      }
    })
  )
})

describe.each(Object.entries(planted))("the checker of %s", (guarantee, plants) => {
  it.effect.each(plants)("finds that $what", ({ of, plant }) =>
    Effect.gen(function* () {
      const found = checkers[guarantee]!(plant(yield* of))
      assert.isNotEmpty(found)
      for (const violation of found) {
        assert.strictEqual(violation.guarantee, guarantee)
        assert.isAbove(violation.what.length, 10)
      }
    })
  )
})

describe.each(Object.entries(plants))("the checker of %s", (guarantee, cases) => {
  it.each(cases)("finds that $what", ({ bad, good }) => {
    const checker = checkers[guarantee]!
    assert.deepStrictEqual(checker(good), [])
    const found = checker(bad)
    assert.isNotEmpty(found)
    for (const violation of found) assert.strictEqual(violation.guarantee, guarantee)
  })
})
