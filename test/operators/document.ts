/** Prints the rows as the tables of `docs/operators.md`, between its two marks. */
import { messages } from "./messages.ts"
import type { Row } from "./row.ts"
import { groups } from "./rows.ts"

const code = (operator: string): string =>
  operator.replaceAll(/\b(?:Effect|Timer|Saga|Stream|Clock|DateTime|Math|Date)\.\w+(?:\(\))?|new Date\(\)/g, "`$&`")

const saysOf = (row: Row): string => ("says" in row ? ` ([${row.says}](#what-is-said))` : "")

const tableOf = (rows: ReadonlyArray<Row>): string =>
  [
    "| operator | becomes | so | use |",
    "|---|---|---|---|",
    ...rows.map((row) => `| ${code(row.operator)} | **${row.becomes}**${saysOf(row)} | ${row.so} | ${row.use} |`)
  ].join("\n")

const said = [
  "## What is said",
  "",
  "Where `...` stands, it says what differs from run to run. The last four are the compiler's.",
  "",
  "| | |",
  "|---|---|",
  ...Object.entries(messages).map(([name, text]) => `| **${name}** | ${text.replaceAll("|", "\\|")} |`)
].join("\n")

/** The part of the page that is printed. */
export const printed = [...Object.entries(groups).map(([title, rows]) => `## ${title}\n\n${tableOf(rows)}`), said].join(
  "\n\n"
)

const begin = "<!-- printed: begin -->"
const end = "<!-- printed: end -->"

/** The page with its tables as they have to be. */
export const written = (text: string): string => {
  const [before, rest] = text.split(begin)
  const after = rest?.split(end)[1]
  if (after === undefined) throw new Error("docs/operators.md has no place for its tables")
  return `${before}${begin}\n\n${printed}\n\n${end}${after}`
}
