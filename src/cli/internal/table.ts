/** Tables that fit a width: what is too long is cut where it says so, and nothing else. Pure. */
import { CliOutput } from "effect/cli"
import { clean } from "./words.ts"

/** A column: its heading, and how it gives way where the table is too wide. */
export interface Column {
  readonly name: string
  /** To the right, as numbers are. */
  readonly right?: boolean
  /** How far it may shrink. Default: not at all. */
  readonly least?: number
}

export type Paint = (style: "bold" | "dim" | "red" | "green" | "yellow" | "cyan", text: string) => string

/** Leaves texts as they are. */
export const plain: Paint = (_, text) => text

/** Gives texts the colours of a terminal. */
export const coloured: Paint = (style, text) => `\u001b[${codes[style]}m${text}\u001b[0m`

const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 }

const gap = "  "
const widthOf = CliOutput.displayWidth

/** The text in this many columns of a terminal, cut with an ellipsis where it has more. */
export const fit = (text: string, width: number): string => {
  if (widthOf(text) <= width) return text
  let cut = ""
  for (const character of text) {
    if (widthOf(cut) + widthOf(character) > width - 1) break
    cut += character
  }
  return width <= 0 ? "" : `${cut}\u2026`
}

/** The text filled up to a width, or cut to it. */
export const pad = (text: string, width: number, right = false): string => {
  const shown = fit(text, width)
  const space = " ".repeat(Math.max(0, width - widthOf(shown)))
  return right ? space + shown : shown + space
}

const widths = (columns: ReadonlyArray<Column>, rows: ReadonlyArray<ReadonlyArray<string>>, width: number) => {
  const found = columns.map(({ name }, index) =>
    Math.max(widthOf(name), ...rows.map((row) => widthOf(row[index] ?? "")))
  )
  const total = () => found.reduce((sum, each) => sum + each, gap.length * (columns.length - 1))
  // The widest that may gives way, a column at a time.
  while (total() > width) {
    let widest = -1
    for (const [index, { least }] of columns.entries()) {
      if (least === undefined || found[index]! <= least) continue
      if (widest === -1 || found[index]! > found[widest]!) widest = index
    }
    if (widest === -1) break
    found[widest]!--
  }
  return found
}

/** The lines of a table; `style` colours a cell by its column and text. */
export const table = (
  columns: ReadonlyArray<Column>,
  given: ReadonlyArray<ReadonlyArray<string>>,
  options: { readonly width: number; readonly paint?: Paint; readonly style?: (column: string, cell: string) => Style }
): ReadonlyArray<string> => {
  const rows = given.map((row) => row.map(clean))
  const found = widths(columns, rows, options.width)
  const paint = options.paint ?? plain
  const line = (cells: ReadonlyArray<string>, styleOf: (index: number) => Style) =>
    cells
      .map((cell, index) => {
        const isLast = index === columns.length - 1 && columns[index]?.right !== true
        const text = isLast ? fit(cell, found[index]!) : pad(cell, found[index]!, columns[index]?.right)
        const style = styleOf(index)
        return style === undefined ? text : paint(style, text)
      })
      .join(gap)
  return [
    line(
      columns.map(({ name }) => name),
      () => "bold"
    ),
    ...rows.map((row) => line(row, (index) => options.style?.(columns[index]?.name ?? "", row[index] ?? "")))
  ].map((text) => text.trimEnd())
}

export type Style = Parameters<Paint>[0] | undefined

/** Breaks lines that are too long; what follows is put under the last column of its line. Pure. */
export const wrap = (text: string, width: number): string =>
  text
    .split("\n")
    .map((line) => {
      if (widthOf(line) <= width) return line
      const columns = /^(\s*\S.*?\s{2,})\S/.exec(line)
      const indent = /^\s*/.exec(line)![0].length
      const found = columns === null ? indent : widthOf(columns[1]!)
      const hang = found > width / 2 ? indent + 4 : found
      const lines: Array<string> = []
      let current = ""
      for (const word of line.slice(indent).split(/(?<=\S)(?= \S)/)) {
        const isFirst = lines.length === 0
        const space = isFirst ? indent : hang
        if (current !== "" && space + widthOf(current + word) > width) {
          lines.push(" ".repeat(space) + current)
          current = word.trimStart()
        } else current += word
      }
      return [...lines, " ".repeat(lines.length === 0 ? indent : hang) + current].join("\n")
    })
    .join("\n")
