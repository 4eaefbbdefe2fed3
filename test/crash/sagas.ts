/** The sagas that are killed, and their tools. A suffix gives each case sagas of its own, which no other's worker takes. */
import { Agent, request } from "node:http"
import { Effect, Layer, Option, Schedule, Schema } from "effect"
import { Failure, Saga, Timer, Tool } from "makegood"
import type { Came, Request } from "./Ledger.ts"

const worldUrl = process.env["MAKEGOOD_TEST_WORLD_URL"] ?? ""
const me = process.env["MAKEGOOD_TEST_NAME"] ?? "test"
/** Whether every further attempt has a key of its own: a mistake to be found. */
const isPlanted = process.env["MAKEGOOD_TEST_PLANT"] === "keys"

/** The world said no. */
export class Refused extends Schema.TaggedError<Refused>()("Refused", { step: Schema.Number }) {}

/** No answer came. */
class NoAnswer extends Schema.TaggedError<NoAnswer>()("NoAnswer", {}) {}

const agent = new Agent({ keepAlive: true })

// To load fetch takes longer than many a worker here lives.
const post = (body: string, signal: AbortSignal): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request(worldUrl, { method: "POST", agent, signal }, (response) => {
      let text = ""
      response.setEncoding("utf8")
      response.on("data", (chunk: string) => (text += chunk))
      response.on("end", () => resolve(text))
      response.on("error", reject)
    })
    sent.on("error", reject)
    sent.end(body)
  })

/** Asks the world. */
export const ask = (what: Omit<Request, "worker">): Effect.Effect<Came, Refused | NoAnswer> =>
  Effect.tryPromise({
    try: async (signal): Promise<Came> => {
      const text = await post(JSON.stringify({ ...what, worker: me } satisfies Request), signal)
      return (JSON.parse(text) as { readonly came: Came }).came
    },
    catch: () => new NoAnswer()
  }).pipe(
    Effect.flatMap((came) =>
      came === "refused" || (came === "nothing" && what.kind === "undo")
        ? Effect.fail(new Refused({ step: what.step }))
        : Effect.succeed(came)
    )
  )

const parameters = { run: Schema.String, step: Schema.Number }
const success = Schema.Struct({ act: Schema.String })
/** With what they fail. */
export const failure = Schema.Union([Refused, NoAnswer])
const classify = { Refused: Failure.permanent, NoAnswer: Failure.inDoubt }
const retry = { transient: Schedule.spaced("20 millis").pipe(Schedule.upTo({ times: 500 })) }
/** How a target that knows keys is asked again. */
export const sameKey = Tool.sameKey({ validFor: "30 days" })
type Step = { readonly run: string; readonly step: number }

/** Executes a call there. */
export const act = (target: Request["target"]) => (step: Step, call: Tool.Call) => {
  const key = isPlanted && call.attempt > 1 ? `${call.key}-again` : call.key
  return Effect.as(ask({ kind: "act", target, ...step, key }), { act: key })
}

/** Takes back there what an {@link act} has done. */
export const undo =
  (target: Request["target"]) =>
  (
    { parameters, success }: { readonly parameters: Step; readonly success: { readonly act: string } },
    call: Tool.Call
  ) =>
    ask({ kind: "undo", target, ...parameters, key: call.key, of: success.act })

/** What the tools here have in common. */
export const common = { parameters, success, failure, classify, retry, timeout: "5 seconds" } as const

/** Its target knows keys. */
export const Keep = Tool.make("Keep", {
  ...common,
  execute: act("keyed"),
  compensate: undo("keyed"),
  inDoubt: sameKey
})

/** Its target knows no keys, but can be asked. */
export const Find = Tool.make("Find", {
  ...common,
  timeout: "300 millis",
  execute: act("plain"),
  compensate: { run: undo("plain"), inDoubt: sameKey, timeout: "5 seconds" },
  inDoubt: {
    lookup: ({ parameters }, { key }) =>
      Effect.map(ask({ kind: "find", target: "plain", ...parameters, key, of: key }), (came) =>
        came === "known" ? Option.some({ act: key }) : Option.none()
      ),
    settle: "100 millis"
  }
})

/** Doing it twice is doing it once. */
export const Put = Tool.make("Put", {
  ...common,
  execute: act("state"),
  compensate: undo("state"),
  inDoubt: Tool.idempotent
})

/** Only reads. */
export const Look = Tool.query("Look", {
  parameters,
  failure,
  classify,
  retry,
  execute: (step, call) => ask({ kind: "find", target: "keyed", ...step, key: call.key, of: call.key })
})

/** Kills whoever executes it. */
export const Kill = Tool.make("Kill", {
  parameters,
  execute: () => Effect.sync(() => process.kill(process.pid, "SIGKILL")).pipe(Effect.andThen(Effect.never)),
  compensate: () => Effect.void,
  inDoubt: Tool.idempotent
})

const payload = { run: Schema.String }

/** The sagas of one case. `name` is that of a shape and the suffix. */
export const make = (suffix: string) => {
  const options = { version: 1, payload, error: failure, idempotencyKey: ({ run }: { readonly run: string }) => run }

  const Linear = Saga.make(`Linear${suffix}`, { ...options, tools: [Keep, Look] })
  const LinearLive = Linear.toLayer(
    Effect.fnUntraced(function* ({ run }) {
      yield* Saga.record("token", Schema.String, Effect.succeed("token"))
      yield* Keep({ run, step: 1 })
      yield* Keep({ run, step: 2 })
      yield* Look({ run, step: 0 })
      yield* Keep({ run, step: 3 })
      yield* Keep({ run, step: 4 })
    })
  )

  const Branches = Saga.make(`Branches${suffix}`, { ...options, tools: [Keep, Put] })
  const BranchesLive = Branches.toLayer(
    Effect.fnUntraced(function* ({ run }) {
      yield* Saga.all({
        left: Effect.andThen(Keep({ run, step: 1 }), Keep({ run, step: 2 })),
        right: Effect.andThen(Put({ run, step: 3 }), Keep({ run, step: 4 }))
      })
      yield* Keep({ run, step: 5 })
    })
  )

  const Mixed = Saga.make(`Mixed${suffix}`, { ...options, tools: [Keep, Find, Put] })
  const MixedLive = Mixed.toLayer(
    Effect.fnUntraced(function* ({ run }) {
      yield* Find({ run, step: 1 })
      yield* Put({ run, step: 2 })
      yield* Keep({ run, step: 3 })
      yield* Find({ run, step: 4 })
    })
  )

  const Planned = Saga.make(`Planned${suffix}`, { ...options, tools: [Keep, Put] })
  const PlannedLive = Planned.toLayer(
    Effect.fnUntraced(function* ({ run }) {
      yield* Keep({ run, step: 1 })
      yield* Saga.all({ keep: Keep({ run, step: 2 }), put: Put({ run, step: 3 }) }).pipe(
        Effect.andThen(Keep({ run, step: 4 })),
        Saga.savepoint("plan"),
        Effect.catchTag("Refused", () => Effect.void)
      )
      yield* Keep({ run, step: 5 })
      yield* Timer.sleep("400 millis")
    })
  )

  const Poison = Saga.make(`Poison${suffix}`, { version: 1, payload, tools: [Kill], idempotencyKey: ({ run }) => run })
  const PoisonLive = Poison.toLayer(({ run }) => Kill({ run, step: 1 }))

  return {
    sagas: { Linear, Branches, Mixed, Planned, Poison },
    layer: Layer.mergeAll(LinearLive, BranchesLive, MixedLive, PlannedLive, PoisonLive)
  }
}

/** The name of a saga here. */
export type Name = keyof ReturnType<typeof make>["sagas"]
