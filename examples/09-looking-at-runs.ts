/**
 * Runs from outside: find them, look at them, follow them, cancel one.
 *
 * What a person says goes into the run's record with their name. A cancelled run is taken back like one that failed; a
 * call under way is awaited, never cut off.
 *
 * Run it: npm run example -- 09
 */
import { Console, Effect, Latch, Layer, Schema, Stream } from "effect"
import { Outbox, Runs, Saga, Tool, Worker } from "makegood"

const painted = Latch.makeUnsafe(false)

const BuildWall = Tool.make("BuildWall", {
  parameters: { length: Schema.Int },
  execute: ({ length }) => Console.log(`wall of ${length} m built`),
  compensate: ({ cause }) =>
    Console.log(`wall pulled down, ${cause._tag === "cancelled" ? `as ${cause.by} said` : cause._tag}`),
  inDoubt: Tool.askPerson
})

const Paint = Tool.make("Paint", {
  parameters: { colour: Schema.String },
  execute: ({ colour }) => Effect.andThen(painted.await, Console.log(`painted ${colour}`)),
  compensate: () => Console.log("paint scraped off"),
  inDoubt: Tool.idempotent
})

const Build = Saga.make("Build", {
  version: 1,
  payload: { site: Schema.String, colour: Schema.String },
  tools: [BuildWall, Paint],
  idempotencyKey: ({ site }) => site
})

const BuildLive = Build.toLayer(({ colour }) => Effect.andThen(BuildWall({ length: 3 }), Paint({ colour })))

const app = BuildLive.pipe(Layer.provideMerge(Worker.layer()), Layer.provide(Outbox.layerMemory))

const program = Effect.gen(function* () {
  const wall = yield* Build.start({ site: "north", colour: "green" }, { attributes: { customer: "C-1" } })
  const isPainting = (run: Runs.Details) => run.calls.some((call) => call.tool === "Paint")
  yield* Effect.repeat(Effect.delay(Runs.get(wall.runId), "10 millis"), { until: isPainting })
  yield* Runs.list({ attributes: { customer: "C-1" } }).pipe(
    Stream.runForEach((run) => Console.log(`found: ${run.saga} ${run.key} is ${run.state}`))
  )

  // The same key with another payload is refused, with the run that has it.
  const conflict = yield* Effect.flip(Build.start({ site: "north", colour: "blue" }))
  yield* Console.log(`${conflict.reason._tag}: ${conflict.reason._tag === "RunConflict" && conflict.reason.key}`)

  yield* Runs.cancel(wall.runId, { by: "Ada", why: "wrong site" })
  yield* Effect.repeat(Effect.delay(Runs.history(wall.runId), "10 millis"), {
    until: (entries) => entries.some(({ entry }) => entry._tag === "told")
  })
  yield* painted.open
  yield* Console.log((yield* Effect.flip(wall.await)).message.replace(wall.runId, "<id>"))

  yield* Runs.watch(wall.runId).pipe(
    Stream.runForEach(({ entry, seq }) => Console.log(`${seq} ${entry._tag}${"path" in entry ? ` ${entry.path}` : ""}`))
  )
})

await Effect.runPromise(Effect.provide(program, app))

// It prints:
//
// wall of 3 m built
// found: Build north is running
// RunConflict: north
// painted green
// paint scraped off
// wall pulled down, as Ada said
// The run <id> was cancelled by Ada: wrong site. It was taken back. Runs.get shows what was done.
// 0 claimed
// 1 intended BuildWall
// 2 succeeded BuildWall
// 3 intended Paint
// 4 told
// 5 succeeded Paint
// 6 rollback_began
// 7 intended Paint!compensate
// 8 succeeded Paint!compensate
// 9 intended BuildWall!compensate
// 10 succeeded BuildWall!compensate
// 11 ended
