/** The end of the demo: both sides next to each other, and what follows. */
import type { Line } from "./ledger.ts"
import { money } from "./narrator.ts"
import { paint, print, title } from "./terminal.ts"
import type { Row, Verdict } from "./verdict.ts"

const widths = { tool: 14, outbox: 18, provider: 38 }

/** Prints what outbox and ledger say of each call. */
export const report = (
  verdict: Verdict,
  names: ReadonlyArray<string>,
  ledger: ReadonlyArray<Line>,
  closing: ReadonlyArray<string>
): void => {
  title(
    "3. The outbox and the provider's ledger, side by side",
    "What makegood recorded, and what the provider, who knows nothing of makegood,",
    "did under the same idempotency keys."
  )
  print(paint("dim", rowOf({ tool: "call", outbox: "outbox", provider: "provider's ledger" }, "same?")))
  verdict.runs.forEach((rows, index) => {
    print(paint("bold", `  ${names[index]}`))
    for (const row of rows) print(rowOf(row, row.agrees ? paint("green", "yes") : paint("red", "NO")))
  })
  print()
  if (verdict.disagreements.length > 0) {
    print(paint("red", "They DISAGREE. Either the provider broke its word or makegood did:"))
    for (const disagreement of verdict.disagreements) print(`  ${disagreement}`)
    return
  }
  const count = (kind: Line["kind"]) => ledger.filter((line) => line.kind === kind).length
  print(
    `${paint("green", "They agree.")} The provider did ${times(count("act"), "act")} and took ${count("takeBack")} back; ${times(
      count("repeat"),
      "request"
    )} came again.`
  )
  for (const line of closing) print(line)
}

/** The charges that a ledger has, and what they came to. */
export const chargesOf = (ledger: ReadonlyArray<Line>): string => {
  const charges = ledger.filter((line) => line.kind === "act" && line.id?.startsWith("charge-"))
  return `${times(charges.length, "charge")}: ${charges.map((line) => money(line.cents ?? 0)).join(", ")}`
}

const times = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`

const rowOf = (row: Omit<Row, "agrees">, mark: string): string =>
  `  ${row.tool.padEnd(widths.tool)} ${row.outbox.padEnd(widths.outbox)} ${row.provider.padEnd(widths.provider)} ${mark}`
