/** What the demo writes: 80 columns, in colours where there is a terminal and `NO_COLOR` is not set. */
import { styleText } from "node:util"

export type Format = Parameters<typeof styleText>[0]

/** Colours a text where colours are welcome. */
export const paint = (format: Format, text: string): string => styleText(format, text, { stream: process.stdout })

/** Writes a line. */
export const print = (text = ""): void => {
  process.stdout.write(`${text}\n`)
}

/** Writes the title of a part, and what there is to see. */
export const title = (text: string, ...what: ReadonlyArray<string>): void => {
  print(`\n${paint("bold", text)}`)
  for (const line of what) print(paint("dim", `   ${line}`))
  print()
}

// Who reads may go away before the end; the demo then still has to clean up.
process.stdout.on("error", () => {})
