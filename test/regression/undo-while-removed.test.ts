/** Retention removed the record of a run that was about to be undone: its undoing found nothing, and said nothing stood (G10). */
import { assert, it } from "@effect/vitest"
import { Effect, Exit, Layer, Option } from "effect"
import { Outbox } from "../../src/index.ts"
import { Postgres } from "../../src/postgres/index.ts"
import * as Database from "../Database.ts"
import { append, completed, newRun, worker } from "../postgres/stage.ts"

const postgres = Postgres.layer().pipe(Layer.provide(Postgres.layerMigrations), Layer.provide(Database.layer))

for (const [name, layer] of [
  ["in memory", Outbox.layerMemory],
  ["in Postgres", postgres]
] as const) {
  it.live(`a run whose record was removed is not undone, and one that is being undone keeps its record, ${name}`, () =>
    Effect.gen(function* () {
      const outbox = yield* Outbox.Outbox
      const id = yield* worker
      const ended = Effect.gen(function* () {
        const run = newRun({ worker: id })
        yield* outbox.start(run)
        yield* outbox.append(append(run.runId, id, completed))
        return run.runId
      })
      const [gone, undone] = [yield* ended, yield* ended]
      yield* Effect.sleep("20 millis")
      const remove = (runId: string) => outbox.remove([runId], { olderThanMillis: 1 })
      assert.deepStrictEqual(yield* remove(gone), [gone])
      const late = newRun({ undoes: gone })
      assert.isTrue(Exit.isFailure(yield* Effect.exit(outbox.start(late))))
      assert.isTrue(Option.isNone(yield* outbox.get(late.runId)))

      assert.strictEqual((yield* outbox.start(newRun({ undoes: undone })))._tag, "started")
      assert.deepStrictEqual(yield* remove(undone), [])
    }).pipe(Effect.timeout("20 seconds"), Effect.provide(layer))
  )
}
