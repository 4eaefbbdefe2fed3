/** Cases of the outbox suite: a business key of a tool is one call's, until it is taken over from exactly that call. */
import { Effect } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type { Binding, Bound } from "../../../outbox/Outbox.ts"
import type { Draft } from "./stage.ts"
import { atOnce, draft } from "./stage.ts"

const binding = (key: string, path = "Pay"): Binding => ({
  tool: "Pay",
  key,
  runId: randomUUID(),
  epoch: 1,
  path,
  digest: path
})

/** The binding alone. */
const told = ({ digest, epoch, key, path, runId, tool }: Bound): Binding => ({ tool, key, runId, epoch, path, digest })

export const bindings: ReadonlyArray<Draft> = [
  draft("binds a key to the first call that asks, and gives its binding to all others (G8)", ({ outbox }) =>
    Effect.gen(function* () {
      const key = randomUUID()
      const first = binding(key)
      const second = binding(key, "Pay~2")
      assert.deepEqual(told(yield* outbox.bind(first, undefined)), first)
      assert.deepEqual(told(yield* outbox.bind(second, undefined)), first)
      assert.deepEqual(told(yield* outbox.bind({ ...first, path: "Pay~3" }, undefined)), first)
    })
  ),

  draft("binds again for the same call and changes nothing, and says since when", ({ outbox, pass }) =>
    Effect.gen(function* () {
      const first = binding(randomUUID())
      const bound = yield* outbox.bind(first, undefined)
      assert.equal(bound.boundAt, bound.at)
      yield* pass(5)
      const again = yield* outbox.bind({ ...first, digest: "another" }, undefined)
      assert.deepEqual(told(again), first)
      assert.equal(again.boundAt, bound.boundAt)
      assert.ok(again.at > again.boundAt)
    })
  ),

  draft("keeps the keys of different tools apart", ({ outbox }) =>
    Effect.gen(function* () {
      const first = binding(randomUUID())
      const other = { ...binding(first.key), tool: "Refund" }
      yield* outbox.bind(first, undefined)
      assert.deepEqual(told(yield* outbox.bind(other, undefined)), other)
    })
  ),

  draft("lets a key be taken over from exactly the call that has it", ({ outbox }) =>
    Effect.gen(function* () {
      const key = randomUUID()
      const first = binding(key)
      const second = binding(key, "Pay~2")
      const third = binding(key, "Pay~3")
      yield* outbox.bind(first, undefined)
      assert.deepEqual(told(yield* outbox.bind(second, { ...first, path: "elsewhere" })), first)
      assert.deepEqual(told(yield* outbox.bind(second, { ...first, epoch: 2 })), first)
      assert.deepEqual(told(yield* outbox.bind(second, first)), second)
      assert.deepEqual(told(yield* outbox.bind(third, first)), second)
      assert.deepEqual(told(yield* outbox.bind(second, first)), second)
    })
  ),

  draft("lets one of many bind at a time, and one of many take over", ({ outbox }) =>
    Effect.gen(function* () {
      const key = randomUUID()
      const wishes = Array.from({ length: 8 }, (_, index) => binding(key, `Pay~${index + 2}`))
      const first = yield* atOnce(wishes.map((wish) => outbox.bind(wish, undefined)))
      const holder = told(first[0]!)
      for (const bound of first) assert.deepEqual(told(bound), holder)
      const others = Array.from({ length: 8 }, (_, index) => binding(key, `Pay~${index + 20}`))
      const second = yield* atOnce(others.map((wish) => outbox.bind(wish, holder)))
      const heir = told(second[0]!)
      assert.notDeepEqual(heir, holder)
      for (const bound of second) assert.deepEqual(told(bound), heir)
    })
  )
]
