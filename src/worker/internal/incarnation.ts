/**
 * One incarnation of a run: its life in this worker, from the claim until it ends, waits for a person, or is put down.
 *
 * To put a run down is to forget it: its body is dropped and never hears of it, calls in flight are interrupted, and
 * what is recorded stays. The next incarnation goes on from the record.
 */
import { Cause, Effect, Exit, Result, Scope } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { Change, Message, Run, State } from "../../outbox/Outbox.ts"
import * as Path from "../../outbox/Path.ts"
import type * as RunState from "../../outbox/RunState.ts"
import type { Handler } from "../../saga/internal/engine.ts"
import { saidOf } from "../../saga/internal/undo.ts"
import { lend } from "../../saga/internal/usage.ts"
import * as Landmark from "../Landmark.ts"
import * as Answers from "./answers.ts"
import * as Bell from "./bell.ts"
import * as bodyContext from "./bodyContext.ts"
import * as Children from "./children.ts"
import * as Flights from "./flights.ts"
import * as Home from "./home.ts"
import * as Inbox from "./inbox.ts"
import * as Jobs from "./jobs.ts"
import * as Once from "./once.ts"
import * as Opening from "./opening.ts"
import * as Pen from "./pen.ts"
import * as People from "./people.ts"
import { type Desk, poison, type Unfinished } from "./progress.ts"
import * as Release from "./release.ts"
import * as Rollback from "./rollback.ts"
import * as Room from "./room.ts"
import type { Stage, Verdict } from "./scope.ts"
import { resultOf } from "./outcome.ts"
import { make as makeStage } from "./stage.ts"
import * as Steps from "./steps.ts"
import type { Surroundings } from "./surroundings.ts"
import * as Waits from "./waits.ts"

export interface Incarnation {
  readonly runId: string
  readonly epoch: number
  readonly handler: Handler
  /** Begins, with the messages that were waiting for the run. */
  readonly begin: (messages: ReadonlyArray<Message>) => void
  /** Messages from the run's inbox; those it was told before are passed over. */
  readonly tell: (messages: ReadonlyArray<Message>) => void
  /** Starts nothing more, awaits what is in flight, and ends once all of it is durable. */
  readonly windDown: Effect.Effect<void>
  /** Where its body is while it does something that is no step. */
  readonly busyAt: () => number | undefined
  /** Forgets the run, at once. */
  readonly putDown: () => void
  /** While it is being opened: what is to go with its start. */
  readonly first: () => ReadonlyArray<Entry.Entry>
  /** It has started, at this time; `began`: with what was to go with that. */
  readonly open: (at: number, began: boolean) => void
}

export const make = (
  surroundings: Surroundings,
  options: {
    readonly run: Run
    readonly epoch: number
    readonly handler: Handler
    readonly state: RunState.Growing
    /** Why the record cannot be read, where it cannot. */
    readonly unreadable: string | undefined
    /** Whether its start is not durable yet. */
    readonly isOpening: boolean
    /** The body begins with a call that an opening can give. */
    readonly beginsPlainly: () => void
    /** The run was put down; `turned` is how it now stands in the outbox, where this incarnation wrote that. */
    readonly gone: (turned: Run | undefined) => void
  }
): Incarnation => {
  const { lease } = surroundings
  const { epoch, handler, state, unreadable } = options
  let { isOpening, run } = options
  const { parent, runId } = run
  const scope = Scope.makeUnsafe()
  const givenUp = new Set<string>()
  const giveUpChild = new Map<string, () => void>()
  const bell = Bell.make()
  const answers = Answers.make(() => stage)
  const room = Room.make({ now: lease.now, fork: surroundings.fork })
  /** Savepoints whose work is being taken back. */
  const goingBack = new Set<string>()
  const heard = new Set(state.told)
  /** What is to go on once it is durable what it goes on from: a word that it was told, the end of a wait. */
  let owed = 0
  let isLeaving = false
  /** How often it began to leave off. */
  let leavings = 0
  let isDown = false
  let isGoingBack = state.rollback !== undefined
  /** The body has succeeded, and what was held for that is being done: nothing is taken back any more. */
  let isReleasing = state.succeeded !== undefined
  let lastStamp = Math.max(state.stamp, run.createdAt)
  let whenQuiet: (() => void) | undefined
  let whenDown: (() => void) | undefined

  /** Of a run that is only being opened nothing is to be seen. */
  const mark = (landmark: keyof typeof Landmark.instants) => {
    if (!isOpening) Landmark.reached(landmark, runId)
  }

  const putDown = (turned?: Run) => {
    if (isDown) return
    isDown = true
    mark("run.put-down")
    stage.close()
    pen.drop()
    room.close()
    interrupt()
    home.interrupt()
    surroundings.fork(Scope.close(scope, Exit.void))
    options.gone(turned)
    whenDown?.()
  }

  const letGo = (why: string) => {
    surroundings.fork(Effect.logWarning(`The run ${runId} was put down. ${why} It goes on from its record.`))
    putDown()
  }

  /** Whether the body has wanted nothing yet. */
  let isFresh = state.steps.size === 0

  /** The body wants something that an opening cannot give, which is its end. Gives whether it is one. */
  const isTooEarly = () => {
    isFresh = false
    if (isOpening) putDown()
    return isOpening
  }

  const pen = Pen.make({
    ...surroundings,
    isOpening,
    runId,
    epoch,
    state,
    lost: letGo,
    // A last word, or what takes back, is tried anew, until that counts as poison. Else what waits for it is broken off.
    refused: (why) => {
      if (isLeaving || home.isUnderWay()) return letGo(why)
      stuck({ reason: "defect", path: undefined, why })
      interrupt()
    }
  })

  const desk: Desk = {
    ...surroundings,
    runId,
    epoch,
    pen,
    once: Once.make(surroundings.outbox),
    takesBackAtOnce: handler.saga.takesBackAtOnce === true,
    state,
    goesToGate: () => (state.atGate = true),
    family: Children.make({ ...surroundings, runId, sagas: handler.saga.children }),
    placed: (path) => {
      if (!isGoingBack && !isReleasing) answers.placed(path)
    },
    displaced: (path) => answers.displaced(path),
    stamp: () => (lastStamp = Math.max(lastStamp, lease.now())),
    haste: (path) => (isLeaving ? "leave" : givenUp.has(path) ? "giveUp" : "on"),
    hurried: () => bell.heard
  }

  /** Messages that a wait has used, whether or not that is durable yet. */
  const used = new Set<string>()

  // ---- what is in flight

  const life = {
    context: handler.context,
    isDown: () => isDown,
    isLeaving: () => isLeaving,
    broken: (cause: Cause.Cause<unknown>) => broken(cause),
    left: () => leftUndone(),
    stuck: (verdict: Verdict) => stuck(verdict)
  }
  const { interrupt, isBusy, setOff, track } = Flights.make({
    ...life,
    desk: () => desk,
    landed: () => {
      quiet()
      considerResting()
    }
  })
  const home = Home.make({ ...life, quiet: () => quiet(), later: (ending, again) => goOnLater("home", ending, again) })

  /** Nothing is in flight any more: told once. */
  const quiet = () => {
    const then = whenQuiet
    whenQuiet = undefined
    then?.()
  }

  /** A bug in the engine stops this run alone. */
  const broken = (cause: Cause.Cause<unknown>) => {
    if (!isDown) stuck({ reason: "defect", path: undefined, why: `The engine failed: ${Cause.pretty(cause)}` })
  }

  /** A call was not made, as the lease was over. That may have been prolonged since: without this it would hang for ever. */
  const leftUndone = () => {
    if (!isLeaving) putDown()
  }

  /** Starts nothing more; `then` is called when nothing is in flight any more. */
  const leave = (then: () => void) => {
    leavings++
    stage.close()
    room.close()
    isLeaving = true
    whenQuiet = then
    bell.ring()
    if (!isBusy() && !home.isUnderWay()) quiet()
  }

  const changeTo = (state: State, more: Partial<Change> = {}): Change => {
    const phase = isGoingBack ? "rollback" : goingBack.size > 0 ? "savepoint_rollback" : "forward"
    return { stuckReason: undefined, wakeAt: undefined, result: undefined, ...more, state, phase }
  }

  /** Writes what becomes of the run, and puts it down. What it is told from here on waits in the inbox. */
  const turnTo = (entries: ReadonlyArray<Entry.Entry>, change: Change) => {
    isLeaving = true
    pen.turn(entries, change, (at) => putDown({ ...run, ...change, epoch, owner: undefined, changedAt: at }))
  }

  const stuck = ({ path, reason, why }: Verdict) => {
    if (isDown || isLeaving || isTooEarly()) return
    const place = path === undefined ? {} : { path }
    const entry: Entry.Stuck = { _tag: "stuck", reason, why: why.slice(0, 16_384), ...place }
    surroundings.fork(
      Effect.logWarning(`The run ${runId} is stuck: ${reason}${path === undefined ? "" : ` at ${path}`}. ${why}`)
    )
    leave(() => turnTo([entry], changeTo("stuck", { stuckReason: reason, wakeAt: deadline() })))
  }

  // ---- resting

  /** When the run is to be taken back, as long as it has not begun to end. */
  const deadline = () => (isGoingBack || isReleasing ? undefined : run.deadline)

  /** Lets go of the run until `until` or a message. */
  const rest = (until: number | undefined) => {
    Landmark.reached("run.rests", runId)
    const entry: Entry.Entry = { _tag: "rested", ...(until === undefined ? {} : { until }) }
    turnTo([entry], changeTo("waiting", { wakeAt: until }))
  }

  /** Lets go of a run of which nothing is in flight and that waits for something far away. */
  const considerResting = () => {
    if (isDown || isLeaving || owed > 0 || isBusy() || home.isUnderWay() || !answers.isEmpty()) return
    const isWaiting = room.size() > (deadline() === undefined ? 0 : 1)
    if (!isWaiting || !(isGoingBack || isReleasing || People.isAwaited(state) || stage.isStill())) return
    const until = room.earliest()
    if (until === undefined || until - lease.now() > surroundings.holdMillis) rest(until)
  }

  /**
   * Goes on once all written so far is durable, and the run is not let go of before that. Not where it began to leave off
   * meanwhile: to go back is another way to its end.
   */
  const soon = (then: () => void) => {
    const before = leavings
    owed++
    pen.flush(() => {
      owed--
      if (!isDown && !isLeaving && leavings === before) then()
    })
  }

  /** Goes on with the call at `path`, or with taking back, once what it waits for is over. That is never given up. */
  const goOnLater = (path: string, ending: Unfinished, again: () => void) =>
    soon(() => {
      const isGivenUp = () => givenUp.has(path) && !goingBack.has(path)
      const waitingDesk = { ...desk, room, used, soon, begin: setOff, noticed: considerResting, isGivenUp }
      Waits.later(waitingDesk, path, ending, again)
      considerResting()
    })

  const keepDeadline = () => {
    const until = deadline()
    if (until !== undefined)
      Room.at(room, "deadline", until, () => goBack({ _tag: "rollback_began", cause: "deadline" }))
  }

  // ---- forward

  const perform = Steps.make({
    runId,
    desk,
    room,
    used,
    givenUp,
    goingBack,
    giveUpChild,
    begin: setOff,
    tools: handler.saga.tools,
    isLeaving: () => isLeaving,
    noticed: () => considerResting(),
    running: () => changeTo("running"),
    track,
    later: goOnLater,
    answer: (path, given) => answers.answer(path, given),
    pass: (path) => stage.pass(path),
    stuck,
    left: leftUndone
  })

  const bodyEnded = (exit: Exit.Exit<unknown, unknown>) => {
    if (isTooEarly()) return
    mark("body.ended")
    const encoded = resultOf(handler.saga, exit)
    if (Result.isFailure(encoded)) return stuck({ reason: "defect", path: undefined, why: encoded.failure.message })
    const { text } = encoded.success
    if (Exit.isFailure(exit)) goBack({ _tag: "rollback_began", cause: "failed", value: text })
    else if (Release.canHold(handler.saga.tools)) pen.flush(() => bodySucceeded(text))
    else end("completed", text)
  }

  const bodySucceeded = (value: string) => {
    if (isDown || isLeaving) return
    if (Release.heldOf(state).length === 0) return end("completed", value)
    isReleasing = true
    leave(() => pen.turn([{ _tag: "body_succeeded", value }], changeTo("running"), release))
  }

  const end = (how: Entry.Ended["state"], result: string | undefined) => {
    const entry: Entry.Ended = { _tag: "ended", state: how, ...(result === undefined ? {} : { value: result }) }
    if (parent === undefined || run.undoes !== undefined) return turnTo([entry], changeTo(how, { result }))
    const wentBack = isGoingBack
    const turn = () => {
      if (isLeaving) return quiet()
      if (!isDown && isGoingBack === wentBack) turnTo([entry], changeTo(how, { result }))
    }
    // A child's pivot is its parent's, which hears of it before it hears of the end.
    pen.flush(() =>
      Rollback.hasPivot(state, Path.root) ? setOff("!pivot", desk.family.tellPivot(parent), turn) : turn()
    )
  }

  const stage: Stage = makeStage({
    runId,
    state,
    startedAt: run.createdAt,
    context: bodyContext.forRun(handler.context, scope),
    wantsMore: isTooEarly,
    differs: (step, recorded) => Jobs.difference(step, recorded),
    recall: (asked) => Jobs.recall(asked),
    perform: (asked) => {
      const isPlain = isFresh && Opening.isPlain(asked, desk.clearance)
      if (isPlain) options.beginsPlainly()
      if (!isPlain && isTooEarly()) return
      isFresh = false
      perform(asked)
    },
    givenUp: (path) => {
      givenUp.add(path)
      Waits.withdraw(desk, path)
      if (giveUpChild.has(path)) giveUpChild.get(path)?.()
      else if (state.steps.get(path)?._tag !== "call") room.leave(path)
      bell.ring()
      room.lookAround()
    },
    passes: (path) => Rollback.hasPivot(state, path),
    still: () => queueMicrotask(considerResting),
    replayed: () => mark("run.replayed"),
    ended: bodyEnded,
    stuck
  })

  const goForward = () => {
    const payload = Value.codec(handler.saga.payload).decode(run.payload, `the payload of the run ${runId}`)
    if (Result.isFailure(payload))
      return stuck({ reason: "undecodable", path: undefined, why: payload.failure.message })
    keepDeadline()
    if (!isLeaving) stage.start(lend(run, surroundings.outbox, () => handler.body(payload.success, { runId })))
  }

  // ---- back

  const goBack = (began: Entry.RollbackBegan) => {
    if (isGoingBack || isReleasing) return
    isGoingBack = true
    leave(() => pen.turn([began], changeTo("running"), takeBack))
  }

  const takeBack = () =>
    bringHome(
      Rollback.drive({
        desk: { ...desk, haste: (path) => (isLeaving ? "leave" : Rollback.isForward(path) ? "giveUp" : "on") },
        state,
        tools: handler.saga.tools,
        scope: Path.root
      }),
      takeBack,
      (ending) => end(ending.state, state.rollback?.value)
    )

  const release = () =>
    bringHome(Release.drive(desk, handler.saga.tools), release, () => end("completed", state.succeeded))

  /** Makes the calls that people asked for while the run was held, before anything else. */
  const act = (then: () => void) => {
    keepDeadline()
    const done = () => (isLeaving ? quiet() : then())
    if (!isGoingBack) bringHome(People.drive(desk, handler.saga.tools), () => act(then), done)
  }

  const bringHome: Home.Home["bring"] = (drive, again, then) => {
    isLeaving = false
    home.bring(drive, again, then)
  }

  // ---- from outside

  const tell = (messages: ReadonlyArray<Message>) => {
    // Told too early, it is told again.
    if (isDown || isLeaving || isOpening) return
    const fresh = messages.filter((message) => !heard.has(message.id))
    if (fresh.length === 0) return
    for (const message of fresh) heard.add(message.id)
    owed++
    pen.record(
      fresh.map(Inbox.toldOf),
      fresh.map((message) => message.id),
      () => {
        owed--
        room.lookAround()
        considerResting()
      }
    )
    const said = (what: Entry.MessageKind) => fresh.find((message) => message.told.message === what)
    const cancel = said("cancel")
    if (cancel !== undefined) goBack(Inbox.cancelled(cancel.told))
    else if (said("hold") !== undefined) leave(() => pen.flush(restHeld))
  }

  /** A person holds the run: it waits for that person's word, and for its deadline. */
  const restHeld = (): void => {
    if (People.isAwaited(state)) return act(restHeld)
    return state.held === undefined ? putDown() : rest(deadline())
  }

  const begin = (messages: ReadonlyArray<Message>) => {
    mark("run.taken")
    if (unreadable !== undefined) return stuck({ reason: "undecodable", path: undefined, why: unreadable })
    const ids = messages.map(({ id }) => id)
    for (const id of ids) heard.add(id)
    const heeded = Inbox.heed(messages, state, handler.saga.tools, desk.stamp)
    const proceed = () => {
      // What it was told meanwhile may have turned it already.
      if (isDown || isLeaving || home.isUnderWay()) return
      // What it is being told may be just what it waits for: it does not rest unheard.
      if (owed > 0) return queueMicrotask(() => pen.flush(proceed))
      if (heeded.verdict !== undefined) stuck(heeded.verdict)
      else if (state.deaths >= surroundings.maxDeaths) stuck(poison(state.deaths))
      else if (People.isAwaited(state)) act(proceed)
      else if (state.held !== undefined) rest(deadline())
      else if (isGoingBack) takeBack()
      else if (isReleasing) release()
      else if (run.undoes !== undefined) goBack({ _tag: "rollback_began", cause: "undone", ...saidOf(run) })
      else if (state.cancel !== undefined) goBack(Inbox.cancelled(state.cancel))
      else goForward()
    }
    if (messages.length === 0) return proceed()
    pen.record(heeded.entries, ids)
    pen.flush(proceed)
  }

  return {
    runId,
    epoch,
    handler,
    begin,
    tell,
    windDown: Effect.callback<void>((resume) => {
      const done = () => resume(Effect.void)
      if (isDown) return done()
      whenDown = done
      leave(() => pen.flush(done))
    }),
    busyAt: stage.busyAt,
    putDown: () => putDown(),
    first: pen.first,
    open: (at, began) => {
      isOpening = false
      if (isDown) return
      run = { ...run, createdAt: at, changedAt: at }
      lastStamp = Math.max(lastStamp, at)
      for (const instant of ["run.taken", "run.replayed"] as const) mark(instant)
      pen.open(began ? at : undefined)
    }
  }
}
