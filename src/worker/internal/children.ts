/**
 * Children: runs that are a step of another run, and that go back with it (G1, G3, G10).
 *
 * A child is started once its wait stands in its parent's record, as often as it takes: its id is a hash of its parent's
 * and its path. Its end reaches the parent's inbox in the commit that ended it. The parent never writes to it: it says
 * "cancel" to a child that has not ended, and has one that completed taken back by an undo run.
 */
import { Effect, Exit, Option, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Value from "../../outbox/internal/value.ts"
import { isEnd } from "../../outbox/Outbox.ts"
import type { NewRun, Outbox, OutboxError } from "../../outbox/Outbox.ts"
import type * as RunState from "../../outbox/RunState.ts"
import type { SagaDefinition } from "../../saga/internal/engine.ts"
import * as Identity from "../../saga/internal/identity.ts"
import { undoRun } from "../../saga/internal/undo.ts"
import type { Step } from "../../tool/internal/running.ts"
import type { End, Waiting } from "../../wait/internal/waiting.ts"
import type { Lease } from "./lease.ts"
import { patience } from "./pen.ts"

/** Starts a run once, in this worker if it has room for it. */
export type StartRun = (run: NewRun) => Effect.Effect<void, OutboxError>

/** What is asked of a child beside its saga and payload. */
type ChildStep = Pick<Extract<Step, { readonly _tag: "child" }>, "attributes" | "ended">

/** What a run does about its children. */
export interface Family {
  /** The child at `path`, as its parent waits for it. A text says why its payload cannot be recorded. */
  readonly ask: (
    path: string,
    saga: SagaDefinition,
    payload: unknown,
    step?: ChildStep
  ) => Result.Result<Waiting, string>
  /** Cancels a child that may not have been started yet. False where nobody can say which version of its saga to start. */
  readonly cancel: (child: Pick<RunState.Wait, "path" | "asked">, why: string) => Effect.Effect<boolean, OutboxError>
  /** The end of a child, as the rollback of its parent waits for it. */
  readonly end: (child: RunState.Wait) => Waiting
  /** The undo run of a child that completed, as the rollback of its parent waits for it. */
  readonly undo: (child: RunState.Wait) => Waiting
  /** Tells this run's own parent that it has passed a pivot: what that completed before it stands. */
  readonly tellPivot: (parent: string) => Effect.Effect<void, OutboxError>
}

export const make = (options: {
  readonly runId: string
  readonly outbox: Outbox["Service"]
  readonly startRun: StartRun
  /** The sagas that the run's saga lists. */
  readonly sagas: ReadonlyMap<string, SagaDefinition>
}): Family => {
  const { outbox, runId, sagas, startRun } = options

  const newRun = (
    path: string,
    saga: SagaDefinition,
    payload: string,
    attributes: NewRun["attributes"] = {}
  ): NewRun => ({
    runId: Identity.childId(runId, path),
    saga: saga.name,
    version: saga.version,
    key: Identity.childKey(runId, path),
    generation: 0,
    payload,
    payloadDigest: digestOfText(payload),
    attributes,
    parent: runId,
    worker: undefined
  })

  const cancel: Family["cancel"] = ({ asked, path }, why) =>
    Effect.gen(function* () {
      const child = Identity.childId(runId, path)
      const send = outbox.send({ id: `cancel:${runId}`, runId: child, told: { message: "cancel", by: runId, why } })
      if (yield* send) return true
      if (Option.isSome(yield* outbox.get(child))) return true
      const saga = sagas.get(asked.name)
      if (saga === undefined) return false
      // An earlier worker may still be about to start it: then it finds it there, and cancelled. With no time at all:
      // whoever claims it before it is told so does nothing either.
      yield* outbox.start({ ...newRun(path, saga, asked.value ?? "null"), deadlineMillis: 0 })
      yield* send
      return true
    })

  return {
    ask: (path, saga, payload, { attributes, ended } = {}) =>
      Result.map(encoded(saga, payload), (text) => ({
        kind: "child",
        name: saga.name,
        asked: text,
        run: Identity.childId(runId, path),
        until: () => undefined,
        over: overOf(Identity.childId(runId, path)),
        begun: startRun(newRun(path, saga, text, attributes)),
        give: giveOf(saga, path, ended)
      })),
    cancel,
    end: ({ asked, path }) => ({
      kind: "child",
      name: asked.name,
      asked: asked.value,
      run: Identity.childId(runId, path),
      until: () => undefined,
      over: overOf(Identity.childId(runId, path)),
      give: () => Result.succeed(Exit.void)
    }),
    undo: ({ asked }) => {
      const child = asked.run ?? ""
      const begin = Effect.gen(function* () {
        const found = yield* outbox.get(child)
        if (Option.isNone(found) || !isEnd(found.value.state)) {
          return yield* Effect.die(new Error(`The child ${child} completed, and the outbox has no such end of it`))
        }
        yield* outbox.start(undoRun(found.value, { by: runId, why: "Its parent goes back." }, runId))
      })
      return {
        kind: "child",
        name: asked.name,
        asked: JSON.stringify({ undoes: child }),
        run: Identity.undoId(child),
        until: () => undefined,
        over: overOf(Identity.undoId(child)),
        begun: begin,
        give: () => Result.succeed(Exit.void)
      }
    },
    tellPivot: (parent) =>
      Effect.asVoid(
        outbox.send({ id: `pivot:${runId}`, runId: parent, told: { message: "child", by: runId, name: "pivot" } })
      )
  }
}

const encoded = (saga: SagaDefinition, payload: unknown): Result.Result<string, string> =>
  Value.codec(saga.payload)
    .encode(payload, `the payload of ${saga.name}`)
    .pipe(Result.mapBoth({ onSuccess: ({ text }) => text, onFailure: (failure) => failure.message }))

const ends: ReadonlyMap<string | undefined, End["how"]> = new Map(
  (["completed", "rolled_back", "partly_rolled_back"] as const).map((state) => [state, state])
)

const overOf =
  (run: string): Waiting["over"] =>
  (_, unused) => {
    const told = unused.find(({ by, message }) => message === "child" && by === run)
    const how = ends.get(told?.name)
    if (told === undefined || how === undefined) return undefined
    return { how, message: told.id, by: run, ...(told.value === undefined ? {} : { value: told.value }) }
  }

/** What a child's end gives to the body of its parent. */
export const giveOf =
  (saga: SagaDefinition, path: string, ended: ChildStep["ended"]): Waiting["give"] =>
  ({ by, how, value }: Entry.Answered) => {
    ended?.(by ?? "")
    // Only a child whose branch was given up goes back without a failure of its own, and nobody waits for that.
    if (how !== "completed" && value === undefined) {
      return Result.succeed(Exit.die(new Error(`${path} was given up`)))
    }
    const [schema, what] = how === "completed" ? [saga.success, "result"] : [saga.error, "failure"]
    return Value.codec(schema)
      .decode(value ?? "null", `the ${what} of the child ${path}`)
      .pipe(
        Result.mapBoth({
          onSuccess: (given) => (how === "completed" ? Exit.succeed(given) : Exit.fail(given)),
          onFailure: (failure) => failure.message
        })
      )
  }

/** Both sides in words where a child is not what the record says (G15). */
export const difference = (
  saga: SagaDefinition,
  payload: unknown,
  { asked, path }: RunState.Wait
): string | undefined => {
  if (asked.wait !== "child" || asked.name !== saga.name) {
    return `The record waits for the ${asked.wait} ${asked.name} at ${path}, the body for the child ${saga.name}.`
  }
  const text = encoded(saga, payload)
  if (Result.isFailure(text)) return text.failure
  if (digestOfText(text.success) === asked.digest) return undefined
  // Recorded payloads are first written as today's schema writes them.
  const codec = Value.codec(saga.payload)
  const before = codec.decode(asked.value ?? "null", path).pipe(
    Result.flatMap((decoded) => codec.encode(decoded, path)),
    Result.match({ onSuccess: (again) => again.text, onFailure: () => undefined })
  )
  return before === text.success
    ? undefined
    : `The record has the child ${path} with ${asked.value ?? "nothing"}, the body asked for it with ${text.success}.`
}

/** Repeats what can be repeated while the outbox is away and the run is held here. */
export const patiently = <A>(
  effect: Effect.Effect<A, OutboxError>,
  desk: { readonly lease: Lease; readonly isLeaving: () => boolean }
): Effect.Effect<Result.Result<A, OutboxError>> =>
  effect.pipe(
    Effect.retry({
      schedule: patience,
      while: ({ reason }) => reason.retryable && !desk.lease.isOver() && !desk.isLeaving()
    }),
    Effect.result
  )
