/** Records written by hand: what checkers are shown of features that a small play does not have. */
import { createHash } from "node:crypto"
import type { Entry, Intended, Stored } from "../../src/outbox/Entry.ts"
import type { Run } from "../../src/outbox/Outbox.ts"
import type { Evidence } from "../../src/testing/internal/evidence.ts"

export const digestOf = (text: string): string => createHash("sha256").update(text).digest("hex")

/** When the first entry is written; each one follows the one before after a second. */
export const began = 1_000_000
export const second = 1_000

/** An entry, and where it matters when it is written. */
export type Line = Entry | readonly [at: number, entry: Entry]

const isEnded = (entry: Entry) => entry._tag === "ended"

/** A run with these entries. Without a claim at the beginning it is given one. Its state is that of its end. */
export const run = (
  runId: string,
  lines: ReadonlyArray<Line>,
  more: Partial<Run> = {}
): { readonly run: Run; readonly entries: ReadonlyArray<Stored> } => {
  const all = [{ _tag: "claimed", worker: "w1", from: "start" } as const, ...lines] as ReadonlyArray<Line>
  let epoch = 0
  const entries = all.map((line, seq): Stored => {
    const [at, entry] = "_tag" in line ? [began + seq * second, line] : line
    if (entry._tag === "claimed") epoch++
    return { seq, epoch, at, entry }
  })
  const ended = entries.map(({ entry }) => entry).find(isEnded)
  return {
    entries,
    run: {
      runId,
      saga: "Trip",
      version: 1,
      key: runId,
      generation: 0,
      state: ended?.state ?? "running",
      phase: "forward",
      stuckReason: undefined,
      payload: "{}",
      payloadDigest: digestOf("{}"),
      attributes: {},
      epoch,
      owner: undefined,
      createdAt: began,
      changedAt: entries.at(-1)?.at ?? began,
      wakeAt: undefined,
      deadline: undefined,
      parent: undefined,
      undoes: undefined,
      result: ended?.value,
      ...more
    }
  }
}

export const evidence = (...runs: Evidence["runs"]): Evidence => ({ runs, ledger: undefined })

export const intended = (path: string, more: Partial<Intended> = {}): Intended => ({
  _tag: "intended",
  path,
  tool: path.replace(/^.*\/|[~!].*$/g, ""),
  toolVersion: 1,
  act: path.endsWith("!compensate") ? "compensation" : "reversible",
  key: `key of ${path}`,
  digest: digestOf("{}"),
  ...(path.endsWith("!compensate") ? {} : { value: "{}" }),
  ...more
})

export const succeeded = (path: string, more: Partial<Extract<Entry, { readonly _tag: "succeeded" }>> = {}): Entry => ({
  _tag: "succeeded",
  path,
  how: "executed",
  value: "null",
  stamp: began,
  ...more
})

export const setback = (
  path: string,
  attempt: number,
  more: Partial<Extract<Entry, { readonly _tag: "attempt_failed" }>> = {}
): Entry => ({
  _tag: "attempt_failed",
  path,
  attempt,
  class: "transient",
  retryAt: began,
  leaves: "retry",
  stamp: began,
  ...more
})

export const attempted = (path: string, attempt: number): Entry => ({ _tag: "attempted", path, attempt })
export const denied = (path: string): Entry => ({ _tag: "settled", path, how: "person", happened: false, by: "ann" })
export const eitherWay = (path: string): Entry => ({ _tag: "settled", path, how: "sameKey", happened: "either" })
export const told = (message: Extract<Entry, { readonly _tag: "told" }>["message"], id: string, more = {}): Entry => ({
  _tag: "told",
  message,
  id,
  by: "ann",
  ...more
})
export const goesBack: Entry = { _tag: "rollback_began", cause: "failed" }
export const ended = (state: "completed" | "rolled_back" | "partly_rolled_back"): Entry => ({ _tag: "ended", state })

/** A call that happened. */
export const done = (path: string, more: Partial<Intended> = {}): ReadonlyArray<Entry> => [
  intended(path, more),
  succeeded(path)
]
/** A call that was taken back. */
export const undone = (path: string): ReadonlyArray<Entry> => done(`${path}!compensate`)
