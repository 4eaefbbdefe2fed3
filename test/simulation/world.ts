/**
 * The world of the simulation: keeps a ledger of acts by key, and answers as the seed says.
 *
 * It stands outside the engine: what it holds is what really happened. What a process has sent arrives whatever becomes of
 * the process; what comes back reaches it only while it lives.
 */
import { Effect, Option, Schema } from "effect"
import type { Came, Kind, Line } from "../../src/testing/internal/evidence.ts"
import type { Chance } from "./chance.ts"
import type { Life } from "./outbox.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", { path: Schema.String }) {}
export class Busy extends Schema.TaggedError<Busy>()("Busy", { path: Schema.String }) {}
export class Lost extends Schema.TaggedError<Lost>()("Lost", { path: Schema.String }) {}

export interface Act {
  readonly runId: string
  readonly key: string
  readonly path: string
  readonly value: string
  undone: boolean
}

/** A call or compensation, as far as the world knows it. */
export interface Asker {
  readonly runId: string
  readonly key: string
  readonly path: string
}

/** The longest that a request travels, in milliseconds. Less than the margin of a lease, and than `settle` of lookups. */
export const travelMillis = 300

export interface Settings {
  readonly chance: Chance
  /** From 0, where everything works. */
  readonly trouble: () => number
  readonly now: () => number
  /** Does it later, whoever dies meanwhile. */
  readonly later: (millis: number, act: () => void) => void
}

export class World {
  readonly acts = new Map<string, Act>()
  /** How often each key was sent. */
  readonly executions = new Map<string, number>()
  readonly undoings: Array<string> = []
  readonly wrongs: Array<string> = []
  readonly lines: Array<Line> = []
  private readonly settings: Settings

  constructor(settings: Settings) {
    this.settings = settings
  }

  /** Sends a request and awaits the answer. `deal` is what the world does when it arrives. */
  private readonly ask = <A, E>(life: Life, deal: (sentAt: number) => Effect.Effect<A, E>): Effect.Effect<A, E> =>
    Effect.callback<A, E>((resume) => {
      const { chance, later, now } = this.settings
      life.beat()
      if (!life.process.alive) return
      const sentAt = now()
      const trouble = this.settings.trouble()
      const slow = () => (chance() < trouble ? chance() * travelMillis : chance() < 0.3 ? 1 : 0)
      const arrive = () => {
        const answer = deal(sentAt)
        // Now and then nothing comes back, and the caller's time runs out.
        if (chance() < trouble / 4) return
        const reply = () => {
          life.beat()
          if (life.process.alive) resume(answer)
        }
        const back = slow()
        if (back === 0) reply()
        else later(back, reply)
      }
      const there = slow()
      if (there === 0) arrive()
      else later(there, arrive)
    })

  private readonly note = (
    kind: Kind,
    what: string,
    came: Came,
    sentAt: number,
    { key, path, runId }: Asker,
    of?: string
  ) => {
    const at = this.settings.now()
    this.lines.push({ at, sentAt, kind, what, key, path, runId, came, ...(of === undefined ? {} : { of }) })
  }

  /** Does it once for a key. */
  readonly act = (
    life: Life,
    tool: string,
    asker: Asker,
    mayRefuse = true
  ): Effect.Effect<string, Refused | Busy | Lost> =>
    Effect.suspend(() => {
      const { key, path, runId } = asker
      this.executions.set(key, (this.executions.get(key) ?? 0) + 1)
      return this.ask(life, (sentAt): Effect.Effect<string, Refused | Busy | Lost> => {
        const before = this.acts.get(key)
        if (before !== undefined) {
          if (before.undone) this.wrongs.push(`${path} was done again after it was taken back`)
          this.note("act", tool, "known", sentAt, asker)
          return Effect.succeed(before.value)
        }
        const trouble = this.settings.trouble()
        const dice = this.settings.chance()
        const refused = (error: Refused | Busy | Lost) => {
          this.note("act", tool, "refused", sentAt, asker)
          return Effect.fail(error)
        }
        if (dice < trouble) return refused(new Busy({ path }))
        if (mayRefuse && dice < trouble * 1.5) return refused(new Refused({ path }))
        if (dice < trouble * 2) return refused(new Lost({ path }))
        const done: Act = { runId, key, path, value: `v${this.acts.size}`, undone: false }
        this.acts.set(key, done)
        this.note("act", tool, "done", sentAt, asker)
        return dice < trouble * 3 ? Effect.fail(new Lost({ path })) : Effect.succeed(done.value)
      })
    })

  readonly find = (life: Life, tool: string, asker: Asker): Effect.Effect<Option.Option<string>> =>
    this.ask(life, (sentAt) => {
      const act = this.acts.get(asker.key)
      this.note("find", tool, act === undefined ? "nothing" : "known", sentAt, asker, asker.key)
      return Effect.succeed(act === undefined ? Option.none() : Option.some(act.value))
    })

  /** Takes back what has that value; a second time changes nothing. */
  readonly undo = (life: Life, tool: string, value: string, asker: Asker): Effect.Effect<void, Busy | Lost> =>
    Effect.suspend(() => {
      const { key, path } = asker
      this.executions.set(key, (this.executions.get(key) ?? 0) + 1)
      return this.ask(life, (sentAt): Effect.Effect<void, Busy | Lost> => {
        const act = Array.from(this.acts.values()).find((one) => one.value === value)
        if (act === undefined) {
          this.wrongs.push(`${path} takes back what was never done`)
          this.note("undo", tool, "nothing", sentAt, asker, "")
          return Effect.void
        }
        const trouble = this.settings.trouble()
        const dice = this.settings.chance()
        if (dice < trouble) {
          this.note("undo", tool, "refused", sentAt, asker, act.key)
          return Effect.fail(new Busy({ path }))
        }
        this.note("undo", tool, act.undone ? "known" : "done", sentAt, asker, act.key)
        if (!act.undone) {
          act.undone = true
          this.undoings.push(`${act.runId} ${act.path}`)
        }
        return dice < trouble * 2 ? Effect.fail(new Lost({ path })) : Effect.void
      })
    })
}
