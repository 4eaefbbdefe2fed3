/**
 * What becomes of each of Effect's operators in the body of a saga.
 *
 * This is the one place where it is written down. `operators.test.ts` plays every row against the engine, or compiles it,
 * and the tables of `docs/operators.md` are printed from here.
 */
import { content } from "./content.ts"
import { flow } from "./flow.ts"
import type { Row } from "./row.ts"

/** What the rows are about, in the order of the page. */
export const groups: Readonly<Record<string, ReadonlyArray<Row>>> = { ...flow, ...content }

/** All of them. */
export const rows: ReadonlyArray<Row> = Object.values(groups).flat()
