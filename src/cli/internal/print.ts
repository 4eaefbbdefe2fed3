/** Printing: for people, and with `--json` for programs. */
import { Console, Effect } from "effect"
import type { Details, Run } from "../../saga/Runs.ts"
import { Json, paint, width } from "./settings.ts"
import { table } from "./table.ts"
import type { Column } from "./table.ts"
import { styleOf } from "./timeline.ts"

export const lines = (all: ReadonlyArray<string>) => (all.length === 0 ? Effect.void : Console.log(all.join("\n")))

/** One value: as JSON on a line, or as people read it. */
export const either = (value: unknown, forPeople: () => ReadonlyArray<string>) =>
  Effect.flatMap(Json, (json) => (json ? Console.log(JSON.stringify(value)) : lines(forPeople())))

/** Rows: a JSON value a line, or a table; `nothing` where there are none. */
export const rows = <A>(
  all: ReadonlyArray<A>,
  columns: ReadonlyArray<Column>,
  options: {
    readonly json: (row: A) => unknown
    readonly cells: (row: A) => ReadonlyArray<string>
    readonly nothing: string
  }
) =>
  Effect.flatMap(Json, (json) => {
    if (json) return lines(all.map((row) => JSON.stringify(options.json(row))))
    if (all.length === 0) return Console.log(options.nothing)
    const isState = (column: string) => column === "state" || column === "reason"
    return lines(
      table(columns, all.map(options.cells), {
        width: width(),
        paint: paint(),
        style: (column, cell) => (isState(column) ? styleOf(cell) : undefined)
      })
    )
  })

const parsed = (text: string | undefined): unknown => {
  if (text === undefined) return undefined
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** A run as a JSON value; its own JSON texts as what they say. */
export const runJson = (run: Run | Details): object => ({
  ...run,
  payload: parsed(run.payload),
  result: parsed(run.result)
})
