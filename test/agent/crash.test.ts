import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { live } from "./lives.ts"

describe.each(["well", "badly"] as const)("an agent that ends %s", (ends) => {
  it("leaves the world as its record says, whenever its worker dies (G1 G2 G5 G7 G9)", async () => {
    const whole = await Effect.runPromise(live({ deaths: [], ends }))
    assert.deepStrictEqual(whole.wrongs, [])
    assert.deepStrictEqual(whole.paid, [1, 1, 1, 1])
    assert.includeMembers([...whole.names], ["call.before-act", "succeeded.before-commit", "stuck.after-commit"])
    let paidTwice = 0
    for (let at = 1; at <= whole.landmarks; at++) {
      const { paid, wrongs } = await Effect.runPromise(live({ deaths: [at], ends }))
      assert.deepStrictEqual(wrongs, [], `killed at landmark ${at}, ${whole.names[at - 1]}`)
      if (paid.includes(2)) paidTwice++
    }
    // What was answered and not recorded is lost, and asked for again: for each of four turns at several landmarks.
    assert.isAtLeast(paidTwice, 8)
  })

  it("and so it does however often they die", async () => {
    for (let at = 2; at < 40; at += 5) {
      const { wrongs } = await Effect.runPromise(live({ deaths: [at, at + 3, 2, at + 1], ends }))
      assert.deepStrictEqual(wrongs, [], `killed at ${at}`)
    }
  })
})
