/**
 * The world of the simulation: keeps a ledger of acts by key, and answers as the seed says.
 *
 * It stands outside the engine: what it holds is what really happened. A process that was killed can no longer reach it.
 */
import { Effect, Option, Schema } from "effect"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { path: Schema.String }) {}
export class Busy extends Schema.TaggedError<Busy>()("Busy", { path: Schema.String }) {}
export class Lost extends Schema.TaggedError<Lost>()("Lost", { path: Schema.String }) {}

export const random = (seed: number) => {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface Act {
  readonly key: string
  readonly path: string
  readonly value: string
  undone: boolean
}

/** A process that can be killed. */
export interface Process {
  alive: boolean
}

export class World {
  readonly acts = new Map<string, Act>()
  /** How often each key was executed. */
  readonly executions = new Map<string, number>()
  readonly undoings: Array<string> = []
  readonly wrongs: Array<string> = []
  private readonly chance: () => number
  private readonly trouble: number

  constructor(seed: number, trouble: number) {
    this.chance = random(seed)
    this.trouble = trouble
  }

  private readonly execute = <A, E>(
    process: Process,
    key: string,
    act: () => Effect.Effect<A, E>
  ): Effect.Effect<A, E> =>
    Effect.suspend(() => {
      if (!process.alive) return Effect.never
      this.executions.set(key, (this.executions.get(key) ?? 0) + 1)
      const done = act()
      // Some answer at once, some take a turn.
      const answered = this.chance() < 0.5 ? done : Effect.andThen(Effect.yieldNow, done)
      return Effect.flatMap(answered, (answer) => (process.alive ? Effect.succeed(answer) : Effect.never))
    })

  /** Does it once for a key. */
  readonly act = (process: Process, key: string, path: string): Effect.Effect<string, Refused | Busy | Lost> =>
    this.execute(process, key, (): Effect.Effect<string, Refused | Busy | Lost> => {
      const before = this.acts.get(key)
      if (before !== undefined) {
        if (before.undone) this.wrongs.push(`${path} was done again after it was taken back`)
        return Effect.succeed(before.value)
      }
      const dice = this.chance()
      if (dice < this.trouble) return Effect.fail(new Busy({ path }))
      if (dice < this.trouble * 1.5) return Effect.fail(new Refused({ path }))
      if (dice < this.trouble * 2) return Effect.fail(new Lost({ path }))
      const done: Act = { key, path, value: `v${this.acts.size}`, undone: false }
      this.acts.set(key, done)
      return dice < this.trouble * 3 ? Effect.fail(new Lost({ path })) : Effect.succeed(done.value)
    })

  readonly find = (process: Process, key: string): Effect.Effect<Option.Option<string>> =>
    Effect.suspend(() => {
      if (!process.alive) return Effect.never
      const act = this.acts.get(key)
      return Effect.succeed(act === undefined ? Option.none() : Option.some(act.value))
    })

  /** Takes back what has that value; its own key makes a second one harmless. */
  readonly undo = (process: Process, key: string, value: string, path: string): Effect.Effect<void, Busy | Lost> =>
    this.execute(process, key, (): Effect.Effect<void, Busy | Lost> => {
      const act = Array.from(this.acts.values()).find((one) => one.value === value)
      if (act === undefined) {
        this.wrongs.push(`${path} takes back what was never done`)
        return Effect.void
      }
      const dice = this.chance()
      if (dice < this.trouble) return Effect.fail(new Busy({ path }))
      if (!act.undone) {
        act.undone = true
        this.undoings.push(act.path)
      }
      return dice < this.trouble * 2 ? Effect.fail(new Lost({ path })) : Effect.void
    })
}
