/**
 * Takes locks for the root of a run: those that are free at once, or a place in line where another run has one.
 *
 * Two functions, in transactions of their own: what is free is taken without the turn that lines need. Locks and their
 * order: see `migrations/gate.ts`. Indexes: the primary key of `lock`, lock_held, lock_holder, lock_line.
 */
import type { Lock, LockRequest } from "../../outbox/Gate.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

export const tryLocks = ({
  keys,
  runId
}: LockRequest): Statement<{ readonly verdict: "granted" | "busy" | "over" }> => ({
  text: "select makegood.try_locks($1, $2) as verdict",
  params: [Parameters.uuid(runId), Parameters.texts(keys)]
})

export interface Waited {
  readonly verdict: "granted" | "waits" | "circle" | "over"
  readonly other: string | null
}

export const waitForLocks = ({ keys, path, runId }: LockRequest): Statement<Waited> => ({
  text: "select w.verdict, w.other::text as other from makegood.wait_for_locks($1, $2, $3) w",
  params: [Parameters.uuid(runId), Parameters.text(path), Parameters.texts(keys)]
})

export const readLines = (keys: ReadonlyArray<string>): Statement<Lock> => ({
  text: `select l.key, l.holder::text as holder, l.granted from makegood.lock l where l.key = any($1)
order by l.key, l.place`,
  params: [Parameters.texts(keys)]
})
