/**
 * What becomes of a failure: each class, under each doubt policy, forward and while rolling back.
 *
 * This is the one place where it is written down. `failures.test.ts` plays every scene of every cell against the engine,
 * and the tables of `docs/failures.md` are printed from here.
 */
import type * as Entry from "../../src/outbox/Entry.ts"
import type { State } from "../../src/saga/Runs.ts"

/** Where the failure is met. */
export const situations = ["forward", "settling", "undoing"] as const
export type Situation = (typeof situations)[number]

/** What is met: the six classes of failures, no answer in time, and a bug. */
export const failures = [
  "transient",
  "rateLimited",
  "inDoubt",
  "time-out",
  "model",
  "blocked",
  "permanent",
  "defect"
] as const
export type Met = (typeof failures)[number]

/** How a doubt is settled. */
export const policies = ["sameKey", "idempotent", "lookup", "askPerson"] as const
export type Policy = (typeof policies)[number]

/** One play: what the target does, what a person says, and all that has to be seen of it. */
export interface Scene {
  /** The failure is met at the first request only, or at every one. */
  readonly how: "once" | "always"
  /** Whether what nobody knows had happened in the world. */
  readonly happened: boolean
  /** What a person says to the stuck run. */
  readonly word?: "resume" | "happened" | "didNotHappen"
  /** How often the act was requested, looked up, and requested to be taken back. */
  readonly sent: number
  readonly looked: number
  readonly undone: number
  /** The entries of the record; those of the compensation end in `!`. */
  readonly record: ReadonlyArray<string>
  readonly stuck?: Entry.StuckReason
  readonly end: State
  readonly result?: string
  /** How many acts stand in the world at the end. */
  readonly stands: number
}

export interface Cell {
  readonly situation: Situation
  readonly met: Met
  readonly policy: Policy
  /** What happens, in words. */
  readonly says: string
  readonly scenes: ReadonlyArray<Scene>
}

/** How many attempts there are by default. */
const attempts: Readonly<Record<string, number>> = {
  transient: 8,
  rateLimited: 20,
  model: 3,
  inDoubt: 8,
  "time-out": 8
}

const isDoubt = (met: Met) => met === "inDoubt" || met === "time-out"
const sendsAgain = (policy: Policy) => policy === "sameKey" || policy === "idempotent"
const times = (count: number, ...entries: ReadonlyArray<string>) => Array.from({ length: count }, () => entries).flat()
const both = (scene: (happened: boolean) => Scene): ReadonlyArray<Scene> => [scene(true), scene(false)]

// ---- forward

const completed = { undone: 0, end: "completed", result: "done", stands: 1 } as const
const toBody = { undone: 0, end: "completed", stands: 0 } as const
const open = { undone: 0, end: "stuck" } as const

const forward = (met: Met, policy: Policy): Pick<Cell, "says" | "scenes"> => {
  const begun = ["intended"]
  const most = attempts[met] ?? 0
  if (met === "permanent") {
    return {
      says: "the failure goes to the body",
      scenes: [
        {
          how: "always",
          happened: false,
          sent: 1,
          looked: 0,
          record: [...begun, "failed", "ended"],
          ...toBody,
          result: met
        }
      ]
    }
  }
  if (met === "blocked") {
    const record = [...begun, "attempt_failed", "stuck", "told", "attempted", "succeeded", "ended"]
    return {
      says: "`stuck: blocked`; resumed, this very call is sent again",
      scenes: [
        { how: "once", happened: false, word: "resume", sent: 2, looked: 0, record, stuck: "blocked", ...completed }
      ]
    }
  }
  if (met === "defect") {
    const record = [...begun, "stuck", "told", "attempt_failed"]
    const scene = { how: "once", word: "resume", stuck: "defect" } as const
    const resumed: Readonly<Record<Policy, readonly [string, ReadonlyArray<Scene>]>> = {
      sameKey: ["settled and sent again", sentAgain(scene, record)],
      idempotent: ["settled and sent again", sentAgain(scene, record)],
      lookup: ["looked up", lookedUp(scene, record)],
      askPerson: [
        "`stuck: in_doubt`",
        both((happened) => ({
          ...scene,
          happened,
          sent: 1,
          looked: 0,
          record: [...record, "stuck"],
          ...open,
          stands: +happened
        }))
      ]
    }
    return { says: `\`stuck: defect\`; resumed it is in doubt: ${resumed[policy][0]}`, scenes: resumed[policy][1] }
  }
  if (!isDoubt(met)) {
    return {
      says: `sent again under its key, ${most} attempts; then the failure goes to the body`,
      scenes: [
        {
          how: "once",
          happened: false,
          sent: 2,
          looked: 0,
          record: [...begun, "attempt_failed", "attempted", "succeeded", "ended"],
          ...completed
        },
        {
          how: "always",
          happened: false,
          sent: most,
          looked: 0,
          record: [...begun, ...times(most - 1, "attempt_failed", "attempted"), "failed", "ended"],
          ...toBody,
          result: met
        }
      ]
    }
  }
  const once = { how: "once" } as const
  const failed = [...begun, "attempt_failed"]
  const again = times(most - 1, "attempt_failed", "settled", "attempted")
  if (sendsAgain(policy)) {
    return {
      says: `settled and sent again under its key, ${most} attempts; then \`stuck: in_doubt\``,
      scenes: [
        ...sentAgain(once, failed),
        ...both((happened): Scene => ({
          how: "always",
          happened,
          sent: most,
          looked: 0,
          record: [...begun, ...again, "attempt_failed", "stuck"],
          stuck: "in_doubt",
          ...open,
          stands: +happened
        }))
      ]
    }
  }
  if (policy === "lookup") {
    const unanswered = [...begun, ...again, "attempt_failed", "settled"]
    const never = { how: "always", happened: false, sent: most, looked: 2 * most } as const
    return {
      says:
        "looked up: found, that is the outcome; not found, late enough, sent again under its key, " +
        `${most} attempts; then ${met === "inDoubt" ? "the failure goes to the body" : "`stuck: blocked`"}`,
      scenes: [
        ...lookedUp(once, failed),
        met === "inDoubt"
          ? { ...never, record: [...unanswered, "failed", "ended"], ...toBody, result: met }
          : { ...never, record: [...unanswered, "stuck"], stuck: "blocked", ...open, stands: 0 }
      ]
    }
  }
  return {
    says: "`stuck: in_doubt`; a person says whether it happened; if not, it is sent again",
    scenes: asked(once, failed)
  }
}

type Begun = Pick<Scene, "how"> & Partial<Scene>

/** A doubt that ends with a second request under the same key, whichever it was. */
const sentAgain = (scene: Begun, record: ReadonlyArray<string>): ReadonlyArray<Scene> =>
  both((happened) => ({
    sent: 2,
    looked: 0,
    ...scene,
    happened,
    record: [...record, "settled", "attempted", "succeeded", "ended"],
    ...completed
  }))

/** A doubt that ends with what the target says; that it finds nothing is asked twice, the second time late enough. */
const lookedUp = (scene: Begun, record: ReadonlyArray<string>): ReadonlyArray<Scene> => [
  { ...scene, happened: true, sent: 1, looked: 1, record: [...record, "succeeded", "ended"], ...completed },
  {
    ...scene,
    happened: false,
    sent: 2,
    looked: 2,
    record: [...record, "settled", "attempted", "succeeded", "ended"],
    ...completed
  }
]

/** A doubt that ends with what a person says. */
const asked = (scene: Begun, record: ReadonlyArray<string>): ReadonlyArray<Scene> => [
  {
    ...scene,
    happened: true,
    word: "happened",
    sent: 1,
    looked: 0,
    record: [...record, "stuck", "told", "succeeded", "ended"],
    stuck: "in_doubt",
    ...completed
  },
  {
    ...scene,
    happened: false,
    word: "didNotHappen",
    sent: 2,
    looked: 0,
    record: [...record, "stuck", "told", "settled", "attempted", "succeeded", "ended"],
    stuck: "in_doubt",
    ...completed
  }
]

// ---- back: a call of which nobody knows whether it happened

const back = { end: "rolled_back", stands: 0 } as const
const takenBack = ["intended!", "succeeded!", "ended"]

const settling = (met: Met, policy: Policy): Pick<Cell, "says" | "scenes"> => {
  const begun = ["intended", "rollback_began"]
  const most = attempts[met] ?? 0
  if (policy === "askPerson") {
    const stuck = { how: "always", sent: 0, looked: 0, stuck: "in_doubt", ...back } as const
    return {
      says: "nothing is sent: `stuck: in_doubt`; a person says whether it happened; if so, it is taken back",
      scenes: [
        {
          ...stuck,
          happened: true,
          word: "happened",
          undone: 1,
          record: [...begun, "stuck", "told", "succeeded", ...takenBack]
        },
        {
          ...stuck,
          happened: false,
          word: "didNotHappen",
          undone: 0,
          record: [...begun, "stuck", "told", "settled", "ended"]
        }
      ]
    }
  }
  const doubted = [...begun, "attempt_failed"]
  if (policy === "lookup") {
    const found = [...doubted, "succeeded", ...takenBack]
    const absent = [...doubted, "settled", "failed", "ended"]
    // Met at the first lookup, so that there is one more than there would be.
    const answered = (scene: Partial<Scene>, before: ReadonlyArray<string> = []): ReadonlyArray<Scene> => {
      const [, , ...rest] = found
      const [, , ...none] = absent
      const shared = { how: "once", sent: 0, ...scene, ...back } as const
      const start = before.length === 0 ? begun : [...doubted, ...before]
      const skip = before.length === 0 ? 0 : 1
      return [
        { ...shared, happened: true, looked: 2, undone: 1, record: [...start, ...rest.slice(skip)] },
        { ...shared, happened: false, looked: 3, undone: 0, record: [...start, ...none.slice(skip)] }
      ]
    }
    const then = "found, it is taken back; not found, late enough, nothing is"
    if (met === "blocked" || met === "permanent" || met === "defect") {
      const reason = met === "permanent" ? "in_doubt" : met
      return {
        says: `of the lookup: \`stuck: ${reason}\`; resumed it is looked up again: ${then}`,
        scenes: answered({ word: "resume", stuck: reason }, ["stuck", "told"])
      }
    }
    const never = both((happened): Scene => ({
      how: "always",
      happened,
      sent: 0,
      looked: 8,
      undone: 0,
      record: [...doubted, "stuck"],
      stuck: "in_doubt",
      end: "stuck",
      stands: +happened
    }))
    return {
      says: `of the lookup: looked up again, 8 times: ${then}; then \`stuck: in_doubt\``,
      scenes: [...answered({}), ...never]
    }
  }
  const sent = [...doubted, "settled", "attempted"]
  const again = ["attempt_failed", "settled", "attempted"]
  const shared = { how: "once", looked: 0, ...back } as const
  const rest = ["settled", "attempted", "succeeded", ...takenBack]
  if (met === "permanent") {
    return {
      says: "settled and sent again under its key; refused for good, there is nothing to take back",
      scenes: [{ ...shared, happened: false, sent: 1, undone: 0, record: [...sent, "failed", "ended"] }]
    }
  }
  if (met === "blocked" || met === "defect") {
    const told = met === "blocked" ? ["attempt_failed", "stuck", "told"] : ["stuck", "told", "attempt_failed"]
    return {
      says: `settled and sent again under its key; \`stuck: ${met}\`; resumed again, and then it is taken back`,
      scenes: both((happened) => ({
        ...shared,
        happened,
        word: "resume",
        stuck: met,
        sent: 2,
        undone: 1,
        record: [...sent, ...told, ...rest]
      }))
    }
  }
  // That the worker died was the first of its doubts.
  const left = isDoubt(met) ? most - 1 : most
  return {
    says: `settled and sent again under its key, ${left} attempts, and then taken back; else \`stuck: in_doubt\``,
    scenes: [
      ...both((happened): Scene => ({
        ...shared,
        happened,
        sent: 2,
        undone: 1,
        record: [...sent, "attempt_failed", ...rest]
      })),
      ...both((happened): Scene => ({
        ...shared,
        how: "always",
        happened,
        sent: left,
        undone: 0,
        record: [...sent, ...times(left - 1, ...again), "attempt_failed", "stuck"],
        stuck: "in_doubt",
        end: "stuck",
        stands: +(happened || isDoubt(met))
      }))
    ]
  }
}

// ---- back: the compensation of a call that happened

const undoing = (met: Met, policy: Policy): Pick<Cell, "says" | "scenes"> => {
  const begun = ["intended", "succeeded", "rollback_began", "intended!"]
  const most = attempts[met] ?? 0
  const shared = { how: "once", sent: 0, looked: 0, ...back } as const
  const done = ["attempted!", "succeeded!", "ended"]
  const open = { ...shared, how: "always", end: "stuck", stands: 1 } as const
  if (met === "permanent" || met === "blocked") {
    const record = [...begun, "attempt_failed!", "stuck", "told", ...done]
    return {
      says: "`stuck: compensation_failed`; resumed it is sent again",
      scenes: [{ ...shared, happened: false, word: "resume", stuck: "compensation_failed", undone: 2, record }]
    }
  }
  if (met === "defect" || isDoubt(met)) {
    const isBug = met === "defect"
    const failed = isBug ? [...begun, "stuck", "told", "attempt_failed!"] : [...begun, "attempt_failed!"]
    const scene = isBug ? { ...shared, word: "resume" as const, stuck: "defect" as const } : shared
    const bug = isBug ? "`stuck: defect`; resumed it is in doubt: " : ""
    const again = times(most - 1, "attempt_failed!", "settled!", "attempted!")
    if (sendsAgain(policy)) {
      const never = both((happened): Scene => ({
        ...open,
        happened,
        undone: most,
        record: [...begun, ...again, "attempt_failed!", "stuck"],
        stuck: "in_doubt",
        stands: +!happened
      }))
      return {
        says: `${bug}settled and sent again under its key${isBug ? "" : `, ${most} attempts; then \`stuck: in_doubt\``}`,
        scenes: [
          ...both((happened) => ({ ...scene, happened, undone: 2, record: [...failed, "settled!", ...done] })),
          ...(isBug ? [] : never)
        ]
      }
    }
    if (policy === "lookup") {
      const never: Scene = {
        ...open,
        happened: false,
        looked: 2 * most,
        undone: most,
        record: [...begun, ...again, "attempt_failed!", "settled!", "stuck"],
        stuck: "compensation_failed"
      }
      return {
        says:
          `${bug}looked up: found, it is done; not found, late enough, sent again under its key` +
          (isBug ? "" : `, ${most} attempts; then \`stuck: compensation_failed\``),
        scenes: [
          { ...scene, happened: true, looked: 1, undone: 1, record: [...failed, "succeeded!", "ended"] },
          { ...scene, happened: false, looked: 2, undone: 2, record: [...failed, "settled!", ...done] },
          ...(isBug ? [] : [never])
        ]
      }
    }
    if (isBug) {
      return {
        says: `${bug}\`stuck: in_doubt\``,
        scenes: both((happened) => ({
          ...scene,
          happened,
          undone: 1,
          record: [...failed, "stuck"],
          end: "stuck",
          stands: +!happened
        }))
      }
    }
    return {
      says: "`stuck: in_doubt`; a person says whether it was taken back; if not, it is sent again",
      scenes: [
        {
          ...scene,
          happened: true,
          word: "happened",
          stuck: "in_doubt",
          undone: 1,
          record: [...failed, "stuck", "told", "succeeded!", "ended"]
        },
        {
          ...scene,
          happened: false,
          word: "didNotHappen",
          stuck: "in_doubt",
          undone: 2,
          record: [...failed, "stuck", "told", "settled!", ...done]
        }
      ]
    }
  }
  return {
    says: `sent again under its key, ${most} attempts; then \`stuck: compensation_failed\``,
    scenes: [
      { ...shared, happened: false, undone: 2, record: [...begun, "attempt_failed!", ...done] },
      {
        ...open,
        happened: false,
        undone: most,
        record: [...begun, ...times(most - 1, "attempt_failed!", "attempted!"), "attempt_failed!", "stuck"],
        stuck: "compensation_failed"
      }
    ]
  }
}

const columns = { forward, settling, undoing } as const

/** All of them. */
export const cells: ReadonlyArray<Cell> = situations.flatMap((situation) =>
  failures.flatMap((met) => policies.map((policy) => ({ situation, met, policy, ...columns[situation](met, policy) })))
)
