/** A program: starts runs that end up stuck, and prints how many of their bodies were collected. Needs `--expose-gc`. */
import { Effect, Layer, Logger } from "effect"
import { Outbox, Saga } from "../../src/index.ts"
import { act, play, saga, withWorker, World } from "./bench.ts"

const count = 50
const ledger = new World()
const A = act(ledger, "A", { script: Array.from({ length: count * 3 }, () => "blocked") })
const Trip = saga("Trip", [A])

let collected = 0
let finalized = 0
const registry = new FinalizationRegistry(() => collected++)

const live = Trip.toLayer(({ id }) => {
  const big = { id, cells: Array.from({ length: 1_000 }, () => 0) }
  registry.register(big, undefined)
  return Effect.scoped(
    Effect.gen(function* () {
      yield* Effect.acquireRelease(Effect.succeed(big), () => Effect.sync(() => finalized++))
      yield* Saga.all([A({ of: "x" }), A({ of: "x" })])
      return big.id
    })
  ).pipe(Effect.ensuring(Effect.sync(() => finalized++)))
})

const program = Effect.gen(function* () {
  for (let id = 0; id < count; id++) {
    const run = yield* play(Trip, String(id))
    if (run.stuck?.reason !== "blocked") return yield* Effect.die(new Error("not stuck"))
  }
  for (let round = 0; round < 50 && collected < count; round++) {
    yield* Effect.sleep("10 millis")
    globalThis.gc!()
  }
  console.log(JSON.stringify({ count, collected, finalized }))
}).pipe(withWorker(live), Effect.provide(Layer.mergeAll(Outbox.layerMemory, Logger.layer([]))))

await Effect.runPromise(Effect.timeout(program, "30 seconds"))
