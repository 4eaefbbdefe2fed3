/** Prints the cells as the tables of `docs/failures.md`, each between its two marks. */
import { cells, failures, policies, situations } from "./cells.ts"
import type { Situation } from "./cells.ts"

/** What each table is about. */
export const headings: Readonly<Record<Situation, string>> = {
  forward: "forward, a call is answered with",
  settling: "while rolling back, a call that may have happened is settled, and the answer is",
  undoing: "while rolling back, a compensation is answered with"
}

const tableOf = (situation: Situation): string => {
  const cell = (met: string, policy: string) =>
    cells.find((cell) => cell.situation === situation && cell.met === met && cell.policy === policy)?.says ?? ""
  return [
    `| | ${policies.map((policy) => `\`${policy}\``).join(" | ")} |`,
    `|---|${policies.map(() => "---").join("|")}|`,
    ...failures.map((met) => `| **${met}** | ${policies.map((policy) => cell(met, policy)).join(" | ")} |`)
  ].join("\n")
}

/** The table of each situation. */
export const tables: Readonly<Record<Situation, string>> = {
  forward: tableOf("forward"),
  settling: tableOf("settling"),
  undoing: tableOf("undoing")
}

const mark = (situation: Situation, side: "begin" | "end") => `<!-- ${situation}: ${side} -->`

/** The document with its tables as they have to be. */
export const written = (text: string): string =>
  situations.reduce((sofar, situation) => {
    const [before, rest] = sofar.split(mark(situation, "begin"))
    const after = rest?.split(mark(situation, "end"))[1]
    if (after === undefined) throw new Error(`docs/failures.md has no place for the table ${situation}`)
    const table = `\n\n${tables[situation]}\n\n`
    return `${before}${mark(situation, "begin")}${table}${mark(situation, "end")}${after}`
  }, text)
