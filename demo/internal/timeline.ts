/**
 * The time line: what the outbox, the provider and the demo have to say, in the order in which it happened.
 *
 * The outbox is heard through `Runs.watch`, which looks twice a second, the provider at once; so a line is held back for
 * a moment before it is printed, in case an earlier one is still on its way.
 */
import { Effect, type Scope } from "effect"
import { type Format, paint, print } from "./terminal.ts"

export interface Event {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly who: "outbox" | "provider" | "model" | "demo"
  readonly text: string
  readonly format?: Format
}

export interface Timeline {
  readonly add: (event: Event) => void
  /** Something the demo does now. */
  readonly say: (text: string, format?: Format) => Effect.Effect<void>
  /** Prints what is held back. */
  readonly flush: Effect.Effect<void>
}

const heldBackMillis = 800

export const make = (startedAt: number): Effect.Effect<Timeline, never, Scope.Scope> =>
  Effect.gen(function* () {
    let waiting: Array<Event> = []
    const printUntil = (until: number) => {
      const due = waiting.filter((event) => event.at <= until).toSorted((one, other) => one.at - other.at)
      waiting = waiting.filter((event) => event.at > until)
      for (const event of due) print(lineOf(event, startedAt))
    }
    const add = (event: Event) => {
      waiting.push(event)
    }
    yield* Effect.sync(() => printUntil(Date.now() - heldBackMillis)).pipe(
      Effect.andThen(Effect.sleep("50 millis")),
      Effect.forever,
      Effect.forkScoped
    )
    return {
      add,
      say: (text, format) =>
        Effect.sync(() => add({ at: Date.now(), who: "demo", text, ...(format === undefined ? {} : { format }) })),
      flush: Effect.sync(() => printUntil(Number.POSITIVE_INFINITY))
    }
  })

const lineOf = ({ at, format, text, who }: Event, startedAt: number): string => {
  const seconds = Math.max(0, (at - startedAt) / 1000).toFixed(2)
  return `${paint("dim", `${seconds.padStart(6)} s`)}  ${paint(colours[who], who.padEnd(9))} ${
    format === undefined ? text : paint(format, text)
  }`
}

const colours: Readonly<Record<Event["who"], Format>> = {
  outbox: "cyan",
  provider: "magenta",
  model: "blue",
  demo: "yellow"
}
