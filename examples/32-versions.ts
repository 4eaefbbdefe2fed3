/**
 * A saga changes while runs of it are under way: in place with `Saga.patched`, or as a further version beside the first.
 *
 * `patched` is false in the runs whose record goes past it, and true in those that come there first. A tool that changed
 * says with `compatibleWith` whose calls it can take back. `Doctor` says before a deploy which runs would not go on.
 *
 * Run it: npm run example -- 32
 */
import { Console, Effect, Layer, Schema } from "effect"
import { Doctor, Outbox, Runs, Saga, Signal, Tool, Worker } from "makegood"

const Baked = Signal.make("Baked")

const tool = <const Name extends string>(name: Name, version = 1, compatibleWith: ReadonlyArray<number> = []) =>
  Tool.make(name, {
    version,
    compatibleWith,
    parameters: {},
    execute: () => Console.log(`  ${name}`),
    compensate: () => Console.log(`  ${name} is taken back by version ${version}`),
    inDoubt: Tool.idempotent
  })

const [Mix, Ice, Weigh] = [tool("Mix"), tool("Ice"), tool("Weigh")]

const Cake = Saga.make("Cake", {
  version: 1,
  payload: { id: Schema.String },
  tools: [Mix, Ice, Weigh],
  idempotencyKey: ({ id }) => id
})

/** As it was. */
const before = Cake.toLayer(() => Mix({}).pipe(Effect.andThen(Baked.await()), Effect.andThen(Ice({}))))

/** As it is now: cakes are weighed before they are baked, and before they are iced. */
const after = Cake.toLayer(
  Effect.fnUntraced(function* () {
    yield* Mix({})
    if (yield* Saga.patched("weigh-the-dough")) yield* Weigh({})
    yield* Baked.await()
    if (yield* Saga.patched("weigh-the-cake")) yield* Weigh({})
    yield* Ice({})
  })
)

/** And later, with another way to mix, which cannot be gone back to from the first. */
const Newer = Saga.make("Cake", {
  version: 1,
  payload: { id: Schema.String },
  tools: [tool("Mix", 2), Ice, Weigh],
  idempotencyKey: ({ id }) => id
})
const Newest = Saga.make("Cake", {
  version: 1,
  payload: { id: Schema.String },
  tools: [tool("Mix", 3, [1, 2]), Ice, Weigh],
  idempotencyKey: ({ id }) => id
})

const waiting = Effect.fnUntraced(function* (id: string) {
  const { runId } = yield* Cake.start({ id })
  while ((yield* Runs.get(runId)).state !== "waiting") yield* Effect.sleep("5 millis")
  return runId
})

const bake = Effect.fnUntraced(function* (runId: string) {
  yield* Runs.signal(runId, Baked, undefined)
  return (yield* Runs.await(runId)).state
})

/** A process with this build, for as long as the effect takes. */
const deployed =
  (sagas: Layer.Layer<never, never, Worker.Worker>) =>
  <A, E>(effect: Effect.Effect<A, E, Runs.Runs | Worker.Worker>) =>
    Effect.provide(effect, Layer.provideMerge(sagas, Worker.layer({ poll: "20 millis" })))

const program = Effect.gen(function* () {
  yield* Console.log("the old build mixes the dough of the first cake")
  const first = yield* deployed(before)(waiting("first"))
  yield* Console.log("the new build goes on with it, and makes a second one")
  const second = yield* deployed(after)(
    Effect.gen(function* () {
      yield* bake(first)
      const second = yield* waiting("second")
      yield* Console.log("  (it waits for the oven)")
      return second
    })
  )
  const ask = Effect.fnUntraced(function* (build: Layer.Layer<never, never, Worker.Worker>) {
    const { findings } = yield* Doctor.check(yield* Doctor.sagasOf(build))
    return findings.map(({ problem, why }) => `${problem}: ${why}`).join() || "all open runs go on"
  })
  const newer = Newer.toLayer(() => Effect.die("not made"))
  const newest = Newest.toLayer(() => Effect.die("not made"))
  yield* Console.log(`the doctor of version 2 of Mix says ${yield* ask(newer)}`)
  yield* Console.log(`the doctor of version 3 says ${yield* ask(newest)}; it takes the second cake back`)
  yield* deployed(newest)(Effect.andThen(Runs.cancel(second, { by: "the baker" }), Runs.await(second)))
})

await Effect.runPromise(Effect.provide(program, Outbox.layerMemory))

// It prints:
//
// the old build mixes the dough of the first cake
//   Mix
// the new build goes on with it, and makes a second one
//   Weigh
//   Ice
//   Mix
//   Weigh
//   (it waits for the oven)
// the doctor of version 2 of Mix says tool_version: Mix was done by version 1 of Mix, here is 2
// the doctor of version 3 says all open runs go on; it takes the second cake back
//   Weigh is taken back by version 1
//   Mix is taken back by version 3
