/** Checkers know every feature: they find nothing in a good record of one, and find what is planted in it. */
import { assert, describe, it } from "@effect/vitest"
import type { Entry } from "../../src/outbox/Entry.ts"
import { checkers } from "../../src/testing/internal/checkers/all.ts"
import type { Evidence } from "../../src/testing/internal/evidence.ts"
import * as Record from "./records.ts"

const { attempted, denied, done, eitherWay, ended, goesBack, intended, setback, succeeded, told, undone } = Record

const one = (...lines: ReadonlyArray<Record.Line>): Evidence => Record.evidence(Record.run("r1", lines))
const doubt = { class: "inDoubt", leaves: "doubt" } as const
const held = { held: Record.began, act: "irreversible" } as const
const skipped = (path: string): Entry => ({ _tag: "skipped", path, by: "ann" })
const duplicate = (of: string): Entry => succeeded("Book~2", { how: "duplicate", of })
const child = (run: string, how: "completed" | "rolled_back"): ReadonlyArray<Entry> => [
  { _tag: "awaited", path: "Leg", wait: "child", name: "Leg", run, value: "{}", digest: Record.digestOf("{}") },
  told("child", `child:${run}`, { by: run, name: how, happened: how === "completed" }),
  { _tag: "answered", path: "Leg", how, message: `child:${run}`, by: run, stamp: Record.began }
]
const undoing = (...paths: ReadonlyArray<string>) =>
  intended("TakeBack", { act: "undo", value: JSON.stringify(paths), digest: Record.digestOf(JSON.stringify(paths)) })
const settled = (...back: ReadonlyArray<string>) =>
  one(
    ...done("Book"),
    ...done("Pay"),
    undoing("Book"),
    ...back.flatMap(undone),
    succeeded("TakeBack"),
    ended("completed")
  )
/** A rollback whose second call is not taken back. */
const notTakingBack = (...lines: ReadonlyArray<Record.Line>) =>
  one(...done("Book"), ...done("Pay"), goesBack, intended("Pay!compensate"), ...lines, ended("partly_rolled_back"))

interface Case {
  readonly guarantee: string
  readonly what: string
  readonly good: Evidence
  readonly bad: Evidence
}

const cases: ReadonlyArray<Case> = [
  {
    guarantee: "G10",
    what: "a doubt that a person denied, and one that came after that word",
    good: one(
      intended("Pay"),
      setback("Pay", 1, doubt),
      denied("Pay"),
      attempted("Pay", 2),
      setback("Pay", 2),
      goesBack,
      ended("rolled_back")
    ),
    bad: one(
      intended("Pay"),
      setback("Pay", 1, doubt),
      denied("Pay"),
      attempted("Pay", 2),
      setback("Pay", 2, doubt),
      goesBack,
      ended("rolled_back")
    )
  },
  {
    guarantee: "G10",
    what: "a doubt that was sent again, and one before that",
    good: one(intended("Pay"), setback("Pay", 1), goesBack, ended("rolled_back")),
    bad: one(
      intended("Pay"),
      setback("Pay", 1, doubt),
      eitherWay("Pay"),
      attempted("Pay", 2),
      setback("Pay", 2),
      goesBack,
      ended("rolled_back")
    )
  },
  {
    guarantee: "G10",
    what: "an act that was held for the end of the body",
    good: one(
      intended("Mail", held),
      { _tag: "body_succeeded", value: "null" },
      attempted("Mail", 1),
      succeeded("Mail"),
      ended("completed")
    ),
    bad: one(intended("Mail", held), ended("completed"))
  },
  {
    guarantee: "G10",
    what: "an act that was held in a run that went back",
    good: one(intended("Mail", held), goesBack, ended("rolled_back")),
    bad: one(intended("Mail", held), goesBack, attempted("Mail", 1), ended("rolled_back"))
  },
  {
    guarantee: "G10",
    what: "a question to a model, and an act",
    good: one(...done("Ask", { act: "model" }), goesBack, ended("rolled_back")),
    bad: one(...done("Ask", { act: "irreversible" }), goesBack, ended("rolled_back"))
  },
  {
    guarantee: "G10",
    what: "a doubt that a person skipped",
    good: one(intended("Pay"), setback("Pay", 1, doubt), goesBack, skipped("Pay"), ended("partly_rolled_back")),
    bad: one(intended("Pay"), setback("Pay", 1, doubt), goesBack, ended("partly_rolled_back"))
  },
  {
    guarantee: "G10",
    what: "a child that completed, and what became of it",
    good: Record.evidence(
      Record.run("r1", [...child("r2", "completed"), goesBack, ended("rolled_back")]),
      Record.run("r2", [...done("Book"), ended("completed")], { parent: "r1" }),
      Record.run("r3", [goesBack, ...undone("Book"), ended("rolled_back")], { undoes: "r2", parent: "r1" })
    ),
    bad: Record.evidence(
      Record.run("r1", [...child("r2", "completed"), goesBack, ended("rolled_back")]),
      Record.run("r2", [...done("Book"), ended("completed")], { parent: "r1" })
    )
  },
  {
    guarantee: "G10",
    what: "what was completed before a pivot",
    good: one(...done("Book"), ...done("Pay", { pivot: true }), goesBack, ended("partly_rolled_back")),
    bad: one(...done("Book"), ...done("Pay", { pivot: true }), goesBack, ended("rolled_back"))
  },
  {
    guarantee: "G11",
    what: "a tombstone, and a record that somebody removed",
    good: Record.evidence({ ...Record.run("r1", [], { state: "completed", removedAt: 1 }), entries: [] }),
    bad: Record.evidence({ ...Record.run("r1", [], { state: "completed" }), entries: [] })
  },
  {
    guarantee: "G2",
    what: "an earlier call that a body had taken back by itself, and two of which the earlier went first",
    good: settled("Book"),
    bad: one(...done("Book"), ...done("Pay"), undoing("Book", "Pay"), ...undone("Book"), ...undone("Pay"))
  },
  {
    guarantee: "G2",
    what: "a rollback after a taking-back, and one without",
    good: one(
      ...done("Book"),
      ...done("Pay"),
      undoing("Book"),
      ...undone("Book"),
      succeeded("TakeBack"),
      goesBack,
      ...undone("Pay"),
      ended("rolled_back")
    ),
    bad: one(...done("Book"), ...done("Pay"), goesBack, ...undone("Book"), ...undone("Pay"), ended("rolled_back"))
  },
  {
    guarantee: "G2",
    what: "the run that undoes another one",
    good: Record.evidence(
      Record.run("r1", [...done("Book"), ...done("Pay"), ended("completed")]),
      Record.run("r2", [goesBack, ...undone("Pay"), ...undone("Book"), ended("rolled_back")], { undoes: "r1" })
    ),
    bad: Record.evidence(
      Record.run("r1", [...done("Book"), ...done("Pay"), ended("completed")]),
      Record.run("r2", [goesBack, ...undone("Book"), ...undone("Pay"), ended("rolled_back")], { undoes: "r1" })
    )
  },
  {
    guarantee: "G2",
    what: "a call that a person said stands, before an earlier one was taken back and after",
    good: notTakingBack(setback("Pay!compensate", 1), skipped("Pay"), ...undone("Book")),
    bad: notTakingBack(setback("Pay!compensate", 1), ...undone("Book"), skipped("Pay"))
  },
  {
    guarantee: "G2",
    what: "a call that a person said stands, whose taking-back did not happen, and one of which that is not known",
    good: notTakingBack(
      setback("Pay!compensate", 1, doubt),
      skipped("Pay"),
      denied("Pay!compensate"),
      ...undone("Book")
    ),
    bad: notTakingBack(setback("Pay!compensate", 1, doubt), skipped("Pay"), ...undone("Book"), denied("Pay!compensate"))
  },
  {
    guarantee: "G3",
    what: "a wait of a call, and one of the body, after a rollback began",
    good: one(goesBack, { _tag: "awaited", path: "Pay!compensate!pause", wait: "pause", name: "Pay" }),
    bad: one(goesBack, { _tag: "awaited", path: "Sleep", wait: "timer", name: "Sleep" })
  },
  {
    guarantee: "G6",
    what: "a doubt that came after a word that cleared an earlier one",
    good: one(
      intended("Pay"),
      setback("Pay", 1, doubt),
      denied("Pay"),
      attempted("Pay", 2),
      setback("Pay", 2),
      attempted("Pay", 3)
    ),
    bad: one(
      intended("Pay"),
      setback("Pay", 1, doubt),
      denied("Pay"),
      attempted("Pay", 2),
      setback("Pay", 2, doubt),
      eitherWay("Pay"),
      attempted("Pay", 3),
      setback("Pay", 3),
      attempted("Pay", 4)
    )
  },
  {
    guarantee: "G8",
    what: "a duplicate under a business key",
    good: one(...done("Book", { once: "k" }), intended("Book~2", { once: "k" }), duplicate("Book")),
    bad: one(...done("Book", { once: "k" }), intended("Book~2", { once: "other" }), duplicate("Book"))
  },
  {
    guarantee: "G8",
    what: "a duplicate of another run's call",
    good: Record.evidence(
      Record.run("r1", [...done("Book", { once: "k" }), ended("completed")]),
      Record.run("r2", [intended("Book~2", { once: "k" }), duplicate("r1/Book")])
    ),
    bad: Record.evidence(
      Record.run("r1", [intended("Book", { once: "k" })]),
      Record.run("r2", [intended("Book~2", { once: "k" }), duplicate("r1/Book")])
    )
  },
  {
    guarantee: "G9",
    what: "the compensation of a call of the run that is undone",
    good: Record.evidence(
      Record.run("r1", [...done("Book"), ended("completed")]),
      Record.run("r2", [goesBack, ...undone("Book"), ended("rolled_back")], { undoes: "r1" })
    ),
    bad: Record.evidence(
      Record.run("r1", [...done("Pay"), ended("completed")]),
      Record.run("r2", [goesBack, ...undone("Book"), ended("rolled_back")], { undoes: "r1" })
    )
  }
]

describe("checkers, shown what features leave in the record", () => {
  it.each(cases)("$guarantee: $what", ({ bad, good, guarantee }) => {
    const checker = checkers[guarantee]!
    assert.deepStrictEqual(checker(good), [])
    assert.isNotEmpty(checker(bad))
  })
})
