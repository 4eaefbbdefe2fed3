/**
 * Virtual time for one scenario: a clock that stands until it is told to go on, and the queue of all that is to be done.
 *
 * Every fiber of a scenario lives in a {@link Process}. What belongs to a process that died is never run again: neither
 * its tasks nor its sleeps, which is as near to a kill as one process can come to itself.
 */
import { Clock, Context, Duration, Effect, Logger, Random, References, Scheduler } from "effect"

/** What can be killed: the world, which never is, or one life of the worker. */
export interface Process {
  readonly name: string
  alive: boolean
  /** It stands still, as after SIGSTOP: what it is to do is done once it goes on. Time passes for it all the same. */
  stopped?: boolean
}

interface Sleep {
  readonly at: number
  readonly process: Process
  /** Gone where the sleeper was interrupted. */
  wake: (() => void) | undefined
}

/** So many tasks without any time passing: something spins. */
const mostTasks = 1_000_000

export interface Virtual {
  readonly now: () => number
  /** What the fibers of `process` find around them: its clock, the queue, chance from `seed`, and silence. */
  readonly contextOf: (process: Process, seed: string) => Context.Context<never>
  readonly clockOf: (process: Process) => Clock.Clock
  readonly schedulerOf: (process: Process) => Scheduler.Scheduler
  /** Does all that is to be done now. Gives whether there was anything. */
  readonly drain: () => boolean
  /** When the next sleeper wakes, if anybody sleeps; or the next one of `process`. */
  readonly next: (process?: Process) => number | undefined
  /** Lets time pass until the next sleeper wakes, and wakes that one. Gives whether there was one. */
  readonly wakeNext: () => boolean
  /** Lets time pass until then, and wakes nobody. */
  readonly passTo: (at: number) => void
}

export const make = (startedAt: number): Virtual => {
  let now = startedAt
  let tasks: Array<{ readonly process: Process; readonly run: () => void }> = []
  /** Of processes that stand still. */
  let kept: typeof tasks = []
  /** The latest first, so that `pop` gives the next. */
  const sleeps: Array<Sleep> = []

  const add = (sleep: Sleep) => {
    let low = 0
    let high = sleeps.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (sleeps[middle]!.at > sleep.at) low = middle + 1
      else high = middle
    }
    sleeps.splice(low, 0, sleep)
  }

  const clockOf = (process: Process): Clock.Clock => {
    const nanos = () => BigInt(Math.floor(now)) * 1_000_000n
    const sinceStart = () => BigInt(Math.round((now - startedAt) * 1_000)) * 1_000n
    return {
      currentTimeMillisUnsafe: () => now,
      currentTimeMillis: Effect.sync(() => now),
      currentTimeNanosUnsafe: nanos,
      currentTimeNanos: Effect.sync(nanos),
      monotonicTimeNanosUnsafe: sinceStart,
      monotonicTimeNanos: Effect.sync(sinceStart),
      sleep: (duration) => {
        const millis = Duration.toMillis(duration)
        if (millis <= 0) return Effect.void
        return Effect.callback<void>((resume) => {
          // In whole milliseconds, and never short of what was asked for, as a platform's timers.
          const sleep: Sleep = { at: now + Math.ceil(millis), process, wake: () => resume(Effect.void) }
          if (Number.isFinite(millis)) add(sleep)
          return Effect.sync(() => {
            sleep.wake = undefined
          })
        })
      }
    }
  }

  const schedulerOf = (process: Process): Scheduler.Scheduler => ({
    executionMode: "async",
    shouldYield: (fiber) => fiber.currentOpCount >= 2_048,
    makeDispatcher: () => ({
      scheduleTask: (run) => {
        tasks.push({ process, run })
      },
      flush: () => {}
    })
  })

  const drain = () => {
    let count = 0
    if (kept.some(({ process }) => process.stopped !== true)) {
      tasks = [...kept.filter(({ process }) => process.stopped !== true), ...tasks]
      kept = kept.filter(({ process }) => process.stopped === true)
    }
    while (tasks.length > 0) {
      const due = tasks
      tasks = []
      for (const task of due) {
        if (!task.process.alive) continue
        if (task.process.stopped === true) kept.push(task)
        else task.run()
      }
      count += due.length
      if (count > mostTasks) throw new Error(`${mostTasks} tasks were done without any time passing: something spins.`)
    }
    return count > 0
  }

  const next = (process?: Process) => {
    if (process !== undefined) return sleeps.findLast((one) => one.wake !== undefined && one.process === process)?.at
    for (let sleep = sleeps.at(-1); sleep !== undefined; sleep = sleeps.at(-1)) {
      if (sleep.wake !== undefined && sleep.process.alive) return sleep.at
      sleeps.pop()
    }
    return undefined
  }

  // The generator is only made where one is asked for.
  const random = (seed: string): Random.Random => {
    let made: Random.Random | undefined
    const get = () => (made ??= seeded(seed))
    return { nextIntUnsafe: () => get().nextIntUnsafe(), nextDoubleUnsafe: () => get().nextDoubleUnsafe() }
  }

  return {
    now: () => now,
    clockOf,
    schedulerOf,
    contextOf: (process, seed) =>
      Context.empty().pipe(
        Context.add(Clock.Clock, clockOf(process)),
        Context.add(Scheduler.Scheduler, schedulerOf(process)),
        Context.add(Random.Random, random(seed)),
        Context.add(Logger.CurrentLoggers, new Set()),
        Context.add(References.MinimumLogLevel, "None")
      ) as Context.Context<never>,
    drain,
    next,
    wakeNext: () => {
      const at = next()
      if (at === undefined) return false
      now = Math.max(now, at)
      sleeps.pop()!.wake?.()
      return true
    },
    passTo: (at) => {
      now = Math.max(now, at)
    }
  }
}

const seeded = (seed: string): Random.Random =>
  Effect.runSync(Effect.withFiber((fiber) => Effect.succeed(fiber.getRef(Random.Random))).pipe(Random.withSeed(seed)))
