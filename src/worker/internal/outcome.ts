/** The ends of a call's life, as they are recorded (G5). */
import { Cause, Exit, Result } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Value from "../../outbox/internal/value.ts"
import type { SagaDefinition } from "../../saga/internal/engine.ts"
import { type Desk, type Ending, type Job, type Progress, stuck, withPending } from "./progress.ts"

/** What a body ended with, as it is recorded. */
export const resultOf = ({ error, name, success }: SagaDefinition, exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit)
    ? Value.codec(success).encode(exit.value, `the result of ${name}`)
    : Value.codec(error).encode(Cause.squash(exit.cause), `the failure of ${name}`)

/** Records that it happened. A result that cannot be kept does not lose the act. */
export const succeeded = (
  desk: Desk,
  job: Job,
  progress: Progress,
  result: unknown,
  how: "executed" | "lookup"
): Ending => {
  const { path } = job.intent
  const stamp = desk.stamp()
  const entry = (value: string | undefined): ReadonlyArray<Entry.Entry> =>
    withPending(progress, { _tag: "succeeded", path, how, stamp, ...(value === undefined ? {} : { value }) })
  desk.placed(path)
  if (job.success === undefined) {
    desk.pen.write(entry("null"), "soon")
    return { _tag: "succeeded", value: undefined, stamp }
  }
  const encoded = Value.codec(job.success).encode(result, `the result of ${path}`, { maxBytes: desk.maxValueBytes })
  if (Result.isFailure(encoded)) {
    desk.pen.write(entry(undefined), "now")
    return stuck("undecodable", path, `It happened, but ${encoded.failure.message}`)
  }
  desk.pen.write(entry(encoded.success.text), urgencyOf(job))
  return { _tag: "succeeded", value: encoded.success.value, stamp }
}

/** How long the outcome of a call may wait for company. */
const urgencyOf = ({ intent, manner }: Job): "now" | "soon" | "later" => {
  if (intent.act === "query") return "later"
  return intent.act === "model" || manner.doubt._tag === "askPerson" ? "now" : "soon"
}

/** Records that it certainly did not happen and is not tried again; `failure` is what the body gets to see. */
export const failed = (
  desk: Desk,
  job: Job,
  progress: Progress,
  how: {
    readonly class: Entry.Class
    readonly text: string | undefined
    readonly failure: unknown
    readonly why?: string
    readonly entries?: ReadonlyArray<Entry.Entry>
  }
): Ending => {
  const stamp = desk.stamp()
  const entry: Entry.Failed = {
    _tag: "failed",
    path: job.intent.path,
    class: how.class,
    stamp,
    ...(how.text === undefined ? {} : { value: how.text }),
    ...(how.why === undefined ? {} : { why: how.why })
  }
  desk.placed(job.intent.path)
  desk.pen.write(withPending(progress, ...(how.entries ?? []), entry), job.intent.act === "query" ? "later" : "soon")
  return { _tag: "failed", failure: how.failure, stamp }
}

/** The scope was given up, and the call certainly did not happen. */
export const givenUp = (desk: Desk, job: Job, progress: Progress, settling: ReadonlyArray<Entry.Entry>): Ending => {
  const last = progress.failures.at(-1)
  return failed(desk, job, progress, {
    class: last?.class ?? "transient",
    text: last?.text,
    failure: progress.previousFailure,
    why: "It was not tried again, since its branch was given up.",
    entries: settling
  })
}
