import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { demo, inOrder, processIds, stillRunning } from "./play.ts"

describe("npm run demo -- agent", () => {
  it.live("kills a worker between two calls of an answer, asks a person about the budget, and both books agree", () =>
    Effect.gen(function* () {
      const { code, errors, left, output } = yield* demo(["agent"])
      assert.strictEqual(errors, "")
      inOrder(output, [
        "1. A worker is killed between two calls of one answer",
        "answered: HoldSeat, ReserveHotel",
        "seat held EUR 249.00 (seat-1)",
        "SIGKILL",
        "worker 2 takes the run",
        "HoldSeat       in doubt",
        "this key again",
        "HoldSeat       done",
        "room reserved EUR 163.00 (room-1)",
        "answered: AskForUpgrade (refused), ChargeCard (refused)",
        "answered: Undo",
        "the model changed its mind",
        "room cancelled (room-1)",
        "ReserveHotel   taken back",
        "answered: ReserveHotel",
        "room reserved EUR 163.00 (room-2)",
        "answered: ChargeCard",
        "The budget for sums.ChargeCard.cents does not reach",
        "ada looks at it",
        "ada said: grant",
        "card charged EUR 412.00 (charge-1)",
        "the run has ended: completed",
        "2. Another trip is over the budget",
        "bob said: cancel",
        "ReserveHotel   taken back",
        "HoldSeat       taken back",
        "the run has ended: rolled back",
        "They agree.",
        "12 questions to the model, none of them twice"
      ])
      // Turns 1 to 7 of the first trip and 1 to 5 of the second, each once.
      assert.lengthOf(output.match(/is asked for turn/g) ?? [], 12)
      assert.strictEqual(code, 0)
      assert.deepStrictEqual(left, [])
      assert.deepStrictEqual(stillRunning(processIds(output)), [])
      assert.deepStrictEqual(
        output.split("\n").filter((line) => line.length > 80),
        []
      )
    })
  )

  it.live("is the only other play", () =>
    Effect.gen(function* () {
      const { code, errors } = yield* demo(["opera"])
      assert.strictEqual(code, 2)
      assert.include(errors, "There is no play opera. Nothing was started.")
    })
  )
})
