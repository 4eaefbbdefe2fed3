/**
 * One scenario: a run from its start to its end, with what goes wrong on the way, in virtual time.
 *
 * Nothing here is left to chance or to the machine: the same mishaps give the same run. Where the run is stuck on
 * something that only a person can find out, a person is played who looks at the world and says what is true.
 */
import { Cause, Context, Duration, Effect, Exit, Layer, Option, Scope } from "effect"
import type { Fiber } from "effect"
import { scheduler } from "node:timers/promises"
import * as Outbox from "../../outbox/Outbox.ts"
import * as Record from "../../saga/internal/record.ts"
import * as Runs from "../../saga/Runs.ts"
import type { Call, Definition } from "../../tool/internal/definition.ts"
import * as Landmark from "../../worker/Landmark.ts"
import { FakeWorld } from "../FakeWorld.ts"
import type { Fault } from "../Fault.ts"
import type { Build } from "./evidence.ts"
import * as Life from "./life.ts"
import * as Person from "./person.ts"
import type { Mishap, Played, Point, Setting } from "./played.ts"
import { fromWorld, replacing } from "./service.ts"
import { failureFor } from "./values.ts"
import * as Virtual from "./virtual.ts"
import * as WallClock from "./wallClock.ts"
import * as World from "./world.ts"

const startedAt = 1_767_225_600_000
const mostWakes = 100_000
/** Who waits longer than this is not waited for by the tick of the worker's loops. */
const longWaitMillis = 60_000

/** So long somebody else may take to say what becomes of a run over its budget, before it is granted more. */
const decidingMillis = 3_600_000

/** Not a landmark of the engine: a tool has changed a shelf, and may not be done yet. */
const worldChanged = "world.changed"

let turn: Promise<unknown> = Promise.resolve()

/** Plays one scenario, once all that were asked for before are over: landmarks and `Date` are the whole process'. */
export const play = (setting: Setting, mishaps: ReadonlyArray<Mishap>): Promise<Played> => {
  const mine = turn.then(() => playNow(setting, mishaps))
  turn = mine.catch(() => {})
  return mine
}

const playNow = async (setting: Setting, mishaps: ReadonlyArray<Mishap>): Promise<Played> => {
  const virtual = Virtual.make(startedAt)
  const outside: Virtual.Process = { name: "outside", alive: true }
  const outsideContext = virtual.contextOf(outside, "outside")
  const points: Array<Point> = []
  const took = mishaps.map(() => -1)
  const troubles: Array<string> = []
  const person: Array<string> = []
  const reached = new Map<string, number>()
  const tools = new Map<string, Definition>()
  /** Of each version that a life had of it. */
  const versions = new Map<string, Definition>()
  const builds: Array<Build> = []
  /** What the sagas of this life list, until its worker has a name. */
  const sagas: Array<Omit<Build, "worker">> = []
  let worker: string | undefined
  const faults = mishaps.filter((mishap) => mishap._tag === "Fault")
  let life: Virtual.Process = { name: "life 0", alive: false }
  let lives = 0
  let runId: string | undefined
  let activity = 0
  let moment = 0
  let turned = false
  let inFlight = 0
  /** What reaches the world late. */
  let onTheirWay = 0

  const fork = <A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> => Effect.runForkWith(outsideContext)(effect)

  const outbox = Context.get(
    Effect.runSyncWith(outsideContext)(Effect.scoped(Layer.build(Layer.fresh(Outbox.layerMemory)))),
    Outbox.Outbox
  )
  const world = World.make({
    clock: virtual.clockOf(outside),
    faults,
    failureOf: (tool, fault) => failureFor(tool, fault),
    fork: (effect) => {
      onTheirWay++
      fork(effect).addObserver(() => onTheirWay--)
    },
    busy: (more) => {
      inFlight += more
      moment++
      activity++
    },
    changed: (execution) => {
      if (execution === undefined || execution.tool.kind === "transaction") return true
      onLandmark(worldChanged, execution.call.runId)
      return life.alive
    },
    met: (execution, fault) => {
      activity++
      if (execution.tool.kind === "model") bill(execution.call)
      if (fault !== undefined) took[mishaps.indexOf(fault)] = points.length
      points.push({ _tag: "execution", execution })
    }
  })
  /** A model is asked: that costs money, so it is asked for nothing that is recorded, and nothing that is not counted. */
  const bill = ({ attempt, path, runId: of }: Call) => {
    const entries = Effect.runSync(outbox.entries(of, { from: 0 })).map(({ entry }) => entry)
    const own = entries.filter((entry) => "path" in entry && entry.path === path)
    if (own.some(({ _tag }) => _tag === "succeeded")) {
      world.wrongs.push(`${path} was asked, and paid for, after its answer was recorded`)
    }
    const counted = 1 + own.filter(({ _tag }) => _tag === "attempted").length
    if (attempt > counted || own.length === 0) world.wrongs.push(`${path} was asked before that was recorded`)
  }

  /** The run that a person would cancel: a child is its parent's. */
  const rootOf = (of: string): string => {
    const found = Effect.runSync(outbox.get(of))
    return Option.isSome(found) && found.value.parent !== undefined ? rootOf(found.value.parent) : of
  }

  const onLandmark = (name: string, of: string) => {
    // Of workers, not of runs: there are many, and none that is another one than the one before.
    if (!life.alive || of === "") return
    activity++
    const nth = (reached.get(name) ?? 0) + 1
    reached.set(name, nth)
    const index = points.length
    points.push({ _tag: "landmark", name, nth, moment })
    mishaps.forEach((mishap, at) => {
      if (mishap._tag === "Fault" || mishap.landmark !== name || mishap.nth !== nth) return
      took[at] = index
      if (mishap._tag === "Crash") life.alive = false
      else {
        const told = { message: "cancel", by: "SagaTest" } as const
        Effect.runSyncWith(outsideContext)(Effect.ignore(outbox.send({ id: `cancel-${at}`, runId: rootOf(of), told })))
      }
    })
  }

  const microtasks = async () => {
    // Deep enough for what the engine itself puts off.
    for (let tick = 0; tick < 4; tick++) await Promise.resolve()
  }

  /** Comes back when nothing more happens without time passing. */
  const quiesce = async () => {
    while (true) {
      const before = activity
      if (virtual.drain()) continue
      await microtasks()
      if (virtual.drain() || activity !== before) continue
      if (inFlight === 0) return
      await scheduler.yield()
      if (!virtual.drain() && activity === before) return
    }
  }

  /** Runs something outside, as far as it gets. */
  const outsideRun = async <A>(effect: Effect.Effect<A, unknown>): Promise<Exit.Exit<A, unknown>> => {
    let found: Exit.Exit<A, unknown> | undefined
    fork(effect).addObserver((exit) => (found = exit))
    for (let wakes = 0; found === undefined && wakes < mostWakes; wakes++) {
      inFlight++
      await quiesce()
      inFlight--
      if (found === undefined && !virtual.wakeNext()) break
    }
    return found ?? Exit.die(new Error("It never ended."))
  }

  const trouble = (what: string, exit: Exit.Exit<unknown, unknown>) => {
    if (Exit.isFailure(exit)) troubles.push(`${what}: ${Cause.pretty(exit.cause)}`)
  }

  const restore = WallClock.replace(
    virtual.now,
    () => lives,
    () => random()
  )
  let random = WallClock.chance(0)
  Landmark.listen(onLandmark)
  const scope = Scope.makeUnsafe()
  try {
    const fake = Context.make(FakeWorld, fromWorld(world, faults as Array<Fault>))
    const built = await outsideRun(
      setting.world === undefined
        ? Effect.succeed(Context.empty() as Context.Context<never>)
        : (Effect.provideContext(Layer.buildWithScope(setting.world, scope), fake) as Effect.Effect<
            Context.Context<never>,
            unknown
          >)
    )
    trouble("The world could not be made", built)
    const services = Context.merge(
      fake,
      Exit.isSuccess(built) ? built.value : Context.empty()
    ) as Context.Context<never>
    const look = async () => {
      if (setting.look === undefined) return undefined
      const seen = await outsideRun(Effect.provideContext(setting.look as Effect.Effect<unknown, unknown>, services))
      trouble("The world could not be looked at", seen)
      return Exit.isSuccess(seen) ? JSON.stringify(seen.value) : undefined
    }
    const runsOf = () => Effect.runSync(outbox.list({ limit: 1_000 }))
    const entriesOf = (id: string) => Effect.runSync(outbox.entries(id, { from: 0 }))
    const stateOf = (run: Outbox.Run) => Effect.runSync(Record.stateOf(outbox, run))
    let madeRuns: Runs.Runs["Service"] | undefined
    const runs = () =>
      (madeRuns ??= Context.get(
        Effect.runSyncWith(Context.add(outsideContext, Outbox.Outbox, outbox))(Effect.scoped(Layer.build(Runs.layer))),
        Runs.Runs
      ))
    const before = await look()

    /** What is done by others than the worker. */
    const others = (what: string, effect: Effect.Effect<unknown, unknown, unknown>, over: () => void) => {
      const provided = Effect.provideContext(effect, Context.add(services, Runs.Runs, runs()))
      fork(Effect.exit(provided as Effect.Effect<unknown, unknown>)).addObserver((exit) => {
        if (Exit.isSuccess(exit)) trouble(what, exit.value)
        over()
      })
    }

    const used = (name: string, args: ReadonlyArray<unknown>) => {
      activity++
      moment++
      if (name === "register") worker = (args[0] as { readonly id: string }).id
      if (worker !== undefined) builds.push(...sagas.splice(0).map((saga) => ({ worker: worker!, ...saga })))
      if (name === "start") {
        const started = (args[0] as Outbox.NewRun).runId
        if (runId === undefined && setting.meanwhile !== undefined) {
          others("What goes on meanwhile failed", setting.meanwhile(started), () => {})
        }
        runId ??= started
      }
      if (name === "append" && (args[0] as Outbox.Append).change !== undefined) turned = true
    }

    const beginLife = () => {
      life = { name: `life ${++lives}`, alive: true }
      worker = undefined
      sagas.length = 0
      random = WallClock.chance(lives)
      turned = true
      const isThere = runsOf().some((run) => run.runId === runId)
      Life.begin({
        process: life,
        virtual,
        seed: life.name,
        outbox,
        world,
        services,
        layer: (lives === 1 ? undefined : (setting.deploys[lives - 2] ?? setting.deploys.at(-1))) ?? setting.layer,
        replace: replacing(world, setting.standIns),
        worker: setting.worker,
        used,
        registered: (saga) => {
          for (const tool of saga.tools.values()) {
            tools.set(tool.name, tool)
            versions.set(`${tool.name} ${tool.version}`, tool)
          }
          sagas.push({ saga: saga.name, version: saga.version, tools: saga.tools })
        },
        start: isThere ? undefined : setting.start,
        started: (exit) => trouble("The run was not started", exit)
      })
    }

    const decide = Person.make({
      world,
      runs: () => runs(),
      hear: async (word) => trouble("A person was not heard", await outsideRun(word)),
      said: (what) => person.push(what)
    })

    let afterwards: "to come" | "going on" | "over" = setting.afterwards === undefined ? "over" : "to come"

    /** Whether there is nothing more to wait for. */
    const isOver = async (): Promise<boolean> => {
      if (troubles.length > 0) return true
      if (!turned) return false
      turned = false
      const all = runsOf()
      if (all.length > 0 && all.every((run) => Outbox.isEnd(run.state))) {
        if (afterwards === "over") return true
        const run = all.find((one) => one.runId === runId)
        if (afterwards === "to come" && setting.afterwards !== undefined && run !== undefined) {
          afterwards = "going on"
          others("What is done afterwards failed", setting.afterwards(run), () => {
            afterwards = "over"
            turned = true
          })
        }
        return false
      }
      for (const run of all) {
        if (run.state !== "stuck") continue
        // Who is asked what happened waits for what is still on its way.
        if (onTheirWay > 0) {
          turned = true
          continue
        }
        const state = stateOf(run)
        const isUndecided = state.stuck?.reason === "over_budget" && virtual.next(outside) !== undefined
        if (isUndecided && virtual.now() < run.changedAt + decidingMillis) {
          turned = true
          continue
        }
        if (!setting.person || !(await decide(run.runId, state))) return true
        turned = true
      }
      return false
    }

    /** The time until which nothing can happen, where that is far. */
    const farAhead = (): number | undefined => {
      const open = runsOf().filter((run) => !Outbox.isEnd(run.state))
      if (open.length === 0 || open.some((run) => run.state !== "waiting")) return undefined
      const wakes = open.flatMap((run) => run.wakeAt ?? [])
      const others = virtual.next(outside)
      const at = Math.min(...wakes, ...(others === undefined ? [] : [others]))
      return at - virtual.now() > longWaitMillis ? at : undefined
    }

    beginLife()
    let wakes = 0
    while (true) {
      await quiesce()
      if (!life.alive) {
        const at = virtual.now() + Duration.toMillis(setting.worker.lease ?? "15 seconds")
        for (let next = virtual.next(); next !== undefined && next <= at; next = virtual.next()) {
          virtual.wakeNext()
          await quiesce()
        }
        virtual.passTo(at)
        beginLife()
        continue
      }
      const hasTurned = turned
      if (await isOver()) break
      if (!life.alive) continue
      const at = wakes % 32 === 31 || hasTurned ? farAhead() : undefined
      if (at === Number.POSITIVE_INFINITY) break
      if (at !== undefined) virtual.passTo(at)
      moment++
      if (!virtual.wakeNext() || ++wakes > mostWakes) break
    }
    life.alive = false
    while (onTheirWay > 0 && virtual.wakeNext()) await quiesce()
    const all = runsOf()
    const run = all.find((one) => one.runId === runId)
    const after = await look()
    await outsideRun(Scope.close(scope, Exit.void))
    const entries = all.map((one) => ({ run: one, entries: entriesOf(one.runId) }))
    const inbox = all.flatMap(({ runId: id }) => Effect.runSync(outbox.inboxOf(id)))
    const stuckRun = all.find((one) => one.state === "stuck")
    const stuck = stuckRun && stateOf(stuckRun).stuck
    return {
      mishaps,
      points,
      took,
      run,
      stuck: stuck && { reason: stuck.reason, path: stuck.path, why: stuck.why },
      evidence: { runs: entries, inbox, ledger: world.lines, builds, tools: Array.from(versions.values()) },
      wrongs: world.wrongs,
      troubles,
      executions: world.executions,
      tools: Array.from(tools.values()),
      person,
      lives,
      before,
      after
    }
  } finally {
    life.alive = false
    Landmark.listen(undefined)
    restore()
  }
}
