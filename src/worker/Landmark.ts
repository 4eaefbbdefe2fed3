/**
 * Landmarks: named instants in the engine at which a test can stop or kill the process.
 *
 * Nothing listens unless a test says so, and then {@link reached} costs one comparison. Every write to the outbox has a
 * landmark on both sides: an append is named after the kinds of its entries, every other write after what it does.
 * `docs/landmarks.md` lists them all; it is printed from this module.
 */
import { Effect } from "effect"
import { Entry } from "../outbox/Entry.ts"
import type { Outbox } from "../outbox/Outbox.ts"

/** Instants that are no writes, with what they are. */
export const instants = {
  "run.taken": "a worker has loaded the record of a run and begins",
  "run.replayed": "the body stands where the record ends",
  "call.before-act": "a tool is about to be executed",
  "call.after-act": "a tool's execution has answered",
  "compensation.before-act": "a compensation is about to be executed",
  "compensation.after-act": "a compensation's execution has answered",
  "lookup.before": "a target is about to be asked whether a call happened",
  "lookup.after": "the target has answered",
  "body.ended": "the body has given a value or failed, and nothing says so yet",
  "run.rests": "a run that only waits is about to be let go",
  "run.put-down": "an incarnation was dropped",
  "run.released": "a run was given back"
} as const

/** Writes other than appends, with what they do. Those of runs come first, then those of workers and people. */
const writes = {
  start: { name: "start", says: "a run is started", of: "run" },
  send: { name: "message-sent", says: "a message is put into a run's inbox", of: "run" },
  reclaim: { name: "reclaim", says: "a worker takes its own run anew, under a new epoch", of: "run" },
  lock: { name: "lock", says: "a run takes locks or stands in line", of: "run" },
  awaitTool: { name: "tool-awaited", says: "a call has itself be woken when its tool is let go", of: "run" },
  link: { name: "link-kept", says: "a link to decide by is kept", of: "run" },
  bind: { name: "key-bound", says: "a business key is bound to a call", of: "run" },
  claim: { name: "claim", says: "a worker takes runs", of: "worker" },
  release: { name: "release", says: "a worker gives runs back", of: "worker" },
  register: { name: "register", says: "a worker makes itself known", of: "worker" },
  heartbeat: { name: "heartbeat", says: "a worker prolongs its lease", of: "worker" },
  bury: { name: "bury", says: "workers whose lease is over are declared dead", of: "worker" },
  retire: { name: "retire", says: "a worker takes its leave", of: "worker" },
  untold: { name: "requests-taken", says: "a worker takes requests for approval to tell people of", of: "worker" },
  told: { name: "request-told", says: "a worker has told of a request", of: "worker" },
  useLink: { name: "link-used", says: "somebody decides by a link", of: "worker" },
  pause: { name: "tool-paused", says: "a tool is paused", of: "worker" },
  unpause: { name: "tool-released", says: "a tool is let go", of: "worker" }
} as const

/** The operations of the outbox, and of its gate, that are marked on both sides. Appends are marked by entry. */
export const operations: ReadonlyArray<string> = Object.keys(writes)

// A claim's entry is written by the claim itself.
const kinds = Entry.members
  .map((member) => member.fields._tag.schema.literal)
  .filter((kind): kind is Exclude<typeof kind, "claimed"> => kind !== "claimed")

const bothSides = (name: string): ReadonlyArray<string> => [`${name}.before-commit`, `${name}.after-commit`]

const writesOf = (of: "run" | "worker") =>
  Object.values(writes).flatMap((write) => (write.of === of ? bothSides(write.name) : []))

/** The landmarks in the life of one run, in its order: those that depend on nothing but the run. */
export const ofRuns: ReadonlyArray<string> = [...Object.keys(instants), ...kinds.flatMap(bothSides), ...writesOf("run")]

/** The landmarks of workers and of people, which several runs share or none. They are reached with no run's id. */
export const ofWorkers: ReadonlyArray<string> = writesOf("worker")

/** All landmarks. */
export const names: ReadonlyArray<string> = [...ofRuns, ...ofWorkers]

/** What a landmark is, in words. */
export const meaningOf = (name: string): string => {
  if (name in instants) return instants[name as keyof typeof instants]
  const [subject = "", side = ""] = name.split(".")
  const write = Object.values(writes).find((one) => one.name === subject)
  const what = write?.says ?? `an entry \`${subject}\` is written`
  return `${side === "before-commit" ? "before" : "after"} ${what}`
}

/** Told of every landmark reached, on the spot. */
export type Listener = (name: string, runId: string) => void

let listener: Listener | undefined

/** Sets the one listener of this process; `undefined` takes it away. */
export const listen = (next: Listener | undefined): void => {
  listener = next
}

/** Whether anybody listens. */
export const isWatched = (): boolean => listener !== undefined

/** The engine is at this landmark. */
export const reached = (name: string, runId: string): void => {
  if (listener !== undefined) listener(name, runId)
}

type Service = Outbox["Service"]
type Operation = (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, unknown>

/** The outbox with landmarks on both sides of its writes. While nobody listens they cost one comparison each. */
export const marked = (outbox: Service): Service =>
  Object.assign({}, outbox, markedIn(outbox), { gate: { ...outbox.gate, ...markedIn(outbox.gate) } })

const markedIn = (port: object): Record<string, unknown> => {
  const found: Record<string, unknown> = {}
  for (const [operation, { name, of }] of Object.entries(writes)) {
    const own: unknown = Reflect.get(port, operation)
    if (Effect.isEffect(own)) found[operation] = around(name, "", own as Effect.Effect<unknown, unknown>)
    else if (typeof own === "function") {
      found[operation] = (...args: ReadonlyArray<unknown>) => {
        const effect = (own as Operation)(...args)
        return listener === undefined ? effect : around(name, of === "run" ? runIn(args) : "", effect)
      }
    }
  }
  return found
}

const around = <A, E>(name: string, runId: string, effect: Effect.Effect<A, E>): Effect.Effect<A, E> =>
  Effect.suspend(() => {
    reached(`${name}.before-commit`, runId)
    return Effect.tap(effect, () => Effect.sync(() => reached(`${name}.after-commit`, runId)))
  })

/** The run that an operation is about. */
const runIn = (args: ReadonlyArray<unknown>): string => {
  const found = args.find((arg) => typeof arg === "object" && arg !== null && "runId" in arg)
  return (found as { readonly runId: string } | undefined)?.runId ?? ""
}
