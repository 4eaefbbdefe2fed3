import { assert, describe, it } from "@effect/vitest"
import { Schema } from "effect"
import * as Path from "../../src/outbox/Path.ts"

describe("Path", () => {
  it.each([
    ["the first step of a name in the body", Path.step(Path.root, "HoldSeat", 1), "HoldSeat"],
    ["the second step of a name in the body", Path.step(Path.root, "HoldSeat", 2), "HoldSeat~2"],
    ["a step in a branch", Path.step(Path.branch(Path.root, "hotel"), "ReserveHotel", 1), "hotel/ReserveHotel"],
    ["a step in a branch of a list", Path.step(Path.branch("legs", 0), "HoldSeat", 1), "legs/0/HoldSeat"],
    ["the taking-back of a call", Path.compensationOf("HoldSeat"), "HoldSeat!compensate"],
    [
      "the taking-back of a second call in a branch",
      Path.compensationOf("legs/0/HoldSeat~2"),
      "legs/0/HoldSeat~2!compensate"
    ]
  ])("writes %s", (_, path, written) => assert.strictEqual(path, written))

  it.each([
    ["HoldSeat", ""],
    ["HoldSeat~2", ""],
    ["hotel/ReserveHotel", "hotel"],
    ["legs/0/HoldSeat", "legs/0"],
    ["legs/0/HoldSeat!compensate", "legs/0"]
  ])("finds the scope of %s", (path, scope) => assert.strictEqual(Path.scopeOf(path), scope))

  it("knows a compensation from a call", () => {
    assert.strictEqual(Path.compensatedBy("legs/0/HoldSeat~2!compensate"), "legs/0/HoldSeat~2")
    assert.strictEqual(Path.compensatedBy("legs/0/HoldSeat~2"), undefined)
    assert.strictEqual(Path.compensatedBy("compensate"), undefined)
  })

  it.each(["HoldSeat", "a", "A-b_c9", "a".repeat(100)])("lets %s be a name", (name) => assert.isTrue(Path.isName(name)))

  it.each(["", "9a", "_a", "-a", "a b", "a/b", "a~2", "a!compensate", "a.b", "ä", "a\n", "a\0", "a".repeat(101)])(
    "lets %j be no name",
    (name) => assert.isFalse(Path.isName(name))
  )

  const name = Schema.String.check(Schema.isPattern(/^[A-Za-z][A-Za-z0-9_-]{0,8}$/))
  const nth = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 40 }))
  const step = Schema.Struct({ scope: Schema.Array(name), name, nth })

  const written = (of: typeof step.Type) =>
    Path.step(
      of.scope.reduce((scope, segment) => Path.branch(scope, segment), Path.root),
      of.name,
      of.nth
    )

  it.prop("gives different steps different paths, and leads back to their scope (G7)", [step, step], ([one, other]) => {
    assert.strictEqual(written(one) === written(other), JSON.stringify(one) === JSON.stringify(other))
    assert.strictEqual(Path.scopeOf(written(one)), one.scope.join("/"))
    assert.strictEqual(Path.compensatedBy(Path.compensationOf(written(one))), written(one))
    assert.strictEqual(Path.compensatedBy(written(one)), undefined)
  })
})
