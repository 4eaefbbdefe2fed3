import { assert, describe } from "@effect/vitest"
import { Effect, Layer, Schema } from "effect"
import { Doctor, Runs, Saga, Tool } from "../../src/index.ts"
import { childId, family } from "../saga/families.ts"
import { claim, until, withWorker, World } from "./bench.ts"

const tool = <const Name extends string>(name: Name, version = 1) =>
  Tool.make(name, {
    version,
    parameters: {},
    execute: () => (name === "Waits" ? Effect.never : Effect.void),
    compensate: () => Effect.void,
    inDoubt: Tool.idempotent
  })

const known = (
  version: number,
  ...tools: ReadonlyArray<readonly [string, number, ...Array<number>]>
): Doctor.Known => ({
  name: "Trip",
  version,
  tools: new Map(
    tools.map(([name, version, ...compatibleWith]) => [name, { version, compatibleWith: new Set(compatibleWith) }])
  ),
  children: new Set()
})

const [Hold, Waits] = [tool("Hold"), tool("Waits", 3)]
const Trip = Saga.make("Trip", {
  version: 2,
  payload: { id: Schema.String },
  tools: [Hold, Waits],
  idempotencyKey: ({ id }) => id
})
const layer = Trip.toLayer(() => Effect.andThen(Hold({}), Waits({})))

/** A run that has made a hold, and waits for the answer of another call. */
const underWay = Effect.gen(function* () {
  const { runId } = yield* Trip.start({ id: "a" })
  while ((yield* Runs.get(runId)).calls.length < 2) yield* Effect.sleep("3 millis")
  return runId
})

const problems = (sagas: ReadonlyArray<Doctor.Known>) =>
  Effect.map(Doctor.check(sagas), ({ findings }) => findings.map(({ problem }) => problem))

describe("the doctor", () => {
  claim("knows the sagas, versions and tools that layers register, and runs none of them", () =>
    Effect.gen(function* () {
      const other = Saga.make("Other", { version: 1, payload: {}, tools: [], idempotencyKey: () => "a" })
      const sagas = yield* Doctor.sagasOf(
        Layer.mergeAll(
          layer,
          other.toLayer(() => Effect.die("it was run"))
        )
      )
      assert.sameDeepMembers(
        [...sagas],
        [known(2, ["Hold", 1], ["Waits", 3]), { name: "Other", version: 1, tools: new Map(), children: new Set() }]
      )
    })
  )

  claim("finds nothing where every open run goes on", () =>
    Effect.gen(function* () {
      yield* underWay
      assert.deepStrictEqual(yield* Doctor.check(yield* Doctor.sagasOf(layer)), {
        looked: 1,
        more: false,
        findings: []
      })
    }).pipe(withWorker(layer))
  )

  claim("names the runs whose saga, version or tools a build does not have, and why (G15)", () =>
    Effect.gen(function* () {
      const runId = yield* underWay
      const { findings } = yield* Doctor.check([known(1), known(3)])
      assert.deepStrictEqual(findings, [
        {
          runId,
          saga: "Trip",
          version: 2,
          key: "a",
          state: "running",
          problem: "no_handler",
          why: "no saga Trip, version 2, is registered, only version 1, 3"
        }
      ])
      assert.deepStrictEqual(yield* problems([]), ["no_handler"])
      assert.deepStrictEqual(yield* problems([known(2, ["Waits", 3])]), ["no_tool"])
      assert.deepStrictEqual(yield* problems([known(2, ["Hold", 1])]), ["no_tool"])
      assert.deepStrictEqual(yield* problems([known(2, ["Hold", 1], ["Waits", 4])]), ["tool_version"])
      // What is done may have to be taken back.
      assert.deepStrictEqual(yield* problems([known(2, ["Hold", 9], ["Waits", 3])]), ["tool_version"])
      assert.deepStrictEqual(yield* problems([known(2, ["Hold", 9, 1, 2], ["Waits", 4, 3])]), [])
    }).pipe(withWorker(layer))
  )

  claim("looks at children too, and at what undo runs take back", () => {
    const world = new World()
    const gate = { open: false }
    const tempers = { A: { undo: [until(() => gate.open)] }, D: { script: [until(() => gate.open)] } }
    const { layer, Settle, settle, Trip, trip } = family(world, tempers)
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("D:x") === 1)
      const both = yield* Doctor.sagasOf(Layer.mergeAll(settle, trip))
      const [mine, childs] = [both.find(({ name }) => name === "Trip")!, both.find(({ name }) => name === "Settle")!]
      assert.deepStrictEqual(mine.children, new Set(["Settle"]))
      assert.deepStrictEqual(yield* problems(both), [])
      const found = (sagas: ReadonlyArray<Doctor.Known>) =>
        Effect.map(Doctor.check(sagas), ({ findings }) => findings.map(({ problem, runId }) => [problem, runId]))
      // The child has completed, and would have to be undone.
      assert.deepStrictEqual(yield* found([mine]), [["no_handler", childId(runId)]])
      assert.deepStrictEqual(yield* found([mine, { ...childs, tools: new Map() }]), [
        ["no_tool", childId(runId)],
        ["no_tool", childId(runId)]
      ])
      gate.open = true
      yield* Runs.await(runId)
      gate.open = false
      const undo = yield* Runs.undo(runId, { by: "a person" })
      yield* until(() => world.count("A:x!") === 1)
      const { runId: undone } = undo
      assert.deepStrictEqual(yield* found([{ ...mine, tools: new Map() }, childs]), [["no_tool", undone]])
      gate.open = true
      yield* Runs.await(undone)
      assert.strictEqual(Settle.name, "Settle")
    }).pipe(withWorker(layer))
  })

  claim("names the runs whose child their saga does not list any more", () => {
    const world = new World()
    const gate = { open: false }
    const { layer, Trip } = family(world, { B: { script: [until(() => gate.open)] } })
    return Effect.gen(function* () {
      const { runId } = yield* Trip.start({ id: "a" })
      yield* until(() => world.count("B:x") === 1)
      const sagas = yield* Doctor.sagasOf(layer)
      const without = sagas.map((known) => ({ ...known, children: new Set<string>() }))
      const { findings } = yield* Doctor.check(without)
      assert.deepStrictEqual(
        findings.map(({ problem, runId }) => [problem, runId]),
        [["no_tool", runId]]
      )
      gate.open = true
      yield* Runs.await(runId)
    }).pipe(withWorker(layer))
  })

  claim("says when there are more open runs than it looked at, and leaves out those that ended", () =>
    Effect.gen(function* () {
      for (const id of ["a", "b", "c"]) yield* Trip.start({ id })
      const done = yield* Trip.start({ id: "d" })
      yield* Runs.cancel(done.runId, { by: "a person" })
      const { findings, looked, more } = yield* Doctor.check([], { limit: 2 })
      assert.deepStrictEqual([findings.length, looked, more], [2, 2, true])
    }).pipe(withWorker(layer))
  )
})
