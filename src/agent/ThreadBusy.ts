/** What a thread says to a message that is not to wait. */
import { Schema } from "effect"

/** The thread has an open turn, and the message was to be rejected then. */
export class ThreadBusy extends Schema.TaggedError<ThreadBusy>()("ThreadBusy", {
  thread: Schema.String,
  turn: Schema.Int,
  runId: Schema.String
}) {
  override get message() {
    return (
      `Turn ${this.turn} of the thread ${this.thread} is open (run ${this.runId}). The message was not taken. ` +
      'Send it later, or with whenBusy "queue" or "interrupt".'
    )
  }
}
