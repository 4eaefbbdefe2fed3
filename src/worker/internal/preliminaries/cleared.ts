/** What a preliminary comes to, beside an ending: nothing stands before the call, or it is refused. */
import { Effect, Result } from "effect"
import * as Value from "../../../outbox/internal/value.ts"
import { type Desk, type Ending, isCompensation, type Job, stuck } from "../progress.ts"

/** Nothing stands before the call any more; a decision may have changed what is sent. */
export interface Cleared {
  readonly _tag: "cleared"
  readonly job: Job
}

/** Whether a tool's word can name something among all runs: a text of 1 to 500 characters without NUL. */
export const isKey = (key: unknown): boolean =>
  typeof key === "string" && key.length > 0 && key.length <= 500 && key.isWellFormed() && !key.includes("\0")

export const cleared = (job: Job): Cleared => ({ _tag: "cleared", job })

/**
 * Records that the call was refused before anything was sent: its failure is the body's. A compensation, and a call
 * whose tool does not know this refusal, waits for a person.
 */
export const refused = (desk: Desk, job: Job, failure: Error): Effect.Effect<Ending> =>
  Effect.sync(() => {
    const { intent, tool } = job
    const { path } = intent
    if (isCompensation(intent)) return stuck("compensation_failed", path, `${failure.message} ${again}`)
    const encoded = Value.codec(tool.failure).encode(failure, `the refusal of ${path}`)
    if (Result.isFailure(encoded)) return stuck("blocked", path, `${failure.message} ${again}`)
    const stamp = desk.stamp()
    desk.placed(path)
    desk.pen.write(
      [
        intent,
        {
          _tag: "failed",
          path,
          class: "permanent",
          value: encoded.success.text,
          why: "It was refused before anything was sent.",
          stamp
        }
      ],
      "soon"
    )
    return { _tag: "failed", failure: encoded.success.value, stamp }
  })

const again = "Resume the run to have it asked for again, or cancel it to take it back."
