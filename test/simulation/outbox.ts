/**
 * The outbox as one process sees it: over a network that is slow, loses answers and errs.
 *
 * What was sent is done whatever becomes of the process, maybe late, maybe twice where whoever sends it sends it again; the
 * answer reaches the process only while it lives. An operation always answers at last, if only that it got no answer.
 */
import { Effect, Exit } from "effect"
import { Outbox } from "makegood"
import type { Process } from "../../src/testing/internal/virtual.ts"
import type { Chance } from "./chance.ts"

/** One life of a worker, from its start to its death. */
export interface Life {
  readonly process: Process
  /** It did one more thing that somebody else can see. May be the last. */
  readonly beat: () => void
}

type Service = Outbox.Outbox["Service"]
type Operation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

/** What is sent again, as it was, after a reply that did not come. */
const sentAgain: ReadonlySet<string> = new Set(["append", "start", "send"])
/** Every worker does these all the time, and dying there is like dying in between. */
const idle: ReadonlySet<string> = new Set(["heartbeat", "bury", "pauses", "claim", "inbox", "get", "list", "find"])

/** The longest that an operation travels, there or back, in milliseconds: longer than a lease. */
export const longestMillis = 6_000

export interface Settings {
  readonly chance: Chance
  /** From 0, where everything works. */
  readonly trouble: () => number
  /** Does it later, whoever dies meanwhile. */
  readonly later: (millis: number, act: () => void) => void
  /** Runs it outside of all processes. */
  readonly outside: <A, E>(
    effect: Effect.Effect<A, E>
  ) => { readonly addObserver: (_: (_: Exit.Exit<A, E>) => void) => void }
  /** Told of every operation that goes badly. */
  readonly failed: () => void
  /** Told of everything that was done. */
  readonly done: (
    process: Process,
    name: string,
    args: ReadonlyArray<unknown>,
    exit: Exit.Exit<unknown, unknown>
  ) => void
}

const noAnswer = () => new Outbox.OutboxError({ reason: new Outbox.Unavailable({ cause: new Error("no answer") }) })

export const seenBy = (life: Life, outbox: Service, settings: Settings): Service => {
  const { chance, done, later, outside, trouble } = settings
  const { process } = life

  const plainly = (name: string, args: ReadonlyArray<unknown>, effect: Effect.Effect<unknown, unknown>) =>
    Effect.onExit(effect, (exit) => Effect.sync(() => done(process, name, args, exit)))

  /** Travels there, is done, and travels back. */
  const badly = (name: string, args: ReadonlyArray<unknown>, effect: Effect.Effect<unknown, unknown>) =>
    Effect.callback<unknown, unknown>((resume) => {
      const dice = chance()
      const slow = () => (chance() < 0.5 ? 0 : chance() < 0.8 ? chance() * 400 : chance() * longestMillis)
      const answer = (exit: Exit.Exit<unknown, unknown>) => {
        if (process.alive) resume(exit)
      }
      settings.failed()
      // It never got there.
      if (dice < 0.25) return later(slow(), () => answer(Exit.fail(noAnswer())))
      later(slow(), () => {
        outside(plainly(name, args, effect)).addObserver((exit) => {
          const back = slow()
          // The answer is lost, and the wait for it is over.
          later(back, () => answer(dice < 0.6 && Exit.isSuccess(exit) ? Exit.fail(noAnswer()) : exit))
          if (dice < 0.7 && sentAgain.has(name)) later(back + slow(), () => outside(plainly(name, args, effect)))
        })
      })
    })

  const guard = (name: string, args: ReadonlyArray<unknown>, effect: () => Effect.Effect<unknown, unknown>) =>
    Effect.suspend(() => {
      const isIdle = idle.has(name)
      if (process.alive && !isIdle) life.beat()
      if (!process.alive) return Effect.never
      const way = chance() < trouble() ? badly : plainly
      return Effect.flatMap(way(name, args, effect()), (answer) => {
        if (!isIdle || (name === "claim" && (answer as ReadonlyArray<unknown>).length > 0)) life.beat()
        return process.alive ? Effect.succeed(answer) : Effect.never
      })
    })

  const seen = (port: object): Record<string, unknown> => {
    const found: Record<string, unknown> = { ...port }
    for (const [name, operation] of Object.entries(port)) {
      if (name === "listen" || name === "afterCommit" || name === "inTransaction" || name === "gate") continue
      found[name] =
        typeof operation === "function"
          ? (...args: ReadonlyArray<unknown>) => guard(name, args, () => (operation as Operation)(...args))
          : guard(name, [], () => operation as Effect.Effect<unknown, unknown>)
    }
    return found
  }

  return {
    ...seen(outbox),
    gate: seen(outbox.gate),
    // Hints are lost as easily as anything else.
    listen: (listener: (hint: Outbox.Hint) => void) =>
      outbox.listen((hint) => {
        if (process.alive && chance() >= trouble()) listener(hint)
      })
  } as unknown as Service
}
