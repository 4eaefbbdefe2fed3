/** What a test of a saga fails with: printed so that it says what happened, and how to see it again. */
import { Schema } from "effect"

/** What Node's own runner shows of an error. */
const inspected = Symbol.for("nodejs.util.inspect.custom")

/** A scenario in which a saga was not made good. The message holds its history. */
export class NotMadeGood extends Schema.TaggedError<NotMadeGood>()("NotMadeGood", {
  saga: Schema.String,
  /** How many scenarios were tried, and how many of them went wrong. */
  scenarios: Schema.Int,
  failed: Schema.Int,
  /** What is wrong in the shortest of them. */
  wrongs: Schema.Array(Schema.String),
  /** That one in full: what went wrong, and the outbox beside the world. */
  history: Schema.String,
  /** The line that plays it again. */
  replay: Schema.String
}) {
  override get message() {
    return (
      `${this.saga} is not made good in ${this.failed} of the ${this.scenarios} scenarios that were tried. ` +
      `Those with more mishaps were not tried any more. The shortest is shown: mend it, and run this again.\n\n${this.history}\n`
    )
  }
  [inspected](): string {
    return `NotMadeGood: ${this.message}`
  }
}

/** A run that is not as a test says. */
export class Unexpected extends Schema.TaggedError<Unexpected>()("Unexpected", {
  /** What was said of the run. */
  claim: Schema.String,
  /** What it is instead. */
  found: Schema.String,
  /** The outbox beside the world. */
  timeLine: Schema.String
}) {
  override get message() {
    return `${this.claim}, the test says; ${this.found}. Nothing was changed. This is what happened:\n\n${this.timeLine}\n`
  }
  [inspected](): string {
    return `Unexpected: ${this.message}`
  }
}
