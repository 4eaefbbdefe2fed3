/** Typed array parameters: left to be inferred, an array of nothing but nulls has no type. */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import { Result } from "effect"

const array =
  <A>(oid: number) =>
  (values: ReadonlyArray<A | null>): PgTypes.Parameter =>
    Result.getOrThrow(PgTypes.array(values, oid))

export const booleans = array<boolean>(PgTypes.OID.bool)
export const texts = array<string>(PgTypes.OID.text)
export const uuids = array<string>(PgTypes.OID.uuid)
export const integers = array<number>(PgTypes.OID.int4)
export const doubles = array<number>(PgTypes.OID.float8)
export const text = PgTypes.text
export const uuid = PgTypes.uuid
export const integer = PgTypes.int4
export const double = PgTypes.float8

/** Why a text is refused. */
export const notText = "a text with NUL or half a surrogate pair"

/** Whether Postgres can keep `text` as it is: no NUL, and no half of a surrogate pair, which UTF-8 cannot say. */
export const isText = (text: string): boolean => text.isWellFormed() && !text.includes("\0")
