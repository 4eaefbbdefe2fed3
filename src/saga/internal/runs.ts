/** The implementation of `Runs` over an outbox, and a worker beside it where there is one. */
import { Clock, Context, Effect, Latch, Option, Result, Schema, Stream } from "effect"
import type * as Duration from "effect/Duration"
import type * as Entry from "../../outbox/Entry.ts"
import { digestOfText } from "../../outbox/internal/canonical.ts"
import * as Value from "../../outbox/internal/value.ts"
import { isEnd } from "../../outbox/Outbox.ts"
import type { NewRun, Outbox, OutboxError, Run, State } from "../../outbox/Outbox.ts"
import * as Path from "../../outbox/Path.ts"
import * as Report from "../Report.ts"
import type { Filter, Grant, Handle, Runs, StartOptions, Who } from "../Runs.ts"
import {
  InTransaction,
  InvalidInput,
  RunCancelled,
  RunConflict,
  RunDeadlinePassed,
  RunEnded,
  RunIsChild,
  RunNotCompleted,
  RunNotFound,
  RunRemoved,
  RunsError,
  UndoTooLate
} from "../RunsError.ts"
import type { Local, SagaDefinition } from "./engine.ts"
import { detailsOf } from "./details.ts"
import * as Decisions from "./decisions.ts"
import * as Identity from "./identity.ts"
import * as Record from "./record.ts"
import * as Live from "./live.ts"
import * as People from "./people.ts"
import { tooLate, undoRun } from "./undo.ts"

const pageSize = 500
/** How long until the next look where no hint came. */
const pollInterval: Duration.Input = "500 millis"

const failed = (reason: RunsError["reason"]) => new RunsError({ reason })

/** The outbox's own error, as an error of runs. */
const lift = <A, R>(self: Effect.Effect<A, OutboxError, R>): Effect.Effect<A, RunsError, R> =>
  Effect.mapError(self, (error) => failed(error.reason))

const refused = (what: string, why: string) => Effect.fail(failed(new InvalidInput({ what, why })))

const fromResult = <A>(result: Result.Result<A, RunsError["reason"]>): Effect.Effect<A, RunsError> =>
  Effect.fromResult(Result.mapError(result, failed))

const unlessRemoved = (run: Run): Effect.Effect<Run, RunsError> => {
  const { key, removedAt, runId, saga, state } = run
  if (removedAt === undefined) return Effect.succeed(run)
  return Effect.fail(failed(new RunRemoved({ runId, saga, key, state, removedAt })))
}

/** Text that may go into a column of the register: well-formed Unicode without NUL, of a bounded length. */
const checkText = (what: string, text: unknown, most: number): Effect.Effect<string, RunsError> => {
  if (typeof text !== "string") return refused(what, `is ${typeof text}, not a text`)
  if (text.length === 0) return refused(what, "is empty")
  if (text.length > most) return refused(what, `has ${text.length} characters; ${most} are allowed`)
  if (text.includes("\0")) return refused(what, "contains NUL")
  return text.isWellFormed() ? Effect.succeed(text) : refused(what, "contains half a surrogate pair")
}

/** A run of any generation. */
type Wanted = Omit<NewRun, "runId" | "generation" | "worker">

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export const make = (outbox: Outbox["Service"], local: Local | undefined): Runs["Service"] => {
  const find = (runId: string): Effect.Effect<Run, RunsError> =>
    uuid.test(runId)
      ? Effect.flatMap(lift(outbox.get(runId)), (run) =>
          Option.isNone(run) ? Effect.fail(failed(new RunNotFound({ runId }))) : unlessRemoved(run.value)
        )
      : Effect.fail(failed(new RunNotFound({ runId })))

  const history = (runId: string) => Effect.andThen(find(runId), lift(Record.entriesOf(outbox, runId)))

  const get = Effect.fnUntraced(function* (runId: string) {
    return yield* lift(detailsOf(outbox, yield* find(runId)))
  })

  /** Ends when something about the run may have changed. */
  const changed = (runId: string) =>
    Effect.raceFirst(
      Effect.sleep(pollInterval),
      Effect.callback<void>((resume) => {
        const stop = local?.onTurn(runId, () => resume(Effect.void))
        return Effect.sync(() => stop?.())
      })
    )

  /** How a run that is held here turned, where it is as wanted; `undefined` at another turn, and after a while. */
  const hear = (runId: string, isWanted: (state: State) => boolean): Effect.Effect<Run | undefined> =>
    Effect.withFiber((fiber) =>
      Effect.callback<Run | undefined>((resume) => {
        const hearers = hearersBy(Context.get(fiber.context, Clock.Clock))
        const answer = (run: Run | undefined) => {
          stop()
          resume(Effect.succeed(run))
        }
        const tire = () => answer(undefined)
        const deafen = local?.onTurn(runId, (run) => answer(run !== undefined && isWanted(run.state) ? run : undefined))
        const stop = () => {
          deafen?.()
          hearers.delete(tire)
        }
        hearers.add(tire)
        return Effect.sync(stop)
      })
    )

  /** Who hears of runs, by whose clock. One timer for all of them: one for each would cost each run as much as a step. */
  const hearing = new Map<Clock.Clock, Set<() => void>>()

  const hearersBy = (clock: Clock.Clock): Set<() => void> => {
    const known = hearing.get(clock)
    if (known !== undefined) return known
    const hearers = new Set<() => void>()
    hearing.set(clock, hearers)
    const watch = Effect.gen(function* () {
      do {
        const heardBefore = Array.from(hearers)
        yield* Effect.sleep(pollInterval)
        for (const tire of heardBefore) if (hearers.has(tire)) tire()
      } while (hearers.size > 0)
      hearing.delete(clock)
    })
    Effect.runFork(Effect.provideService(watch, Clock.Clock, clock))
    return hearers
  }

  /** Waits for a run that is as wanted. Asks nothing about one that turns so here. */
  const awaitRun = (runId: string, isWanted: (state: State) => boolean): Effect.Effect<Run, RunsError> =>
    Effect.suspend(() =>
      local?.holds(runId) === true
        ? Effect.flatMap(hear(runId, isWanted), (run) =>
            run === undefined ? lookUntil(runId, isWanted) : Effect.succeed(run)
          )
        : lookUntil(runId, isWanted)
    )

  /** Asks again and again. Listens before it asks. */
  const lookUntil = (runId: string, isWanted: (state: State) => boolean): Effect.Effect<Run, RunsError> =>
    Effect.suspend(() => {
      const told = Latch.makeUnsafe()
      let found: Run | undefined
      const listen = () =>
        local?.onTurn(runId, (run) => {
          if (run !== undefined && isWanted(run.state)) found ??= run
          told.openUnsafe()
        })
      const tellOrPoll = Effect.raceFirst(told.await, Effect.sleep(pollInterval))
      const look = Effect.gen(function* () {
        while (found === undefined) {
          told.closeUnsafe()
          const run = yield* find(runId)
          if (isWanted(run.state)) return run
          yield* tellOrPoll
        }
        return found
      })
      return Effect.acquireUseRelease(
        Effect.sync(listen),
        () => look,
        (stop) => Effect.sync(() => stop?.())
      )
    })

  const awaitEnd = (runId: string) => awaitRun(runId, isEnd)

  /** Starts this generation of the run, unless it is there already. */
  const startGeneration = Effect.fnUntraced(function* (wanted: Wanted, generation: number) {
    const runId = Identity.runId(wanted.saga, wanted.key, generation)
    const named: NewRun = { ...wanted, runId, generation, worker: undefined }
    const run = local === undefined || (yield* outbox.inTransaction) ? named : local.prepare(named)
    const started = yield* lift(outbox.start(run)).pipe(
      Effect.onExit((exit) =>
        Effect.sync(() => {
          if (exit._tag === "Failure" || exit.value._tag === "exists") local?.notStarted(runId)
        })
      )
    )
    if (started._tag === "exists") return { runId, found: started.run }
    yield* outbox.afterCommit(Effect.sync(() => local?.started(run, started)))
    return { runId, found: undefined }
  })

  /** The first generation, or the latest where the first is there already; a further one where that is asked for. */
  const startLatest = Effect.fnUntraced(function* (wanted: Wanted, { again }: StartOptions) {
    const first = yield* startGeneration(wanted, 0)
    if (first.found === undefined) return first
    const latest = Option.getOrElse(yield* lift(outbox.find(wanted.saga, wanted.key)), () => first.found)
    const wentBack = latest.state === "rolled_back" || latest.state === "partly_rolled_back"
    return again === "ifRolledBack" && wentBack
      ? yield* startGeneration(wanted, latest.generation + 1)
      : { runId: latest.runId, found: latest }
  })

  const start = Effect.fnUntraced(function* (
    { idempotencyKey, saga }: { readonly saga: SagaDefinition; readonly idempotencyKey: (payload: unknown) => string },
    given: unknown,
    options: StartOptions & { readonly waits?: boolean }
  ) {
    if (options.waits === true && (yield* outbox.inTransaction)) return yield* failed(new InTransaction())
    const payload = yield* fromResult(Value.codec(saga.payload).encode(given, `the payload of ${saga.name}`))
    const what = `The idempotency key of ${saga.name}`
    const key = yield* checkText(what, idempotencyKey(payload.value), 500)
    if (key.startsWith(Identity.reserved)) return yield* refused(what, `begins with ${Identity.reserved}`)
    const attributes = options.attributes ?? {}
    for (const [name, value] of Object.entries(attributes)) {
      yield* checkText("The name of an attribute", name, 100)
      yield* checkText(`The attribute ${name}`, value, 1_000)
    }
    const payloadDigest = digestOfText(payload.text)
    const { deadlineMillis, name, version } = saga
    const wanted = { saga: name, version, key, payload: payload.text, payloadDigest, attributes, deadlineMillis }
    const { found, runId } = yield* startLatest(wanted, options)
    if (found !== undefined && found.payloadDigest !== payloadDigest) {
      return yield* failed(new RunConflict({ saga: saga.name, key, runId }))
    }
    if (found !== undefined) yield* unlessRemoved(found)
    return handleOf(saga, runId)
  })

  const handleOf = (saga: SagaDefinition, runId: string): Handle<unknown, unknown> => ({
    runId,
    await: Effect.flatMap(awaitEnd(runId), (run) => verdictOf(saga, run))
  })

  const verdictOf = Effect.fnUntraced(function* (saga: SagaDefinition, run: Run) {
    const decode = (schema: SagaDefinition["success"], what: string) =>
      fromResult(Value.codec(schema).decode(run.result ?? "null", `the ${what} of the run ${run.runId}`))
    if (run.state === "completed") return yield* decode(saga.success, "result")
    const state = yield* lift(Record.stateOf(outbox, run))
    const { cancel, rollback } = state
    if (rollback?.cause === "failed") return yield* Effect.fail(yield* decode(saga.error, "failure"))
    const stands = Report.of(state)?.calls.flatMap(({ fate, path }) => (fate === "stands" ? [path] : [])) ?? []
    const ended = { runId: run.runId, ...(stands.length === 0 ? {} : { stands }) }
    if (rollback?.cause === "deadline") return yield* new RunDeadlinePassed(ended)
    const why = cancel?.why
    return yield* new RunCancelled({ ...ended, by: cancel?.by ?? "", ...(why === undefined ? {} : { why }) })
  })

  const watch = (runId: string, first = 0): Stream.Stream<Entry.Stored, RunsError> =>
    Stream.paginate(first, (from) =>
      Effect.map(
        Effect.suspend(() => (from === first ? find(runId) : Effect.void)).pipe(
          Effect.andThen(lift(outbox.entries(runId, { from, limit: pageSize }))),
          Effect.tap((page) => (page.length === 0 ? changed(runId) : Effect.void))
        ),
        (page) => {
          const ended = page.at(-1)?.entry._tag === "ended"
          return [page, ended ? Option.none<number>() : Option.some(from + page.length)] as const
        }
      )
    )

  const list = (filter: Filter): Stream.Stream<Run, RunsError> =>
    Stream.paginate(undefined as { readonly createdAt: number; readonly runId: string } | undefined, (before) =>
      Effect.map(lift(outbox.list({ ...filter, before, limit: pageSize })), (page) => {
        const last = page.at(-1)
        const next =
          page.length < pageSize || last === undefined
            ? Option.none<typeof before>()
            : Option.some({ createdAt: last.createdAt, runId: last.runId })
        return [page, next] as const
      })
    )

  const checkWho = Effect.fnUntraced(function* ({ by, why }: Who) {
    if (why !== undefined) yield* checkText("The reason", why, 10_000)
    return yield* checkText("The name of who decides", by, 500)
  })

  /** Refuses for a child what only its parent can say. */
  const unlessChild = Effect.fnUntraced(function* (run: Run) {
    const { parent, runId } = run
    if (parent !== undefined) return yield* failed(new RunIsChild({ runId, parent }))
  })

  const undo = Effect.fnUntraced(function* (runId: string, who: Who) {
    yield* checkWho(who)
    const run = yield* find(runId)
    const undoing = undoRun(run, who)
    if (Option.isSome(yield* lift(outbox.get(undoing.runId)))) return { runId: undoing.runId }
    yield* unlessChild(run)
    if (run.state !== "completed") return yield* failed(new RunNotCompleted({ runId, state: run.state }))
    const late = yield* lift(tooLate(outbox, run))
    if (late.length > 0) return yield* failed(new UndoTooLate({ runId, calls: late }))
    yield* lift(outbox.start(undoing))
    return { runId: undoing.runId }
  })

  const tell = Effect.fnUntraced(function* (
    runId: string,
    who: Who,
    told: Omit<Entry.Told, "_tag" | "id" | "by" | "why">
  ) {
    const by = yield* checkWho(who)
    const id = yield* checkText("The id of a message", who.id ?? crypto.randomUUID(), 200)
    const run = yield* find(runId)
    if (isEnd(run.state)) return yield* failed(new RunEnded({ runId, state: run.state }))
    const sent = yield* lift(
      outbox.send({ id, runId, told: { ...told, by, ...(who.why === undefined ? {} : { why: who.why }) } })
    )
    if (!sent) return yield* failed(new RunEnded({ runId, state: (yield* find(runId)).state }))
  })

  /** The run, unless it has ended. */
  const findOpen = (runId: string) =>
    Effect.flatMap(find(runId), (run) =>
      isEnd(run.state) ? Effect.fail(failed(new RunEnded({ runId, state: run.state }))) : Effect.succeed(run)
    )

  /** A path that names a call of the run. */
  const pathOf = Effect.fnUntraced(function* (runId: string, path: string) {
    if ((yield* get(runId)).calls.some((call) => call.path === path)) return path
    return yield* failed(
      new InvalidInput({
        what: `The path ${JSON.stringify(path).slice(0, 200)}`,
        why: `names no call of the run ${runId}`
      })
    )
  })

  /** Refuses a retry of something else than what the run is stuck at. */
  const stuckAt = Effect.fnUntraced(function* (runId: string, path: string) {
    const { state, stuck } = yield* get(runId)
    const at = stuck?.path
    if (at !== undefined && (at === path || Path.compensatedBy(at) === path)) return
    const why =
      at === undefined
        ? `is not what the run ${runId} waits for: it is ${state}`
        : `is not ${at}, where the run ${runId} is stuck`
    return yield* failed(new InvalidInput({ what: `The path ${JSON.stringify(path).slice(0, 200)}`, why }))
  })

  /** The run of a saga's key: that of the latest generation. */
  const runOf = Effect.fnUntraced(function* (saga: string, key: string) {
    const found = yield* lift(outbox.find(saga, key))
    if (Option.isNone(found)) return yield* failed(new RunNotFound({ runId: `${saga}/${key}` }))
    return found.value.runId
  })

  const grant = Effect.fnUntraced(function* (runId: string, { to, ...who }: Grant) {
    const run = yield* find(runId)
    const { stuck, told } = yield* lift(Record.stateOf(outbox, run))
    if (who.id !== undefined && told.has(who.id)) return
    const refuse = (why: string) => failed(new InvalidInput({ what: "The grant", why }))
    if (to !== undefined && !Number.isFinite(to)) return yield* refuse("has no number to raise the limit to")
    if (!isEnd(run.state) && (run.state !== "stuck" || stuck?.reason !== "over_budget" || stuck.path === undefined)) {
      return yield* refuse(`is not asked for: the run ${runId} is ${run.state}, and not over a budget`)
    }
    return yield* tell(runId, who, { message: "grant", path: stuck?.path ?? "", value: JSON.stringify(to ?? null) })
  })

  return {
    start,
    get,
    list,
    history,
    live: Live.of(outbox),
    row: (runId) => lift(outbox.get(runId)),
    standInLine: (runId, path, keys) =>
      Effect.asVoid(lift(outbox.gate.lock({ runId, path: Path.waitOf(path, "lock"), keys, waits: true }))),
    await: awaitEnd,
    ...Decisions.make(outbox, { open: findOpen, checkText, lookAtPauses: local?.lookAtPauses ?? Effect.void }),
    ...People.make({ changed, find, tell, stateOf: (run) => lift(Record.stateOf(outbox, run)) }),
    settled: (runId) => awaitRun(runId, (state) => isEnd(state) || state === "stuck"),
    watch,
    cancel: (runId, who) =>
      find(runId).pipe(Effect.flatMap(unlessChild), Effect.andThen(tell(runId, who, { message: "cancel" }))),
    undo,
    preview: (runId) =>
      Effect.flatMap(find(runId), (run) => Effect.map(lift(Record.stateOf(outbox, run)), Report.preview)),
    resume: (runId, who) => tell(runId, who, { message: "resume" }),
    retry: Effect.fnUntraced(function* (runId, path, who) {
      if (path !== undefined) yield* stuckAt(runId, path)
      return yield* tell(runId, who, { message: "resume", ...(path === undefined ? {} : { path }) })
    }),
    grant,
    hold: (runId, who) => tell(runId, who, { message: "hold" }),
    release: (runId, who) => tell(runId, who, { message: "release" }),
    skip: Effect.fnUntraced(function* (runId, path, who) {
      return yield* tell(runId, who, { message: "skip", path: yield* pathOf(runId, path) })
    }),
    signal: Effect.fnUntraced(function* (to, signal, payload, options = {}) {
      const encoded = yield* fromResult(
        Value.codec(signal.payloadSchema).encode(payload, `the payload of the signal ${signal.name}`)
      )
      const { by = "signal", id } = options
      const who = { by, ...(id === undefined ? {} : { id: `signal:${signal.name}:${id}` }) }
      const runId = typeof to === "string" ? to : yield* runOf(to.saga.name, to.key)
      return yield* tell(runId, who, { message: "signal", name: signal.name, value: encoded.text })
    }),
    resolve: Effect.fnUntraced(function* (runId, path, resolution, who) {
      yield* pathOf(runId, path)
      const value =
        "happened" in resolution
          ? yield* fromResult(Value.codec(Schema.Json).encode(resolution.happened, "the resolution"))
          : undefined
      return yield* tell(runId, who, {
        message: "resolve",
        path,
        happened: value !== undefined,
        ...(value === undefined ? {} : { value: value.text })
      })
    })
  }
}
