import { assert, describe, it } from "@effect/vitest"
import type { Line } from "../../demo/internal/ledger.ts"
import { type Run, verdict } from "../../demo/internal/verdict.ts"

type Call = Run["calls"][number]

const made = (tool: string, state: Call["state"], act: Call["act"] = "reversible"): Call => ({
  path: act === "compensation" ? `${tool}!compensate` : tool,
  tool,
  act,
  key: act === "compensation" ? `${tool}/undo` : tool,
  state,
  attempts: 1,
  how: "executed",
  compensates: act === "compensation" ? tool : undefined
})
const undo = (tool: string, state: Call["state"] = "succeeded") => made(tool, state, "compensation")

const line = (kind: Line["kind"], key: string, id?: string): Line => ({
  at: 0,
  kind,
  key,
  what: kind,
  ...(id === undefined ? {} : { id })
})

const booked: Run = { state: "completed", calls: [made("Hold", "succeeded"), made("Charge", "succeeded")] }
const bookedLedger = [line("act", "Hold", "h"), line("act", "Charge", "c"), line("repeat", "Charge", "c")]

const takenBack: Run = {
  state: "rolled_back",
  calls: [made("Hold", "compensated"), undo("Hold"), made("Charge", "failed")]
}
const takenBackLedger = [line("act", "Hold", "h"), line("takeBack", "Hold/undo", "h"), line("refusal", "Charge")]

const disagreements = (run: Run, ledger: ReadonlyArray<Line>) => verdict([run], ledger).disagreements.length

describe("verdict", () => {
  it("agrees when every call did what the outbox says, once, also when it was asked twice", () => {
    assert.deepStrictEqual(verdict([booked], bookedLedger).disagreements, [])
    assert.deepStrictEqual(verdict([takenBack], takenBackLedger).disagreements, [])
    assert.deepStrictEqual(
      verdict([takenBack], takenBackLedger).runs[0]?.map((row) => row.provider),
      ["act (h), takeBack", "refusal"]
    )
  })

  const wrong: Readonly<Record<string, readonly [Run, ReadonlyArray<Line>]>> = {
    "a call was done twice": [booked, [...bookedLedger, line("act", "Charge", "c2")]],
    "a call that is done is not in the ledger": [booked, bookedLedger.slice(0, 1)],
    "a call that stands was taken back": [
      { ...booked, calls: [made("Hold", "succeeded"), undo("Hold")] },
      [line("act", "Hold", "h"), line("takeBack", "Hold/undo", "h")]
    ],
    "a call that was taken back still stands": [takenBack, takenBackLedger.filter((one) => one.kind !== "takeBack")],
    "a call was taken back twice": [takenBack, [...takenBackLedger, line("takeBack", "Hold/undo", "h")]],
    "something else was taken back": [
      takenBack,
      takenBackLedger.map((one) => (one.kind === "takeBack" ? { ...one, id: "other" } : one))
    ],
    "a call that failed was done all the same": [takenBack, [...takenBackLedger, line("act", "Charge", "c")]],
    "a call is still in doubt": [{ ...booked, calls: [made("Hold", "in_doubt")] }, [line("act", "Hold", "h")]],
    "something was done for nobody": [booked, [...bookedLedger, line("act", "stranger", "s")]],
    "a run has not ended": [{ ...booked, state: "stuck" }, bookedLedger]
  }
  for (const [what, [run, ledger]] of Object.entries(wrong)) {
    it(`disagrees when ${what}`, () => {
      assert.strictEqual(disagreements(run, ledger), 1)
    })
  }
})
