/** The outbox's transactions, as the statements that they are, aimed at a scene. */
import type { Append, Change, NewRun } from "../../src/outbox/Outbox.ts"
import type { Statement } from "../../src/postgres/internal/connections.ts"
import { appendAlone } from "../../src/postgres/queries/append-alone.ts"
import { appendCarefully, appendEntries, prepare } from "../../src/postgres/queries/append-entries.ts"
import { buryWorkers } from "../../src/postgres/queries/bury-workers.ts"
import { claimRuns } from "../../src/postgres/queries/claim-runs.ts"
import { prolongLease } from "../../src/postgres/queries/prolong-lease.ts"
import { reclaimRun } from "../../src/postgres/queries/reclaim-run.ts"
import { releaseRuns } from "../../src/postgres/queries/release-runs.ts"
import { removeRuns } from "../../src/postgres/queries/remove-runs.ts"
import { retireWorker } from "../../src/postgres/queries/retire-worker.ts"
import { sendMessage } from "../../src/postgres/queries/send-message.ts"
import { startAlone } from "../../src/postgres/queries/start-alone.ts"
import { begin, startRuns } from "../../src/postgres/queries/start-runs.ts"
import { tryLocks, waitForLocks } from "../../src/postgres/queries/take-locks.ts"
import type { Scene } from "./Scene.ts"

export interface Operation {
  readonly name: string
  readonly statement: (scene: Scene) => Statement<unknown>
  /** The id of the append that it is, where it is one. */
  readonly append?: number
  /** After it, the first worker writes nothing any more. */
  readonly silences?: (scene: Scene) => boolean
}

const change = (state: Change["state"], given: Partial<Change> = {}): Change => ({
  state,
  phase: "forward",
  stuckReason: undefined,
  wakeAt: undefined,
  result: undefined,
  ...given
})

const append = ({ first, run, seq }: Scene, appendId: number, given: Partial<Append> = {}): Append => ({
  runId: run,
  worker: first,
  epoch: 1,
  appendId,
  seq,
  entries: [
    { _tag: "recorded", path: "a", value: "1", stamp: 0 },
    { _tag: "recorded", path: "b", value: "1", stamp: 0 }
  ],
  change: undefined,
  consumed: [],
  atGate: true,
  ...given
})

const ended = { _tag: "ended", state: "completed", value: "1" } as const
const completed = { entries: [ended], change: change("completed", { result: "1" }) }

const beginning = (scene: Scene, runId: string, given: Partial<NewRun> = {}) => {
  const run: NewRun = {
    runId,
    saga: scene.saga,
    version: 1,
    key: runId,
    generation: 0,
    payload: "{}",
    payloadDigest: "d",
    attributes: {},
    worker: undefined,
    ...given
  }
  return begin(run, [])
}

const signal = { message: "signal", by: "b", name: "N" } as const
const asked = (scene: Scene, worker: string) => ({ worker, sagas: [{ name: scene.saga, version: 1 }], limit: 10 })
const lock = (scene: Scene, runId: string) => ({ runId, path: "L!lock", keys: [`k${scene.saga}`], waits: true })

export const all: ReadonlyArray<Operation> = [
  { name: "start", statement: (s) => startAlone(beginning(s, s.fresh, { worker: s.first })) },
  { name: "start elsewhere", statement: (s) => startRuns([beginning(s, s.fresh, { worker: s.second })]) },
  { name: "start a child", statement: (s) => startRuns([beginning(s, s.fresh, { parent: s.run })]) },
  { name: "undo", statement: (s) => startRuns([beginning(s, s.fresh, { undoes: s.ended })]) },
  { name: "claim", statement: (s) => claimRuns(asked(s, s.second)) },
  { name: "claim by the first", statement: (s) => claimRuns(asked(s, s.first)) },
  { name: "heartbeat", statement: (s) => prolongLease({ id: s.first, leaseMillis: 3_600_000 }) },
  { name: "bury", statement: () => buryWorkers, silences: ({ name }) => name === "expired" },
  { name: "retire", statement: (s) => retireWorker(s.first), silences: () => true },
  {
    name: "release",
    statement: (s) => releaseRuns(s.first, [{ runId: s.run, epoch: 1 }]),
    silences: ({ name }) => name === "live" || name === "expired"
  },
  { name: "reclaim", statement: (s) => reclaimRun(s.first, { runId: s.run, epoch: 1 }) },
  { name: "append", statement: (s) => appendAlone(prepare(append(s, 1))), append: 1 },
  { name: "append of a zombie", statement: (s) => appendAlone(prepare(append(s, 2))), append: 2 },
  { name: "append carefully", statement: (s) => appendCarefully([prepare(append(s, 3))]), append: 3 },
  {
    name: "append of several runs",
    statement: (s) => appendEntries([prepare(append(s, 4)), prepare(append(s, 4, { runId: s.child, seq: 1 }))]),
    append: 4
  },
  {
    name: "take a message",
    statement: (s) =>
      appendEntries([prepare(append(s, 5, { entries: [{ _tag: "told", id: "m0", ...signal }], consumed: ["m0"] }))]),
    append: 5
  },
  {
    name: "rest",
    statement: (s) => appendAlone(prepare(append(s, 6, { entries: [{ _tag: "rested" }], change: change("waiting") }))),
    append: 6
  },
  { name: "end", statement: (s) => appendAlone(prepare(append(s, 7, completed))), append: 7 },
  {
    name: "end of the child",
    statement: (s) => appendEntries([prepare(append(s, 8, { ...completed, runId: s.child, seq: 1 }))]),
    append: 8
  },
  {
    name: "end of the other",
    statement: (s) => appendAlone(prepare(append(s, 9, { ...completed, runId: s.other, worker: s.second, seq: 1 }))),
    append: 9
  },
  { name: "send", statement: (s) => sendMessage({ id: "m1", runId: s.run, told: signal }) },
  { name: "send again", statement: (s) => sendMessage({ id: "m0", runId: s.run, told: signal }) },
  { name: "send to what ended", statement: (s) => sendMessage({ id: "m1", runId: s.ended, told: signal }) },
  { name: "remove", statement: (s) => removeRuns([s.ended], { olderThanMillis: 60_000 }) },
  { name: "lock", statement: (s) => tryLocks(lock(s, s.run)) },
  { name: "wait for a lock", statement: (s) => waitForLocks(lock(s, s.run)) },
  { name: "wait for a lock, the other", statement: (s) => waitForLocks(lock(s, s.other)) }
]
