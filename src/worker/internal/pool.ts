/**
 * The runs that one worker holds, and the loops that keep it alive and at work.
 *
 * - the heartbeat prolongs the lease, and compares the runs the database says are held with those that are;
 * - the watch puts everything down when the lease is over;
 * - the look-out buries dead workers, claims runs and reads inboxes: at every hint, and by polling without one.
 */
import { Clock, Duration, Effect, Latch, Option } from "effect"
import type { Scope } from "effect"
import { type Entry, UnreadableEntry } from "../../outbox/Entry.ts"
import type { Claim, Message, NewRun, Outbox, Run, State, Transactions } from "../../outbox/Outbox.ts"
import * as RunState from "../../outbox/RunState.ts"
import type { OutboxError } from "../../outbox/OutboxError.ts"
import type { Handler, Local, Worker } from "../../saga/internal/engine.ts"
import * as Record from "../../saga/internal/record.ts"
import * as Landmark from "../Landmark.ts"
import * as Astray from "./astray.ts"
import * as Incarnation from "./incarnation.ts"
import * as Lease from "./lease.ts"
import type { Clearance } from "./clearance.ts"
import type { Limits } from "./limits.ts"

/** After so many deaths of workers without progress a run is poison. */
const maxDeaths = 5
/** How many runs are claimed with one statement. */
const claimLimit = 100
/** How many runs that were here are remembered. */
const mostKnown = 10_000

export interface Settings {
  readonly outbox: Outbox["Service"]
  readonly transactions: Transactions["Service"] | undefined
  readonly limits: Limits
  readonly clearance: Clearance
  readonly name: string
  readonly leaseMillis: number
  readonly marginMillis: number
  readonly heartbeat: Duration.Duration
  readonly poll: Duration.Duration
  readonly grace: Duration.Duration
  readonly holdMillis: number
  readonly commitDelay: Duration.Duration
  readonly maxValueBytes: number
  readonly concurrency: number
}

interface Held {
  readonly incarnation: Incarnation.Incarnation
  /** Counts what was taken, so that a heartbeat does not judge runs that came after it was sent. */
  readonly serial: number
  /** How many heartbeats in a row did not find it. */
  missed: number
}

const handlerKey = (saga: string, version: number) => `${saga}@${version}`

export const make = Effect.fnUntraced(function* (
  settings: Settings
): Effect.fn.Return<{ readonly worker: Worker["Service"]; readonly local: Local }, OutboxError, Scope.Scope> {
  const { outbox } = settings
  const clock = yield* Clock.Clock
  const fork = Effect.runForkWith(yield* Effect.context<never>())
  const handlers = new Map<string, Handler>()
  const held = new Map<string, Held>()
  /** Runs that are being started or loaded here. */
  const arriving = new Set<string>()
  /** Runs whose starts are on their way, and whose bodies play already. */
  const openings = new Map<string, Incarnation.Incarnation>()
  /** Runs that were here lately: who starts one of them again finds it. */
  const known = new Set<string>()
  /** Sagas whose bodies begin with a call, as far as was seen: with nothing that an opening cannot give. */
  const plain = new WeakSet<Handler>()
  const turnListeners = new Map<string, Set<(turned: Run | undefined) => void>>()
  const called = yield* Latch.make(false)
  let isStopping = false
  let serial = 0
  let claiming = 0

  // ---- the lease

  const register = Effect.gen(function* () {
    const lease = Lease.make({
      worker: crypto.randomUUID(),
      leaseMillis: settings.leaseMillis,
      marginMillis: settings.marginMillis,
      clock
    })
    const sent = lease.mark()
    const { at } = yield* outbox.register({
      id: lease.worker,
      name: settings.name,
      leaseMillis: settings.leaseMillis
    })
    lease.prolonged(sent, at)
    return lease
  })

  let lease = yield* register

  const putAllDown = (why: string) => {
    if (held.size === 0) return
    fork(Effect.logWarning(`The worker put ${held.size} runs down: ${why}. They go on from their records.`))
    for (const { incarnation } of Array.from(held.values())) incarnation.putDown()
  }

  const beat = Effect.gen(function* () {
    const current = lease
    const sent = current.mark()
    const before = { serial, claiming }
    const answer = yield* outbox.heartbeat({ id: current.worker, leaseMillis: settings.leaseMillis })
    if (answer._tag === "dead") {
      current.end()
      putAllDown("its lease was over and it was declared dead")
      lease = yield* register
      callLookOut()
    } else {
      current.prolonged(sent, answer.at)
      if (!isStopping) yield* reconcile(answer.held, before)
    }
  })

  /** Adopts runs that the database says are ours, and lets go of those that are not. */
  const reconcile = Effect.fnUntraced(function* (
    found: ReadonlyArray<{ readonly runId: string; readonly epoch: number }>,
    before: { readonly serial: number; readonly claiming: number }
  ) {
    const epochs = new Map(found.map(({ epoch, runId }) => [runId, epoch]))
    for (const [runId, run] of held) {
      if (run.serial > before.serial) continue
      run.missed = epochs.get(runId) === run.incarnation.epoch ? 0 : run.missed + 1
      if (run.missed >= 2) run.incarnation.putDown()
    }
    // A claim whose answer is still to come explains runs that we do not know.
    if (before.claiming > 0 || claiming > 0) return
    for (const { epoch, runId } of found) {
      if (held.has(runId) || arriving.has(runId)) continue
      const claim = yield* outbox.reclaim(lease.worker, { runId, epoch })
      if (Option.isSome(claim)) yield* take(claim.value)
    }
  })

  // ---- taking runs

  const room = () => settings.concurrency - held.size - arriving.size

  const hold = (run: Run, epoch: number, state: RunState.Growing, unreadable: string | undefined) => {
    const handler = handlers.get(handlerKey(run.saga, run.version))
    if (handler === undefined || isStopping) return undefined
    return keep(incarnate({ run, epoch, handler, state, unreadable, isOpening: false }))
  }

  const keep = (incarnation: Incarnation.Incarnation) => {
    // A run has one incarnation here: what came before this claim is void.
    held.get(incarnation.runId)?.incarnation.putDown()
    held.set(incarnation.runId, { incarnation, serial: ++serial, missed: 0 })
    return incarnation
  }

  const incarnate = (given: Omit<Parameters<typeof Incarnation.make>[1], "beginsPlainly" | "gone">) => {
    const { run } = given
    const incarnation = Incarnation.make(
      { ...settings, lease, maxDeaths, fork, startRun },
      {
        ...given,
        beginsPlainly: () => plain.add(given.handler),
        gone: (turned) => {
          if (openings.get(run.runId) === incarnation) return void openings.delete(run.runId)
          held.delete(run.runId)
          remember(run.runId)
          if (turned !== undefined) announce(run.runId, turned)
          if (held.size + 1 >= settings.concurrency) callLookOut()
        }
      }
    )
    return incarnation
  }

  const remember = (runId: string) => {
    known.add(runId)
    if (known.size > mostKnown) known.delete(known.values().next().value!)
  }

  const claimed = (from: "queue" | "start"): Entry => ({ _tag: "claimed", worker: lease.worker, from })

  /** The beginning of a run that is about to be started here. */
  const begun = (): RunState.Growing => {
    const state = RunState.make()
    state.add({ seq: 0, epoch: 1, at: lease.now(), entry: claimed("start") })
    return state
  }

  /** Has the body play up to its first intent, which is given. */
  const open = (run: NewRun): ReadonlyArray<Entry> => {
    const handler = handlers.get(handlerKey(run.saga, run.version))
    if (handler === undefined || !plain.has(handler) || openings.has(run.runId) || known.has(run.runId)) return []
    if (run.deadlineMillis !== undefined) return []
    const opening = incarnate({
      run: justStarted(run, lease.now()),
      epoch: 1,
      handler,
      state: begun(),
      unreadable: undefined,
      isOpening: true
    })
    openings.set(run.runId, opening)
    opening.begin([])
    if (!openings.has(run.runId)) plain.delete(handler)
    return opening.first()
  }

  /** Loads the record of a claimed run and begins. Where that fails the lease or the heartbeat finds it again. */
  const take = Effect.fnUntraced(function* ({ epoch, run, seq }: Claim) {
    const { runId } = run
    arriving.add(runId)
    yield* Effect.gen(function* () {
      // What many runs of a claim ask at once the outbox reads in few statements.
      const [{ state, unreadable }, messages] = yield* Effect.all([load(run, epoch, seq), outbox.inboxOf(runId)], {
        concurrency: 2
      })
      const incarnation = hold(run, epoch, state, unreadable)
      if (incarnation === undefined) return yield* outbox.release(lease.worker, [{ runId, epoch }])
      incarnation.begin(messages)
    }).pipe(
      Effect.catch((error) => Effect.logWarning(`The run ${runId} was claimed but could not be loaded yet.`, error)),
      Effect.ensuring(Effect.sync(() => arriving.delete(runId)))
    )
  })

  const load = Effect.fnUntraced(function* (run: Run, epoch: number, seq: number) {
    let state = RunState.make()
    const read = Effect.gen(function* () {
      state = yield* Record.before(outbox, run)
      if (seq === 1) return state.add({ seq: 0, epoch, at: run.changedAt, entry: claimed("queue") })
      for (const stored of yield* Record.entriesOf(outbox, run.runId, { to: seq })) state.add(stored)
    })
    const unreadable = yield* read.pipe(
      Effect.as(undefined),
      Effect.catchDefect((defect) =>
        Effect.succeed(defect instanceof UnreadableEntry ? defect.message : String(defect))
      )
    )
    if (unreadable === undefined) return { state, unreadable }
    // Only so much of the record as is needed to add to it.
    const bare = RunState.make()
    bare.add({ seq: seq - 1, epoch, at: run.createdAt, entry: claimed("queue") })
    return { state: bare, unreadable }
  })

  const claim = Effect.gen(function* () {
    while (!isStopping && !lease.isOver()) {
      const limit = Math.min(room(), claimLimit)
      const sagas = Array.from(handlers.values(), ({ saga }) => ({ name: saga.name, version: saga.version }))
      if (limit <= 0 || sagas.length === 0) return
      claiming++
      const claims = yield* outbox.claim({ worker: lease.worker, sagas, limit }).pipe(
        Effect.tap((found) => Effect.sync(() => found.forEach(({ run }) => arriving.add(run.runId)))),
        Effect.ensuring(Effect.sync(() => claiming--))
      )
      yield* Effect.forEach(claims, take, { concurrency: "unbounded", discard: true })
      if (claims.length < limit) return
    }
  })

  const readInboxes = Effect.gen(function* () {
    if (held.size === 0) return
    const messages = yield* outbox.inbox(lease.worker)
    for (const [runId, told] of groupByRun(messages)) held.get(runId)?.incarnation.tell(told)
  })

  // ---- the loops

  const callLookOut = () => called.openUnsafe()

  const survive = <E>(what: string, effect: Effect.Effect<void, E>) =>
    Effect.catchCause(effect, (cause) => Effect.logWarning(`${what} failed; it is tried again.`, cause))

  const lookAtBodies = Astray.make((warning) => fork(Effect.logWarning(warning)))

  const heartbeats = Effect.gen(function* () {
    let failed = false
    while (true) {
      // While the database is away it is asked more often, so that work goes on soon after it is back.
      yield* Effect.sleep(failed ? Duration.min(settings.heartbeat, Duration.seconds(1)) : settings.heartbeat)
      failed = true
      yield* survive(
        "A heartbeat",
        Effect.tap(beat, () => Effect.sync(() => (failed = false)))
      )
      lookAtBodies(Array.from(held.values(), ({ incarnation }) => incarnation))
    }
  })

  const watch = Effect.gen(function* () {
    const interval = Math.max(20, Math.min(250, settings.marginMillis / 4))
    while (true) {
      yield* Effect.sleep(interval)
      if (lease.isOver()) putAllDown("its lease was over")
    }
  })

  const lookOut = Effect.gen(function* () {
    while (true) {
      yield* Effect.raceFirst(Effect.sleep(settings.poll), called.await)
      called.closeUnsafe()
      if (isStopping || lease.isOver()) continue
      // What is paused is known before more is claimed.
      const look = Effect.all([outbox.bury, settings.clearance.look], { concurrency: 2, discard: true })
      yield* survive("Looking for work", Effect.andThen(look, Effect.andThen(claim, readInboxes)))
    }
  })

  // ---- stopping

  /** Lets go of these runs: awaits what they have in flight, for the length of the grace, and gives them back. */
  const letGo = Effect.fnUntraced(function* (runs: ReadonlyArray<Incarnation.Incarnation>) {
    yield* Effect.forEach(runs, (run) => run.windDown, { concurrency: "unbounded", discard: true }).pipe(
      Effect.timeoutOption(settings.grace)
    )
    const left = runs.filter((run) => held.get(run.runId)?.incarnation === run)
    for (const run of left) run.putDown()
    if (left.length === 0) return
    yield* outbox.release(
      lease.worker,
      left.map(({ epoch, runId }) => ({ runId, epoch }))
    )
    for (const { runId } of left) Landmark.reached("run.released", runId)
  })

  const stop = Effect.gen(function* () {
    isStopping = true
    yield* letGo(Array.from(held.values(), ({ incarnation }) => incarnation))
    yield* outbox.retire(lease.worker)
    lease.end()
  }).pipe(
    Effect.timeout(Duration.sum(settings.grace, Duration.seconds(5))),
    Effect.catch((error) =>
      Effect.logWarning("The worker stopped without giving its runs back; they go on when its lease is over.", error)
    )
  )

  yield* settings.clearance.look
  yield* Effect.forkScoped(heartbeats)
  yield* Effect.forkScoped(watch)
  yield* Effect.forkScoped(lookOut)
  yield* outbox.listen((hint) => {
    // Of a run that is held here more is known soon: how it ended.
    if (hint._tag === "ended") {
      if (!held.has(hint.runId)) announce(hint.runId, undefined)
    } else if (hint._tag === "ready" || held.has(hint.runId) || held.size < settings.concurrency) callLookOut()
  })

  // Released first: the lease is kept up until the runs are given back.
  yield* Effect.addFinalizer(() => stop)

  // ---- what sagas and runs see of it

  const announce = (runId: string, turned: Run | undefined) => {
    // Who is told may listen anew at once, and is not told of this again.
    for (const listener of Array.from(turnListeners.get(runId) ?? [])) listener(turned)
  }

  const holderFor = ({ runId, saga, version }: NewRun): string | undefined => {
    if (isStopping || lease.isOver() || room() <= 0 || held.has(runId)) return undefined
    if (!handlers.has(handlerKey(saga, version))) return undefined
    arriving.add(runId)
    return lease.worker
  }

  const local: Local = {
    prepare: (named) => {
      const run = { ...named, worker: holderFor(named) }
      const first = run.worker === undefined ? [] : open(run)
      return first.length === 0 ? run : { ...run, first }
    },
    started: (run, { at, began, held: isHeld }) => {
      arriving.delete(run.runId)
      const opening = openings.get(run.runId)
      if (!isHeld) {
        opening?.putDown()
        callLookOut()
        return
      }
      lease.answered(at)
      if (opening !== undefined && !isStopping && handlers.get(handlerKey(run.saga, run.version)) === opening.handler) {
        openings.delete(run.runId)
        keep(opening)
        // Who started it goes on first.
        return queueMicrotask(() => opening.open(at, began))
      }
      opening?.putDown()
      const incarnation = hold(justStarted(run, at), 1, begun(), undefined)
      if (incarnation === undefined) {
        fork(Effect.ignore(outbox.release(lease.worker, [{ runId: run.runId, epoch: 1 }])))
      } else {
        incarnation.begin([])
      }
    },
    notStarted: (runId) => {
      arriving.delete(runId)
      openings.get(runId)?.putDown()
    },
    lookAtPauses: survive("Looking at what is paused", settings.clearance.look),
    holds: (runId) => held.has(runId),
    onTurn: (runId, listener) => {
      let listeners = turnListeners.get(runId)
      if (listeners === undefined) turnListeners.set(runId, (listeners = new Set()))
      listeners.add(listener)
      return () => {
        listeners.delete(listener)
        if (listeners.size === 0 && turnListeners.get(runId) === listeners) turnListeners.delete(runId)
      }
    }
  }

  const startRun = (given: NewRun) =>
    Effect.suspend(() => {
      const run = { ...given, worker: holderFor(given) }
      return outbox.start(run).pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (exit._tag === "Failure" || exit.value._tag === "exists") local.notStarted(run.runId)
            else local.started(run, exit.value)
          })
        ),
        Effect.asVoid
      )
    })

  const worker: Worker["Service"] = {
    id: Effect.sync(() => lease.worker),
    register: (handler) =>
      Effect.gen(function* () {
        const { name, version } = handler.saga
        const key = handlerKey(name, version)
        if (handlers.has(key)) {
          return yield* Effect.die(
            new Error(
              `The saga ${name}, version ${version}, was given two bodies. The worker was not started. Keep one.`
            )
          )
        }
        handlers.set(key, handler)
        callLookOut()
        yield* Effect.addFinalizer(() =>
          Effect.suspend(() => {
            handlers.delete(key)
            const runs = Array.from(held.values(), ({ incarnation }) => incarnation)
            return survive("Giving runs back", letGo(runs.filter((run) => run.handler === handler)))
          })
        )
      })
  }
  return { worker, local }
})

const justStarted = (run: NewRun, at: number): Run => ({
  runId: run.runId,
  saga: run.saga,
  version: run.version,
  key: run.key,
  generation: run.generation,
  state: "running" satisfies State,
  phase: "forward",
  stuckReason: undefined,
  payload: run.payload,
  payloadDigest: run.payloadDigest,
  attributes: run.attributes,
  epoch: 1,
  owner: run.worker,
  createdAt: at,
  changedAt: at,
  wakeAt: undefined,
  deadline: run.deadlineMillis === undefined ? undefined : at + run.deadlineMillis,
  parent: run.parent,
  undoes: run.undoes,
  result: undefined
})

const groupByRun = (messages: ReadonlyArray<Message>): Map<string, Array<Message>> => {
  const runs = new Map<string, Array<Message>>()
  for (const message of messages) {
    const told = runs.get(message.runId)
    if (told === undefined) runs.set(message.runId, [message])
    else told.push(message)
  }
  return runs
}
