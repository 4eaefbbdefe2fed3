/** The state of a thread: written with its version, read through migrations. */
import { Schema } from "effect"
import type { Plain } from "../../tool/Tool.ts"

/** By the version that they begin with. */
export type Migrations = Readonly<Record<number, (state: Schema.Json) => Schema.Json>>

/** A state as it is recorded. */
export const Stored = Schema.Struct({ version: Schema.Int, value: Schema.Json })
export type Stored = typeof Stored.Type

export interface State<A> {
  /** Reads what was recorded, by this version or an earlier one; the initial state where that is nothing. */
  readonly read: (stored: Stored | undefined) => A
  readonly write: (state: A) => Stored
}

export const make = <S extends Plain>(
  thread: string,
  {
    initial,
    migrations = {},
    schema,
    version
  }: { readonly version: number; readonly schema: S; readonly initial: S["Type"]; readonly migrations?: Migrations }
): State<S["Type"]> => {
  const refuse = (why: string): never => {
    throw new TypeError(`The state of the thread ${thread} ${why}. It was not defined. Change it.`)
  }
  if (!Number.isInteger(version) || version < 1)
    refuse(`has the version ${version}, which is no whole number from 1 up`)
  for (let from = 1; from < version; from++) {
    if (migrations[from] === undefined) refuse(`has no migration from version ${from} to version ${from + 1}`)
  }
  const codec = Schema.toCodecJson(schema)
  const encode = Schema.encodeUnknownSync(codec)
  const decode = Schema.decodeUnknownSync(codec)
  return {
    read: (stored) => {
      if (stored === undefined) return initial
      if (stored.version > version) {
        throw new Error(
          `The state of the thread ${thread} was written by version ${stored.version}, and here is version ${version}. ` +
            "Nothing was done. Deploy the later version, and resume the run."
        )
      }
      let { value } = stored
      for (let from = stored.version; from < version; from++) value = migrations[from]!(value)
      return decode(value)
    },
    write: (state) => ({ version, value: encode(state) as Schema.Json })
  }
}
