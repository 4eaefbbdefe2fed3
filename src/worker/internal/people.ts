/**
 * What people do in a run beside its body: the calls that they make while it is held, and what the body hears of that.
 *
 * Such a call is one like any other, with a path and a key of its own: its intent is committed before it is made, a doubt
 * about it is settled, and it goes back with the run. All of them are brought to their ends before the body goes on.
 */
import { Effect, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Value from "../../outbox/internal/value.ts"
import { findCall, type RunState, type Word } from "../../outbox/RunState.ts"
import * as Identity from "../../saga/internal/identity.ts"
import type { News } from "../../saga/internal/people.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import { perform } from "./call.ts"
import * as Jobs from "./jobs.ts"
import { commit, type Desk, durable, type Ending as CallEnding, left, stuck, type Unfinished } from "./progress.ts"
import type { Verdict } from "./scope.ts"

/** How far it came. `left`: it goes on from the record. */
export type Ending =
  | { readonly _tag: "ended" }
  | { readonly _tag: "stuck"; readonly verdict: Verdict }
  | { readonly _tag: "left" }
  | Unfinished

interface Act extends Word {
  readonly path: string
}

const isAct = (word: Word): word is Act => word.path !== undefined

const firstOpen = ({ steps, words }: RunState): Act | undefined =>
  words.filter(isAct).find(({ path }) => findCall(steps, path)?.outcome === undefined)

/** Whether somebody asked for a call that has not come to its end, and the run has not begun to end. */
export const isAwaited = (state: RunState): boolean => {
  const { cancel, rollback, succeeded } = state
  return cancel === undefined && rollback === undefined && succeeded === undefined && firstOpen(state) !== undefined
}

/** Makes the calls that people asked for, one after the other. */
export const drive = Effect.fnUntraced(function* (
  given: Desk,
  tools: ReadonlyMap<string, Definition>
): Effect.fn.Return<Ending> {
  // The body asked for none of it, and hears of it in its own time.
  const desk: Desk = { ...given, placed: () => {}, displaced: () => {} }
  for (let act = firstOpen(desk.state); act !== undefined; act = firstOpen(desk.state)) {
    if (desk.haste(act.path) === "leave") return left as Ending
    const ending = yield* make(desk, act, tools.get(act.told.path ?? ""))
    if (ending._tag !== "succeeded" && ending._tag !== "failed") return ending
    yield* durable(desk)
  }
  return { _tag: "ended" }
})

const make = (desk: Desk, { path, told }: Act, tool: Definition | undefined): Effect.Effect<CallEnding> => {
  const record = findCall(desk.state.steps, path)
  const value = told.value ?? "null"
  if (tool === undefined) {
    return record === undefined
      ? refuse(desk, path, told, `The saga of this run lists no tool ${told.path}.`)
      : Effect.succeed(stuck("no_handler", path, `The saga lists no tool ${told.path} any more. List it, and resume.`))
  }
  const parameters = Result.flatMap(
    Value.codec(tool.parameters).decode(value, `the parameters of ${path}`),
    (decoded) =>
      Value.codec(tool.parameters).encode(decoded, `the parameters of ${path}`, { maxBytes: desk.maxValueBytes })
  )
  if (Result.isFailure(parameters)) {
    return record === undefined
      ? refuse(desk, path, told, parameters.failure.message)
      : Effect.succeed(stuck("undecodable", path, parameters.failure.message))
  }
  return perform(desk, Jobs.forward(desk.runId, path, tool, parameters.success, record))
}

/** Nothing was called, and the record says why. */
const refuse = Effect.fnUntraced(function* (
  desk: Desk,
  path: string,
  { path: tool = "", value = "null" }: Entry.Told,
  why: string
): Effect.fn.Return<CallEnding> {
  const stamp = desk.stamp()
  const intended: Entry.Intended = {
    _tag: "intended",
    path,
    tool,
    toolVersion: 1,
    act: "query",
    key: Identity.callKey(desk.runId, path),
    digest: digestOfText(value),
    value
  }
  yield* commit(desk, [intended, { _tag: "failed", path, class: "permanent", why, stamp }])
  return { _tag: "failed", failure: undefined, stamp }
})

/** What the body has not heard yet, from the word at `from` on. */
export const newsOf = ({ steps, words }: RunState, from: number): ReadonlyArray<News> =>
  words.slice(from).map(({ path, told }) => {
    if (path === undefined) return { by: told.by, said: JSON.parse(told.value ?? '""') as string }
    const outcome = findCall(steps, path)?.outcome
    const { value, why }: Partial<Entry.Failed> = { ...outcome?.entry } as never
    return {
      by: told.by,
      did: told.path ?? "",
      parameters: JSON.parse(told.value ?? "null"),
      isFailure: outcome?._tag !== "succeeded",
      result: value === undefined ? (why ?? null) : JSON.parse(value)
    }
  })
