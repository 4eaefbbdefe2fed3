/**
 * Rows on their way into the journal, as arrays: one a column, one place in each for every row.
 *
 * What few rows have is left out where none of a statement's has it: each array costs on both sides.
 */
import type * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Entry from "../../outbox/Entry.ts"
import { gate, type JournalRow, widthOf } from "../internal/journal.ts"
import { booleans, doubles, integers, texts, uuids } from "../internal/parameters.ts"

/** Consecutive rows of one run. */
export interface Lines {
  readonly runId: string
  readonly epoch: number
  readonly seq: number
  /** The append that each belongs to, by its place. */
  readonly appendId: (place: number) => number | null
  readonly atGate: boolean
  readonly rows: ReadonlyArray<JournalRow>
}

interface Column {
  readonly name: string
  readonly type: string
  readonly send: (values: ReadonlyArray<unknown>) => PgTypes.Parameter
  readonly of: (lines: Lines, row: JournalRow, place: number) => unknown
}

const column =
  <A>(type: string, send: (values: ReadonlyArray<A | null>) => PgTypes.Parameter) =>
  (name: string, of: (lines: Lines, row: JournalRow, place: number) => A | null): Column => ({
    name,
    type,
    send: send as Column["send"],
    of
  })
const uuid = column("uuid", uuids)
const int = column("int", integers)
const float = column("float8", doubles)
const text = column("text", texts)
const bool = column("bool", booleans)

const usual: ReadonlyArray<Column> = [
  uuid("run_id", ({ runId }) => runId),
  int("seq", ({ seq }, _, place) => seq + place),
  int("epoch", ({ epoch }) => epoch),
  int("place", (_lines, _row, place) => place),
  int("append_id", ({ appendId }, _, place) => appendId(place)),
  int("tool_version", (_, { toolVersion }) => toolVersion),
  float("stamp", (_, { stamp }) => stamp),
  text("kind", (_, { kind }) => kind),
  text("path", (_, { path }) => path),
  text("tool", (_, { tool }) => tool),
  text("act", (_, { act }) => act),
  text("key", (_, { key }) => key),
  text("digest", (_, { digest }) => digest),
  text("value", (_, { value }) => value),
  text("next_kind", (_, { nextKind }) => nextKind),
  text("next_path", (_, { nextPath }) => nextPath),
  text("next_value", (_, { nextValue }) => nextValue)
]
const rare: ReadonlyArray<Column> = [
  text("leaves", (_, { leaves }) => leaves),
  int("attempt", (_, { attempt }) => attempt),
  text("class", (_, row) => row.class),
  text("detail", (_, { detail }) => detail),
  bool("gate", ({ atGate }, row) => gate(row, atGate))
]
const all = [...usual, ...rare]
const columns = (withRare: boolean) => (withRare ? all : usual)

/** Whether a column holds JSON, which is sent as text. */
export const isJson = (name: string): boolean => name === "value" || name === "next_value" || name === "detail"

/** Whether any of them has what few have. */
export const isRare = (batch: ReadonlyArray<Lines>): boolean =>
  batch.some((lines) => lines.rows.some((row) => rare.some(({ of }) => of(lines, row, 0) !== null)))

/** The parameters, in the order of the columns. */
export const parameters = (batch: ReadonlyArray<Lines>, withRare: boolean): ReadonlyArray<PgTypes.Parameter> =>
  columns(withRare).map(({ of, send }) => {
    const values: Array<unknown> = []
    for (const lines of batch) {
      let place = 0
      for (const row of lines.rows) {
        values.push(of(lines, row, place))
        place += widthOf(row)
      }
    }
    return send(values)
  })

/** Them as a table `e`; its parameters begin at `first`, with the run, its `seq`, its epoch and the place. */
export const table = (first: number, withRare: boolean): string => {
  const arrays = columns(withRare).map(({ type }, index) => `$${first + index}::${type}[]`)
  return `unnest(${arrays.join(", ")}) as e(${columns(withRare)
    .map(({ name }) => name)
    .join(", ")})`
}

/** How many parameters they take. */
export const count = (withRare: boolean): number => columns(withRare).length

/** The insert, up to where its rows come from. */
export const insert = (withRare: boolean): string => {
  const names = columns(withRare).flatMap(({ name }) => (name === "place" ? [] : [name]))
  const values = names.map((name) => (isJson(name) ? `e.${name}::json` : `e.${name}`))
  return `insert into makegood.journal (format, ${names.join(", ")})
  select ${Entry.format}, ${values.join(", ")}`
}
