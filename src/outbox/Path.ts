/**
 * Paths: what a step of a run is called, for life.
 *
 * A path is made of segments joined by `/`, outermost scope first. This table is the whole grammar; nothing else reads
 * or writes these characters.
 *
 * | written | it means |
 * |---|---|
 * | `HoldSeat` | the first step of that name in its scope |
 * | `HoldSeat~2` | the second one |
 * | `hotel/ReserveHotel` | a step in the branch `hotel` |
 * | `legs/0/HoldSeat` | a step in the first branch of the group `legs` |
 * | `plan-a/HoldSeat` | a step inside the savepoint `plan-a`, which is itself a step once it failed |
 * | `HoldSeat!compensate` | the taking-back of the call `HoldSeat`, or the wait for that of the child `HoldSeat` |
 * | `@people/0/HoldSeat` | the first call that a person made in the run while it was held |
 * | `HoldSeat!approval` | what the call `HoldSeat` waits for before it is made; also `!lock`, `!pause` |
 *
 * Names match `[A-Za-z][A-Za-z0-9_-]*`; only the branches of a list are numbers.
 */

/** What a step, scope, tool or saga may be called. */
export const namePattern = /^[A-Za-z][A-Za-z0-9_-]*$/

/** Whether `name` may name a tool, a saga or a step: a letter, then letters, digits, `_` and `-`; 100 at most. */
export const isName = (name: string): boolean => name.length <= 100 && namePattern.test(name)

/** Whether a segment is the number of a branch in a list. */
export const isIndex = (segment: string): boolean => /^(0|[1-9][0-9]*)$/.test(segment)

/** The path of the body itself: the outermost scope. */
export const root = ""

/** The path of the `nth` step called `name` in `scope`; counting starts at 1. */
export const step = (scope: string, name: string, nth: number): string =>
  branch(scope, nth === 1 ? name : `${name}~${nth}`)

/** The path of the scope `segment` inside `scope`. */
export const branch = (scope: string, segment: string | number): string =>
  scope === root ? String(segment) : `${scope}/${segment}`

/** The scope that the step at `path` was asked in. */
export const scopeOf = (path: string): string => {
  const end = path.lastIndexOf("/")
  return end === -1 ? root : path.slice(0, end)
}

const compensating = "!compensate"

/** The path of the taking-back of the call at `path`. */
export const compensationOf = (path: string): string => path + compensating

/** The path of the call that the compensation at `path` takes back, or `undefined` where `path` is no compensation. */
export const compensatedBy = (path: string): string | undefined =>
  path.endsWith(compensating) ? path.slice(0, -compensating.length) : undefined

/** The path of what the call at `path` waits for before it is made. */
export const waitOf = (path: string, wait: "approval" | "lock" | "pause"): string => `${path}!${wait}`

/** The path of the call that the wait at `path` is for, or `undefined` where it is a step of its own. */
export const callOf = (path: string): string | undefined => {
  const end = path.lastIndexOf("!")
  return end === -1 ? undefined : path.slice(0, end)
}

/** Whether the step at `path` was asked inside `scope`, however deep. */
export const isInside = (path: string, scope: string): boolean => scope === root || path.startsWith(`${scope}/`)

/** The path of the `nth` call that a person made in a run; counting starts at 0. No scope of a body is called so. */
export const personal = (nth: number, tool: string): string => `@people/${nth}/${tool}`

/** Whether the call at `path` was made by a person, and not by the body. */
export const isPersonal = (path: string): boolean => path.startsWith("@people/")
