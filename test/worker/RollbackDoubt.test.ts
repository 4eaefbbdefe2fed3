import { assert, describe } from "@effect/vitest"
import { Effect, Schedule } from "effect"
import type * as Entry from "../../src/outbox/Entry.ts"
import { Runs, Tool } from "../../src/index.ts"
import {
  act,
  atRest,
  claim,
  entriesOf,
  goOn,
  irreversible,
  recordOf,
  saga,
  somebody,
  withWorker,
  World,
  type Temper,
  type Written
} from "./bench.ts"

const retry = { transient: Schedule.recurs(3), inDoubt: Schedule.recurs(3) }

/** A run that went back while nobody knew whether A had happened. */
const doubtful =
  (act: Entry.Act = "reversible", more: (write: Written) => ReadonlyArray<Entry.Entry> = () => []) =>
  (write: Written) => [
    write.intended("A", { act }),
    { _tag: "rollback_began", cause: "cancelled", by: "somebody" } as const,
    ...more(write)
  ]

const setting = (temper: Temper, kind: "act" | "irreversible" = "act") => {
  const ledger = new World()
  const A = kind === "act" ? act(ledger, "A", { retry, ...temper }) : irreversible(ledger, "A", { retry, ...temper })
  const Trip = saga("Trip", [A])
  return { ledger, Trip, live: Trip.toLayer(() => Effect.die(new Error("the body was run"))) }
}

const cases: ReadonlyArray<{
  readonly title: string
  readonly temper: Temper
  readonly kind?: "irreversible"
  readonly ledger: ReadonlyArray<string>
  readonly state: string
  readonly standing?: number
}> = [
  { title: "a lookup that finds it", temper: { finds: ["found"] }, ledger: ["A:x?", "A:x!"], state: "rolled_back" },
  {
    title: "a lookup that finds nothing, and it is not sent again",
    temper: { finds: [], timeout: "5 millis" },
    ledger: ["A:x?"],
    state: "rolled_back"
  },
  {
    title: "a lookup, even where there is a compensateInDoubt",
    temper: { finds: ["found"], undoInDoubt: true },
    ledger: ["A:x?", "A:x!"],
    state: "rolled_back"
  },
  {
    title: "compensateInDoubt, before anything is sent again",
    temper: { undoInDoubt: true },
    ledger: ["A:x!!"],
    state: "rolled_back"
  },
  {
    title: "compensateInDoubt, where only a person could tell",
    temper: { inDoubt: Tool.askPerson, undoInDoubt: true },
    ledger: ["A:x!!"],
    state: "rolled_back"
  },
  { title: "sending again with the same key", temper: {}, ledger: ["A:x", "A:x!"], state: "rolled_back" },
  {
    title: "sending again what bears it",
    temper: { inDoubt: Tool.idempotent },
    ledger: ["A:x", "A:x!"],
    state: "rolled_back"
  },
  {
    title: "sending again, and being refused: nothing is to take back",
    temper: { script: ["permanent"] },
    ledger: ["A:x"],
    state: "rolled_back"
  },
  { title: "a person", temper: { inDoubt: Tool.askPerson }, ledger: [], state: "stuck" },
  {
    title: "a lookup, where it is irreversible: found, it stands",
    temper: { finds: ["found"] },
    kind: "irreversible",
    ledger: ["A:x?"],
    state: "partly_rolled_back",
    standing: 1
  },
  {
    title: "a lookup, where it is irreversible: not found, it is never sent again",
    temper: { finds: [], timeout: "5 millis" },
    kind: "irreversible",
    ledger: ["A:x?"],
    state: "rolled_back"
  },
  {
    title: "a person, where it is irreversible: it is never sent again, even under the same key",
    temper: {},
    kind: "irreversible",
    ledger: [],
    state: "stuck"
  },
  {
    title: "a person, where it is irreversible and could be done twice",
    temper: { inDoubt: Tool.idempotent },
    kind: "irreversible",
    ledger: [],
    state: "stuck"
  }
]

describe("a doubt in a rollback is settled by (G6)", () => {
  for (const { kind, ledger: expected, standing, state, temper, title } of cases) {
    claim(title, () => {
      const { ledger, live, Trip } = setting(temper, kind)
      return Effect.gen(function* () {
        const run = yield* atRest(yield* recordOf(Trip, doubtful(kind))).pipe(withWorker(live))
        const seen = ledger.ledger.filter((line, index) => line !== ledger.ledger[index - 1])
        assert.deepStrictEqual([run.state, seen], [state, expected as Array<string>])
        assert.strictEqual(run.standing.length, standing ?? 0)
        if (state === "stuck") assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", "A"])
      }).pipe(Effect.provide(Runs.layer))
    })
  }

  claim("a person's word that it happened: then it is taken back", () => {
    const { ledger, live, Trip } = setting({ inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, doubtful()))
      const after = yield* goOn(run, Runs.resolve(run.runId, "A", { happened: "so she says" }, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x!"])
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("a person's word that it did not happen: then there is nothing to take back", () => {
    const { ledger, live, Trip } = setting({ inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, doubtful()))
      const after = yield* goOn(run, Runs.resolve(run.runId, "A", { didNotHappen: true }, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("a person's word that an irreversible act happened: then it stands (G10)", () => {
    const { ledger, live, Trip } = setting({}, "irreversible")
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, doubtful("irreversible")))
      const after = yield* goOn(run, Runs.resolve(run.runId, "A", { happened: "it did" }, somebody))
      assert.deepStrictEqual([after.state, after.standing.map(({ path }) => path)], ["partly_rolled_back", ["A"]])
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })
})

describe("a compensation in doubt", () => {
  const undoing =
    (more: (write: Written) => ReadonlyArray<Entry.Entry> = () => []) =>
    (write: Written) => [
      write.intended("A"),
      write.succeeded("A"),
      { _tag: "rollback_began", cause: "cancelled", by: "somebody" } as const,
      write.intended("A!compensate"),
      ...more(write)
    ]

  claim("is sent again under its key, settled first, where its tool knows keys (G9)", () => {
    const { ledger, live, Trip } = setting({})
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, undoing())).pipe(withWorker(live))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(
        ledger.calls.map(({ attempt, key }) => [attempt, key]),
        [[2, run.calls[1]!.key]]
      )
      assert.include(yield* entriesOf(run.runId), "settled A!compensate")
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("is asked of a person where its tool looks up: a lookup finds the act, not its undoing", () => {
    const { ledger, live, Trip } = setting({ finds: ["found"] })
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, undoing()))
      assert.deepStrictEqual([run.stuck?.reason, run.stuck?.path], ["in_doubt", "A!compensate"])
      assert.isEmpty(ledger.ledger)
      const after = yield* goOn(run, Runs.resolve(run.runId, "A!compensate", { happened: null }, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.isEmpty(ledger.ledger)
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("is done again once a person says that it did not happen", () => {
    const { ledger, live, Trip } = setting({ inDoubt: Tool.askPerson })
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, undoing()))
      assert.strictEqual(run.stuck?.reason, "in_doubt")
      const after = yield* goOn(run, Runs.resolve(run.runId, "A!compensate", { didNotHappen: true }, somebody))
      assert.strictEqual(after.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x!"])
    }).pipe(withWorker(live), Effect.provide(Runs.layer))
  })

  claim("that is then refused for good leaves the run stuck at it", () => {
    const { live, Trip } = setting({ undo: ["permanent"] })
    return Effect.gen(function* () {
      const run = yield* atRest(yield* recordOf(Trip, undoing())).pipe(withWorker(live))
      assert.strictEqual(run.stuck?.path, "A!compensate")
      assert.include(["compensation_failed", "in_doubt"], run.stuck?.reason)
    }).pipe(Effect.provide(Runs.layer))
  })

  claim("begun as compensateInDoubt goes on as that, though the act is still in doubt", () => {
    const { ledger, live, Trip } = setting({ undoInDoubt: true })
    return Effect.gen(function* () {
      const runId = yield* recordOf(
        Trip,
        doubtful("reversible", (w) => [w.intended("A!compensate")])
      )
      const run = yield* atRest(runId).pipe(withWorker(live))
      assert.strictEqual(run.state, "rolled_back")
      assert.deepStrictEqual(ledger.ledger, ["A:x!!"])
    }).pipe(Effect.provide(Runs.layer))
  })
})
