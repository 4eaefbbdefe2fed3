/** Sagas whose acts are noted: when each was begun and ended, by a clock that all processes of a machine share. */
import { Context, DateTime, Effect, Layer, Schema } from "effect"
import { Approval, Saga, Signal, Timer, Tool } from "makegood"
import * as Flow from "./Flow.ts"

/** Milliseconds by the machine's monotonic clock, the same in every process. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6

/** One execution of an act, or of its taking back. */
export interface Note {
  readonly runId: string
  readonly path: string
  readonly step: number
  readonly back: boolean
  readonly entered: number
  /** Later than `entered` only where the act was given something to do. */
  left: number
}

/** Where acts are noted. What it does belongs to the act. */
export class Notebook extends Context.Service<Notebook, { readonly add: (note: Note) => Effect.Effect<void> }>()(
  "bench/Notebook"
) {}

/** A notebook that only fills `notes`. */
export const layerInto = (notes: Array<Note>) =>
  Layer.succeed(Notebook, { add: (note) => Effect.sync(() => void notes.push(note)) })

const note = ({ path, runId }: Tool.Call<unknown>, step: number, back: boolean) =>
  Effect.suspend(() => {
    const entered = now()
    return Notebook.use((notebook) => notebook.add({ runId, path, step, back, entered, left: entered }))
  })

const Act = Tool.make("Act", {
  parameters: { step: Schema.Int },
  success: Flow.Receipt,
  execute: ({ step }, call) => Effect.as(note(call, step, false), Flow.receipt),
  compensate: ({ parameters: { step } }, call) => note(call, step, true),
  inDoubt: Tool.sameKey({ validFor: "24 hours" })
})

class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const idempotencyKey = ({ order }: { readonly order: string }) => order

/** So many acts; with `refused` all of them are taken back. */
export const Steps = Saga.make("Steps", {
  version: 1,
  payload: { order: Schema.String, steps: Schema.Int, refused: Schema.Boolean },
  error: Refused,
  tools: [Act],
  idempotencyKey
})

/** An act when its time has come. */
export const Due = Saga.make("Due", {
  version: 1,
  payload: { order: Schema.String, dueMillis: Schema.Number },
  tools: [Act],
  idempotencyKey
})

export const Go = Signal.make("Go")

/** An act when it is called. */
export const Called = Saga.make("Called", {
  version: 1,
  payload: { order: Schema.String },
  tools: [Act],
  idempotencyKey
})

/** An act when it is approved. */
export const Asked = Saga.make("Asked", {
  version: 1,
  payload: { order: Schema.String },
  error: Approval.Refused,
  tools: [Act],
  idempotencyKey
})

/** The bodies of the sagas; wants a worker and a notebook. */
export const layer = Layer.mergeAll(
  Steps.toLayer(
    Effect.fnUntraced(function* ({ refused, steps }) {
      for (let step = 0; step < steps; step++) yield* Act({ step })
      if (refused) return yield* new Refused()
    })
  ),
  Due.toLayer(({ dueMillis }) =>
    Effect.andThen(Timer.until(DateTime.makeUnsafe(dueMillis)), Effect.asVoid(Act({ step: 0 })))
  ),
  Called.toLayer(() => Effect.andThen(Go.await(), Effect.asVoid(Act({ step: 0 })))),
  Asked.toLayer(() =>
    Effect.andThen(
      Approval.request("Refund", { show: { cents: 100 }, to: "officers" }),
      Effect.asVoid(Act({ step: 0 }))
    )
  )
)
