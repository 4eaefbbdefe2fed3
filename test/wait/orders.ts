/**
 * Every order of a signal, an approval, a time-out, a cancel and a crash, on a run in each state, against a small model
 * of what comes of it.
 */
import { Effect, Schema, Stream } from "effect"
import { Approval, Outbox, Runs, Saga, Signal, Tool } from "../../src/index.ts"
import { bury } from "../worker/bench.ts"

export type Event = "signal" | "approval" | "timeout" | "cancel" | "crash"

/**
 * Where the first event finds the run: never claimed; waiting for a signal and for a person; or on its way back, waiting
 * for a person.
 */
export type Begin = "pending" | "waiting" | "goingBack"

export const permutations = <A>(items: ReadonlyArray<A>): ReadonlyArray<ReadonlyArray<A>> =>
  items.length <= 1
    ? [items]
    : items.flatMap((item, index) => permutations(items.toSpliced(index, 1)).map((rest) => [item, ...rest]))

export const orders = permutations<Event>(["signal", "approval", "timeout", "cancel", "crash"])

/** What is to be so. */
export interface Expected {
  readonly state: "pending" | "waiting" | "stuck" | "completed" | "rolled_back"
  readonly ledger: ReadonlyArray<string>
}

/** What comes of the events, one after the other, each seen before the next. */
export const model = (begin: Begin) => {
  let state: Expected["state"] = begin === "pending" ? "pending" : "waiting"
  let signalled = false
  const ledger: Array<string> = begin === "goingBack" ? ["pay"] : []
  const back = () => {
    if (ledger.includes("pay")) ledger.push("back")
    state = "rolled_back"
  }
  const isOver = () => state === "completed" || state === "rolled_back"
  const onward = (event: Event) => {
    if (event === "signal") signalled = true
    if (event === "approval" && state === "waiting") ledger.push("pay")
    if (event === "cancel" || (event === "timeout" && state === "waiting")) back()
    else if (signalled && ledger.includes("pay")) state = "completed"
  }
  // Whatever a stuck run is told, it asks again; what it does to be told a decision, it does not ask for.
  const backward = (event: Event) => {
    if (event === "approval" && state === "waiting") back()
    else if (event === "timeout" && state === "waiting") state = "stuck"
    else if ((event === "signal" || event === "cancel") && state === "stuck") state = "waiting"
  }
  return {
    happens: (event: Event) => {
      if (isOver()) return
      if (begin === "goingBack") backward(event)
      else onward(event)
    },
    /** A worker looks at a run that nobody held. */
    claimed: () => {
      if (state === "pending") state = "waiting"
    },
    expected: (): Expected => ({ state, ledger: [...ledger] })
  }
}

const Go = Signal.make("Go", { payload: Schema.Int })
const ada = Approval.person("ada")

/** The saga, how long it waits, and what it did to the world, by run. */
export const scene = (withinMillis: number) => {
  const ledgers = new Map<string, Array<string>>()
  const act = (runId: string, line: string) =>
    Effect.sync(() => {
      ledgers.set(runId, [...(ledgers.get(runId) ?? []), line])
    })
  const approval = { within: withinMillis }
  const tool = (name: string, asks: "before" | "back") =>
    Tool.make(name, {
      parameters: {},
      needsApproval: () => asks === "before",
      approval,
      execute: (_, { runId }) => act(runId, "pay"),
      compensate: {
        run: (_, { runId }) => act(runId, "back"),
        needsApproval: () => asks === "back",
        approval
      },
      inDoubt: Tool.idempotent
    })
  const [Pay, Publish] = [tool("Pay", "before"), tool("Publish", "back")]
  const error = Schema.Union([Approval.Refused, Signal.SignalTimeout, Schema.String])
  const make = (name: string) =>
    Saga.make(name, {
      version: 1,
      payload: { id: Schema.String },
      error,
      tools: [Pay, Publish],
      idempotencyKey: ({ id }) => id
    })
  const [Onward, Back] = [make("Onward"), make("Back")]
  const layers = [
    Onward.toLayer(() => Effect.asVoid(Saga.all({ signal: Go.await({ within: withinMillis }), pay: Pay({}) }))),
    Back.toLayer(() => Effect.andThen(Publish({}), Effect.fail("back")))
  ] as const

  const approve = Effect.fnUntraced(function* (runId: string) {
    const [request] = yield* Stream.runCollect(Runs.approvals({ runId }))
    if (request === undefined) return
    yield* Runs.approve(runId, request.path, { digest: request.digest }, ada)
  })

  return {
    layers,
    start: (begin: Begin, id: string) => (begin === "goingBack" ? Back : Onward).start({ id }),
    ledger: (runId: string): ReadonlyArray<string> => ledgers.get(runId) ?? [],
    /** Has the event happen; what is refused at the sender, since the run has ended, is no event. */
    send: Effect.fnUntraced(function* (runId: string, event: Exclude<Event, "timeout">) {
      if (event === "crash") return yield* bury
      const word =
        event === "signal"
          ? Runs.signal(runId, Go, 1, { id: "one" })
          : event === "cancel"
            ? Runs.cancel(runId, { by: "ada" })
            : approve(runId)
      const isRefusal = ({ reason }: Runs.RunsError) => reason._tag === "RunEnded" || reason._tag === "DecisionRefused"
      return yield* Effect.catchIf(word, isRefusal, () => Effect.void)
    })
  }
}

/** What G12 and G13 say about a record: nothing fired early, and no message was used twice, or by what it was not for. */
export const violations = Effect.fnUntraced(function* (runId: string) {
  const found: Array<string> = []
  const outbox = yield* Outbox.Outbox
  const waits = new Map<string, number | undefined>()
  const used = new Set<string>()
  const told = new Map<string, string>()
  for (const { at, entry } of yield* outbox.entries(runId, { from: 0 })) {
    if (entry._tag === "awaited") waits.set(entry.path, entry.until)
    if (entry._tag === "told") {
      if (told.has(entry.id)) found.push(`G13: ${entry.id} was taken twice`)
      told.set(entry.id, entry.message)
    }
    if (entry._tag !== "answered") continue
    const until = waits.get(entry.path)
    if (entry.how === "due" && (until === undefined || at < until)) found.push(`G12: ${entry.path} fired early`)
    if (entry.message === undefined) continue
    if (used.has(entry.message)) found.push(`G13: ${entry.message} was used twice`)
    used.add(entry.message)
    const kind = told.get(entry.message)
    if (kind !== (entry.how === "signal" ? "signal" : "decide")) found.push(`G13: ${kind} ended ${entry.path}`)
  }
  return found
})
