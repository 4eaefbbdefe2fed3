/** Rule 11: a lookup's none counts late enough, and a key is sent again early enough. */
import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Option } from "effect"
import type { Entry } from "../../src/outbox/Entry.ts"
import * as EntryRow from "../../src/outbox/Entry.ts"
import { callKey } from "../../src/saga/internal/identity.ts"
import type { Engine } from "./Mutant.ts"
import { claim, without } from "./Rule.ts"
import * as Stage from "./Stage.ts"

/** A run with these entries, written so long ago, by a worker that is gone. */
const left = (engine: Engine, rule: Parameters<typeof Stage.pending>[1], entries: ReadonlyArray<[Entry, string]>) =>
  Effect.gen(function* () {
    const sql = yield* PgClient.PgClient
    const runId = yield* Stage.pending(engine, rule)
    for (const [seq, [entry, ago]] of entries.entries()) {
      const row = EntryRow.toRow(entry)
      yield* sql`insert into makegood.journal (run_id, seq, epoch, at, format, kind, path, tool, tool_version, act, key,
          digest, attempt, class, stamp, value, detail)
        values (${runId}::text::uuid, ${seq}, 1, makegood.now() - ${ago}::text::interval, ${row.format}, ${row.kind}, ${row.path},
          ${row.tool}, ${row.toolVersion}, ${row.act}, ${row.key === "" ? callKey(runId, "A") : row.key}, ${row.digest},
          ${row.attempt}, ${row.class}, ${row.stamp}, ${row.value}::text::json, ${row.detail}::text::json)`
    }
    yield* sql`update makegood.run set epoch = 1, state = 'running' where run_id = ${runId}::text::uuid`
    return runId
  })

const claimed: Entry = { _tag: "claimed", worker: "gone", from: "queue" }
const intended: Entry = {
  _tag: "intended",
  path: "A",
  tool: "A",
  toolVersion: 1,
  act: "reversible",
  key: "",
  digest: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
  value: "{}"
}
const attempted: Entry = { _tag: "attempted", path: "A", attempt: 2 }
const didNotHappen: Entry = { _tag: "settled", path: "A", how: "lookup", happened: false }

/** How long after `from` the lookup's none was counted, in milliseconds. */
const settledAfter = (runId: string, from: "intended" | "attempted") =>
  Effect.map(
    Stage.rows<{ ms: number }>(
      `select extract(epoch from s.at - i.at)::float8 * 1000 as ms from makegood.entry s, makegood.entry i
      where s.run_id = '${runId}' and i.run_id = s.run_id and i.kind = '${from}' and s.kind = 'settled'
        and s.seq > i.seq and i.seq = (select max(seq) from makegood.entry e where e.run_id = i.run_id
          and e.kind = '${from}' and e.epoch = 1)
      order by s.seq limit 1`
    ),
    ([row]) => row?.ms ?? -1
  )

const lookedUp = (
  engine: Engine,
  settle: "1 second" | undefined,
  entries: ReadonlyArray<[Entry, string]>,
  from: "intended" | "attempted"
) =>
  Effect.gen(function* () {
    const A = Stage.tool(engine, "A", () => Effect.void, {
      lookup: Effect.succeed(Option.none()),
      timeout: "1 second",
      ...(settle === undefined ? {} : { settle })
    })
    const Rule = Stage.saga(engine, [A])
    const runId = yield* left(engine, Rule, entries)
    const run = yield* Stage.atRest(engine, runId).pipe(
      Effect.provide(
        Stage.working(
          engine,
          Rule.toLayer(() => A({}))
        )
      )
    )
    assert.strictEqual(run.state, "completed")
    return yield* settledAfter(runId, from)
  }).pipe(Effect.provide(Stage.postgres(engine)))

describe("Rule 11: directions of time", () => {
  claim(
    "Rule 11: none from a lookup counts only when the intent's time plus the time-out plus settle has passed (G6, G12)",
    (engine) =>
      Effect.gen(function* () {
        const after = yield* lookedUp(
          engine,
          "1 second",
          [
            [claimed, "0"],
            [intended, "500 ms"]
          ],
          "intended"
        )
        assert.isAtLeast(after, 2_000)
      }),
    without("believes the first none", "worker", "askedAt >= certainAt", "true")
  )

  claim(
    "Rule 11: settle is the time-out again where nothing is said",
    (engine) =>
      Effect.gen(function* () {
        const after = yield* lookedUp(
          engine,
          undefined,
          [
            [claimed, "0"],
            [intended, "500 ms"]
          ],
          "intended"
        )
        assert.isAtLeast(after, 2_000)
      }),
    without("takes it for nothing", "worker", "doubt.settle ?? timeout", "doubt.settle ?? Duration.zero")
  )

  claim(
    "Rule 11: after a crash in a later attempt none counts from that attempt's intent, not from the first one's",
    (engine) =>
      Effect.gen(function* () {
        const after = yield* lookedUp(
          engine,
          "1 second",
          [
            [claimed, "1 hour"],
            [intended, "1 hour"],
            [didNotHappen, "58 min"],
            [attempted, "100 ms"]
          ],
          "attempted"
        )
        assert.isAtLeast(after, 2_000)
      }),
    without(
      "counts from the first intent",
      "worker",
      "lastIntendedAt: record.attemptedAt",
      "lastIntendedAt: record.intendedAt"
    )
  )

  claim(
    "Rule 11: none counts from when the intent was committed, however long that took",
    (engine) =>
      Effect.gen(function* () {
        const A = Stage.tool(engine, "A", (call) => (call.attempt === 1 ? Effect.never : Effect.void), {
          lookup: Effect.succeed(Option.none()),
          timeout: "600 millis",
          settle: "600 millis"
        })
        const Rule = Stage.saga(engine, [A])
        const late = Stage.changed((outbox) => ({
          append: (append) =>
            Effect.andThen(
              append.entries.some(({ _tag }) => _tag === "intended") ? Effect.sleep("1500 millis") : Effect.void,
              outbox.append(append)
            )
        }))
        yield* Effect.gen(function* () {
          const { runId } = yield* Effect.flatMap(Rule.start({ id: "a" }), ({ runId }) =>
            Stage.atRest(engine, runId)
          ).pipe(
            Effect.provide(
              Stage.working(
                engine,
                Rule.toLayer(() => A({}))
              ).pipe(Layer.provide(late))
            )
          )
          assert.isAtLeast(yield* settledAfter(runId, "intended"), 1_200)
        }).pipe(Effect.provide(Stage.postgres(engine)))
      }),
    without(
      "counts from when it was asked for",
      "worker",
      "commit(desk, [intent]), () => {\n    progress.lastIntendedAt = desk.lease.now()",
      "commit(desk, [intent]), () => {"
    )
  )

  claim(
    "Rule 11: a key is sent again up to its validity less the time-out, counted from the first intent, and not after",
    (engine) =>
      Effect.gen(function* () {
        const reason = (entries: ReadonlyArray<[Entry, string]>) =>
          Effect.gen(function* () {
            const keys: Array<string> = []
            const A = Stage.tool(engine, "A", (call) => Effect.sync(() => keys.push(call.key)), {
              inDoubt: engine.index.Tool.sameKey({ validFor: "1 hour" }),
              timeout: "5 minutes"
            })
            const Rule = Stage.saga(engine, [A])
            const runId = yield* left(engine, Rule, entries)
            const run = yield* Stage.atRest(engine, runId).pipe(
              Effect.provide(
                Stage.working(
                  engine,
                  Rule.toLayer(() => A({}))
                )
              )
            )
            return run.stuck?.reason ?? `sent with the same key: ${keys[0] === callKey(runId, "A")}`
          }).pipe(Effect.provide(Stage.postgres(engine)))
        assert.strictEqual(
          yield* reason([
            [claimed, "0"],
            [intended, "54 min"]
          ]),
          "sent with the same key: true"
        )
        assert.strictEqual(
          yield* reason([
            [claimed, "0"],
            [intended, "56 min"]
          ]),
          "in_doubt"
        )
        const again: ReadonlyArray<[Entry, string]> = [
          [claimed, "0"],
          [intended, "2 hours"],
          [attempted, "1 min"]
        ]
        assert.strictEqual(yield* reason(again), "in_doubt")
      }),
    without(
      "sends it up to the last moment",
      "worker",
      "+ Duration.toMillis(validFor) - Duration.toMillis(manner.timeout)",
      "+ Duration.toMillis(validFor)"
    )
  )
})
