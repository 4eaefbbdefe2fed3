/**
 * The sagas that the campaign's workers run: those of `test/crash`, and two more, which have children, wait for people, lock,
 * are asked twice, are stuck, and look at what a rollback achieved.
 */
import { Effect, Layer, Option, Schema } from "effect"
import { Approval, Failure, Saga, Signal, Tool } from "makegood"
import { act, ask, common, failure, make, sameKey, undo } from "../crash/sagas.ts"
import * as Plain from "../crash/sagas.ts"

const keyed = { ...common, execute: act("keyed"), compensate: undo("keyed"), inDoubt: sameKey } as const

/** Runs of different campaigns may want the same seat. */
export const Seat = Tool.make("Seat", { ...keyed, lock: ({ run }) => [`seat-${Number(run.split("-").at(-1)) % 3}`] })

/** Somebody has to say yes. */
export const Sign = Tool.make("Sign", {
  ...keyed,
  needsApproval: true,
  approval: { to: "managers", remind: "1 second" }
})

/** Is asked for twice, and done once. */
export const Pay = Tool.make("Pay", { ...keyed, once: ({ run }) => run })

/** A refusal is a matter for people. */
export const Door = Tool.make("Door", {
  ...common,
  classify: { Refused: Failure.blocked, NoAnswer: Failure.inDoubt },
  execute: act("plain"),
  compensate: { run: undo("plain"), inDoubt: sameKey },
  inDoubt: {
    lookup: ({ parameters }, { key }) =>
      Effect.map(ask({ kind: "find", target: "plain", ...parameters, key, of: key }), (came) =>
        came === "known" ? Option.some({ act: key }) : Option.none()
      ),
    settle: "100 millis"
  }
})

/** Looks at what taking it back achieved. */
export const Paint = Tool.make("Paint", { ...keyed, verify: () => Effect.succeed(Tool.exact) })

/** What an office waits for. */
export const Ready = Signal.make("Ready")

const options = {
  version: 1,
  payload: { run: Schema.String },
  error: Schema.Union([failure, Approval.Refused, Saga.LockRefused, Tool.OnceConflict]),
  idempotencyKey: ({ run }: { readonly run: string }) => run
}

/** A child of {@link Family}. */
export const Part = Saga.make("Part", { ...options, tools: [Plain.Keep] })
const PartLive = Part.toLayer(({ run }) =>
  Effect.andThen(Plain.Keep({ run, step: 3 }), Plain.Keep({ run, step: 4 })).pipe(Effect.asVoid)
)

export const Family = Saga.make("Family", { ...options, tools: [Plain.Keep, Paint, Part] })
const FamilyLive = Family.toLayer(
  Effect.fnUntraced(function* ({ run }) {
    yield* Plain.Keep({ run, step: 1 })
    yield* Paint({ run, step: 2 })
    yield* Part({ run })
    yield* Plain.Keep({ run, step: 5 })
  })
)

export const Office = Saga.make("Office", { ...options, tools: [Seat, Sign, Door, Pay, Plain.Keep] })
const OfficeLive = Office.toLayer(
  Effect.fnUntraced(function* ({ run }) {
    yield* Seat({ run, step: 1 })
    yield* Ready.await()
    yield* Sign({ run, step: 2 })
    yield* Door({ run, step: 3 })
    yield* Pay({ run, step: 4 })
    yield* Pay({ run, step: 4 })
    yield* Plain.Keep({ run, step: 5 })
  })
)

const plain = make("")

/** All of them, by name. */
export const sagas = { ...plain.sagas, Family, Office }

/** All of them, as a worker has them. */
export const layer = Layer.mergeAll(plain.layer, PartLive, FamilyLive, OfficeLive)
