/**
 * Bugs of peers, planted in our own engine: as changes of its source, with the test that finds each.
 *
 * Found `by` a rule: the violation stands in `test/rules`, beside the test that has to see it. By the simulation or the
 * interleavings: `mutants.test.ts` plays these on the changed engine, as CI plays them on the true one.
 */
import type { Change } from "../rules/Mutant.ts"

export interface Planted {
  /** As `docs/planted-bugs.md` counts them. */
  readonly id: string
  readonly peers: string
  /** What happened there. */
  readonly there: string
  /** What the changed engine does. */
  readonly here: string
  readonly by:
    | { readonly _tag: "rule"; readonly file: string; readonly violation: string }
    | { readonly _tag: "simulation" | "interleavings"; readonly changes: ReadonlyArray<Change> }
}

const rule = (file: string, violation: string): Planted["by"] => ({ _tag: "rule", file, violation })

const simulation = (under: string, from: string, to: string, times = 1): Planted["by"] => ({
  _tag: "simulation",
  changes: [{ under, from, to, times }]
})

const interleavings = (under: string, from: string, to: string, times = 1): Planted["by"] => ({
  _tag: "interleavings",
  changes: [{ under, from, to, times }]
})

export const all: ReadonlyArray<Planted> = [
  {
    id: "B01",
    peers: "riverqueue/river#1302",
    there: "the rescuer updates a job by its id alone, and a completed one is retried",
    here: "gives runs back by their ids, whoever holds them by now",
    by: interleavings(
      "postgres/queries/release-runs.ts",
      "where r.owner = $1 and r.epoch = a.epoch",
      "where $1 is not null"
    )
  },
  {
    id: "B02",
    peers: "dbos-transact-py#716",
    there: "recovery is a one-off at start: what it misses is pending for ever",
    here: "looks for dead workers once, when it starts",
    by: simulation("worker", "[outbox.bury,", "[serial++ === 0 ? outbox.bury : Effect.void,")
  },
  {
    id: "B03",
    peers: "dbos-transact-py#742",
    there: "who loses the race for a workflow executes it all the same",
    here: "goes on when its lease is over and the outbox says that another holds the run",
    by: {
      _tag: "simulation",
      changes: [
        {
          under: "worker",
          from: 'if (appended?._tag === "fenced") return lost("Another worker holds it.")',
          to: 'if (appended?._tag === "fenced") return callbacks.forEach((committed) => committed(lease.now()))'
        },
        {
          under: "worker",
          from: "desk.lease.isOver() ? Effect.fail(new LeaseOver())",
          to: "false ? Effect.fail(new LeaseOver())"
        },
        { under: "worker", from: 'if (lease.isOver()) putAllDown("its lease was over")', to: "" },
        { under: "worker", from: "if (run.missed >= 2) run.incarnation.putDown()", to: "" },
        { under: "worker", from: 'putAllDown("its lease was over and it was declared dead")', to: "" }
      ]
    }
  },
  {
    id: "B04",
    peers: "dbos-transact-py#804",
    there: "a process that is being replaced claims work under the id of its successor",
    here: "registers anew under the id that was declared dead",
    by: rule("05-expiry.test.ts", "keeps its id")
  },
  {
    id: "B06",
    peers: "dbos-transact-ts#725",
    there: "a second start under one id breaks the first",
    here: "hands a run that is there to whoever starts it again",
    by: interleavings(
      "postgres/queries/start-runs.ts",
      "on conflict (run_id) do nothing",
      "on conflict (run_id) do update set owner = excluded.owner, wake_at = null, state = 'running', epoch = 1"
    )
  },
  {
    id: "B07",
    peers: "dbos-transact-ts#1205, #1206",
    there: "two recoveries of one workflow see different results",
    here: "makes recorded values anew on replay",
    by: simulation("worker/internal/scope.ts", 'recorded._tag === "value" ||', "")
  },
  {
    id: "B08",
    peers: "dbos (workers.io)",
    there: "retention removes what a live workflow still needs",
    here: "removes what is old, whoever is about to take it back",
    by: interleavings(
      "postgres/queries/remove-runs.ts",
      "where makegood.is_expired(l.run_id, makegood.now() - $2 * interval '1 millisecond')",
      "where true"
    )
  },
  {
    id: "B09",
    peers: "Effect-TS/effect#6508",
    there: "a SQL call that is never answered holds up the loop that keeps a runner's claims",
    here: "waits for an answer as long as it takes",
    by: rule("10-claims.test.ts", "waits as long as it takes")
  },
  {
    id: "B12",
    peers: "LionSR/TeXRA#12081",
    there: "the second invocation of a step gets the first one's result",
    here: "gives the second step of a name the path of the first",
    by: simulation("outbox/Path.ts", "nth === 1 ? name : `${name}~${nth}`", "nth < 0 ? String(nth) : name")
  },
  {
    id: "B13",
    peers: "discovery-ukraine/saga-lara-flow#64",
    there: "a stale resume runs the whole rollback again: every compensation twice",
    here: "takes back what was taken back",
    by: simulation(
      "saga/Rollback.ts",
      'if (isCompensated(call)) return { _tag: "compensated", call }',
      'if (isCompensated(call)) return { _tag: "compensate", call: { ...call, compensation: undefined } }'
    )
  },
  {
    id: "B14",
    peers: "temporalio/sdk-java#305",
    there: "the cancellation of a workflow cancels its compensations",
    here: "gives compensations up as it does calls",
    by: simulation("worker/internal/incarnation.ts", 'Rollback.isForward(path) ? "giveUp" : "on"', '"giveUp"')
  },
  {
    id: "B14a",
    peers: "skill-temporal-developer#43",
    there: "a compensation is registered after its activity: it is lost in a crash between them",
    here: "takes nothing back of which it has no outcome",
    by: simulation(
      "saga/Rollback.ts",
      'return isInDoubt(call) ? { _tag: "settle", call } : { _tag: "nothing", call }',
      'return { _tag: "nothing", call }'
    )
  },
  {
    id: "B15",
    peers: "temporalio/temporal#1069, #1267, #6638",
    there: "values that are too large corrupt a history, or end it",
    here: "holds a call for not done whose result cannot be kept",
    by: rule("14-values.test.ts", "holds what cannot be kept for not done")
  },
  {
    id: "B16",
    peers: "oban-bg/oban#137",
    there: "a job that crashes its worker is run 32 times, with one attempt allowed",
    here: "claims what kills its workers for ever",
    by: rule("12-poison.test.ts", "never gives up")
  },
  {
    id: "B17",
    peers: "oban-bg/oban#493, bullmq#4729, pg-boss#850, graphile/worker#541",
    there: "the listener is silently dead, and nothing is found for hours",
    here: "looks for work only when told",
    by: rule("09-inbox.test.ts", "looks for work only when told")
  },
  {
    id: "B18",
    peers: "graphile/worker#592",
    there: "the database is away for an instant, and the pool lives on without workers",
    here: "ends a worker's loops at the first error",
    by: simulation(
      "worker/internal/pool.ts",
      "Effect.catchCause(effect, (cause) => Effect.logWarning(`${what} failed; it is tried again.`, cause))",
      "Effect.catchCause(effect, () => Effect.never as Effect.Effect<void>)"
    )
  },
  {
    id: "B19",
    peers: "graphile/worker#449, #254",
    there: "after a failover workers go on as if they were still known, and nothing is ever taken again",
    here: "does not register anew when it finds itself dead",
    by: simulation("worker", "      lease = yield* register\n", "")
  },
  {
    id: "B20",
    peers: "pg-boss#555",
    there: "an expired job runs on while its retry starts",
    here: "lets a call run on when the lease is over",
    by: rule("06-deadlines.test.ts", "lets it run on")
  },
  {
    id: "B21",
    peers: "pg-boss#832, #282, #133",
    there: "statements deadlock with live workers",
    here: "claims runs in another order than it writes them",
    by: rule("03-appends.test.ts", "claims in the opposite order")
  },
  {
    id: "B22",
    peers: "azure-functions-durable-extension#382, durabletask#410, #730",
    there: "a lease is stolen, and the conflict is found after the side effects",
    here: "does not look at its lease before a call",
    by: rule("06-deadlines.test.ts", "does not look before a call")
  },
  {
    id: "B22a",
    peers: "the same",
    there: "what looks expired is taken from who still works on it",
    here: "takes runs of workers whose lease it sees over, declared dead or not",
    by: rule("05-expiry.test.ts", "takes from workers whose lease it sees over")
  },
  {
    id: "B23",
    peers: "inngest#4897, #2775, #2907",
    there: "of steps side by side one fails, and the others go on; what handles failures runs twice",
    here: "lets branches go on whose sibling failed",
    by: simulation(
      "worker/internal/stage.ts",
      "      group.failure = exit\n      for (const sibling of group.scopes) giveUp(sibling)",
      "      group.failure = exit"
    )
  },
  {
    id: "B24",
    peers: "vercel/workflow#1531",
    there: "a message is acknowledged before what it asks for is done, and nothing asks again",
    here: "takes messages out of the inbox and does not write them down",
    by: simulation(
      "worker/internal/pen.ts",
      '      write(added, "now", committed)\n    },\n    turn:',
      '      write(added.filter((entry) => entry._tag !== "told" || entry.message !== "child"), "now", committed)\n    },\n    turn:'
    )
  },
  {
    id: "B25",
    peers: "kestra#10326",
    there: "an output with NUL leaves its execution running for ever",
    here: "keeps texts as jsonb does",
    by: rule("14-values.test.ts", "keeps texts as jsonb does")
  },
  {
    id: "B27",
    peers: "multica#4485, aikirun/aiki#203",
    there: "one clock selects what is due and another one advances it",
    here: "fires timers by a clock of its own, that is five seconds ahead",
    by: simulation("wait/internal/waiting.ts", "now >= wait.asked.until", "now + 5_000 >= wait.asked.until")
  },
  {
    id: "B28",
    peers: "aegra#547, lion-reader#917, imtms/tagent-core#56",
    there: "who holds a lease that is over still renews it and completes",
    here: "writes for a worker whose lease is over",
    by: rule("04-epochs.test.ts", "does not look at the lease")
  },
  {
    id: "B28a",
    peers: "the same",
    there: "the owner's name is the fence",
    here: "lets the row of a run follow whoever writes to it",
    by: interleavings(
      "postgres/queries/append-alone.ts",
      'where run_id = $1 and (epoch = $3 and owner = $5) is true and ${isLive("$5")} and ${follows("$1", "$2")}',
      "where run_id = $1 and $3::int is not null and $5::text is not null"
    )
  },
  {
    id: "B32",
    peers: "inngest (2026-04-15)",
    there: "one message that cannot be read has all of its window sent back",
    here: "fails a batch of appends as a whole",
    by: rule("03-appends.test.ts", "fails a batch as a whole")
  }
]
