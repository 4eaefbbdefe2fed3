/** Tells every run of a database as it happens, from now on. */
import { Console, Effect, Stream } from "effect"
import { Outbox } from "../../outbox/Outbox.ts"
import * as Runs from "../../saga/Runs.ts"
import { Json, width } from "./settings.ts"
import { eventOf } from "./timeline.ts"
import { fit, pad } from "./table.ts"
import { clean, shortId, timeOfDay } from "./words.ts"

const interval = "200 millis"
const newest = 500
const pageSize = 500

/** Remembers what is there; `telling` then tells what comes, and does not end. */
export const follow = Effect.gen(function* () {
  const outbox = yield* Outbox
  const json = yield* Json
  const runs = yield* Runs.Runs
  /** How many entries of a run were told. */
  const told = new Map<string, number>()
  const ended = new Set<string>()
  const all = runs.list({}).pipe(Stream.take(newest), Stream.runCollect)

  const entriesOf = (runId: string) => outbox.entries(runId, { from: told.get(runId) ?? 0, limit: pageSize })

  for (const { runId, state } of yield* all) {
    if (state === "completed" || state === "rolled_back" || state === "partly_rolled_back") ended.add(runId)
    told.set(runId, (yield* runs.history(runId)).length)
  }

  const look = Effect.gen(function* () {
    const found = yield* all
    const news = yield* Effect.forEach(
      found.filter(({ runId }) => !ended.has(runId)),
      (run) => Effect.map(entriesOf(run.runId), (entries) => entries.map((stored) => ({ run, stored }))),
      { concurrency: 4 }
    )
    for (const { run, stored } of news.flat().toSorted((one, other) => one.stored.at - other.stored.at)) {
      told.set(run.runId, stored.seq + 1)
      if (stored.entry._tag === "ended") ended.add(run.runId)
      yield* Console.log(
        json
          ? JSON.stringify({ runId: run.runId, saga: run.saga, key: run.key, ...stored })
          : fit(
              `${timeOfDay(stored.at)}  ${shortId(run.runId)}  ${pad(clean(`${run.saga}/${run.key}`), 18)}  ${clean(eventOf(stored))}`,
              width()
            )
      )
    }
  })

  const telling = Effect.gen(function* () {
    while (true) {
      yield* look
      yield* Effect.sleep(interval)
    }
  })
  return { telling }
})
