/**
 * A run as a document: its row, its whole record, and the messages on their way to it, as one line of JSON.
 *
 * For keeping what retention removes, and for looking at a run on another machine. Values stay the JSON text that they
 * are in the record, so that a document holds exactly what was recorded. It is not encrypted.
 */
import { Effect, Option, Schema } from "effect"
import * as Entry from "./Entry.ts"
import { isEnd, Outbox } from "./Outbox.ts"
import type { OutboxError, Restored, Run } from "./Outbox.ts"

/** The version of the document; one of another version is refused, not guessed at. */
export const format = 1

const RunFields = Schema.Struct({
  runId: Schema.String,
  saga: Schema.String,
  version: Schema.Int,
  key: Schema.String,
  generation: Schema.Int,
  state: Schema.Literals(["pending", "running", "waiting", "stuck", "completed", "rolled_back", "partly_rolled_back"]),
  phase: Schema.Literals(["forward", "savepoint_rollback", "rollback"]),
  stuckReason: Schema.optionalKey(Entry.StuckReason),
  payload: Schema.String,
  payloadDigest: Schema.String,
  attributes: Schema.Record(Schema.String, Schema.String),
  epoch: Schema.Int,
  owner: Schema.optionalKey(Schema.String),
  createdAt: Schema.Finite,
  changedAt: Schema.Finite,
  wakeAt: Schema.optionalKey(Schema.Finite),
  deadline: Schema.optionalKey(Schema.Finite),
  parent: Schema.optionalKey(Schema.String),
  undoes: Schema.optionalKey(Schema.String),
  result: Schema.optionalKey(Schema.String)
})

const { _tag, id, ...toldFields } = Entry.Told.fields

const Fields = Schema.Struct({
  makegood: Schema.Literal(format),
  run: RunFields,
  entries: Schema.Array(Schema.Struct({ seq: Schema.Int, epoch: Schema.Int, at: Schema.Finite, entry: Entry.Entry })),
  inbox: Schema.Array(Schema.Struct({ id, runId: Schema.String, told: Schema.Struct(toldFields) }))
})

/** A run with all that is kept of it. */
export interface Document extends Restored {
  readonly inbox: ReadonlyArray<{ readonly id: string; readonly runId: string; readonly told: object }>
}

/** A text that is no document of a run, or one of another version. */
export class NoDocument extends Schema.TaggedError<NoDocument>()("NoDocument", { why: Schema.String }) {
  readonly retryable = false
  override get message() {
    return `This is not the document of a run: ${this.why}. Nothing was done with it. Give a line that makegood exported.`
  }
}

const pageSize = 500

/**
 * The document of a run; none where there is no such run, or its record was removed.
 *
 * Of a run under way it is a moment's view: what is written meanwhile is in it or not, and never half.
 */
export const read = Effect.fnUntraced(function* (
  runId: string
): Effect.fn.Return<Option.Option<Document>, OutboxError, Outbox> {
  const outbox = yield* Outbox
  // Messages first: one that is moved into the record meanwhile is then in both, and not in neither.
  const inbox = yield* outbox.inboxOf(runId)
  const run = Option.getOrUndefined(yield* outbox.get(runId))
  if (run === undefined || run.removedAt !== undefined) return Option.none()
  const entries: Array<Entry.Stored> = []
  while (true) {
    const page = yield* outbox.entries(runId, { from: entries.length, limit: pageSize })
    entries.push(...page)
    if (page.length < pageSize) break
  }
  return Option.some({ run, entries, inbox })
})

/** A document as one line of JSON, without the line's end. */
export const toLine = ({ entries, inbox, run }: Document): string =>
  JSON.stringify({ makegood: format, run, entries, inbox })

const decode = Schema.decodeUnknownEffect(Schema.fromJsonString(Fields))

/** The document of a line that {@link toLine} made. */
export const fromLine = (line: string): Effect.Effect<Document, NoDocument> =>
  decode(line).pipe(
    Effect.mapError((error) => new NoDocument({ why: error.message.split("\n")[0] ?? "" })),
    Effect.map(({ entries, inbox, run }) => ({ entries, inbox, run: { ...absent, ...run } }))
  )

const absent = {
  stuckReason: undefined,
  owner: undefined,
  wakeAt: undefined,
  deadline: undefined,
  parent: undefined,
  undoes: undefined,
  result: undefined
}

const elsewhere =
  "It was imported while it was under way elsewhere. Resuming it here would make its calls here, maybe a second time."

/**
 * Takes a run over into this outbox, to look at it. False where there is one of its id or key already.
 *
 * A run that had not ended comes over `stuck: blocked`, so that no worker takes it before a person resumes it; messages
 * on their way to it are left behind.
 *
 * **If the process dies**
 *
 * All of it is there or nothing.
 */
export const restore = ({ entries, run }: Document): Effect.Effect<boolean, OutboxError, Outbox> =>
  Outbox.use((outbox) => outbox.restore(isEnd(run.state) ? { entries, run } : asStuck({ entries, run })))

const asStuck = ({ entries, run }: Restored): Restored => {
  const last = entries.at(-1)
  const epoch = Math.max(1, run.epoch)
  const at = Math.max(run.changedAt, last?.at ?? 0)
  const stuck: Entry.Stored = {
    seq: entries.length,
    epoch,
    at,
    entry: { _tag: "stuck", reason: "blocked", why: elsewhere }
  }
  const visiting: Run = {
    ...run,
    state: "stuck",
    stuckReason: "blocked",
    epoch,
    owner: undefined,
    wakeAt: undefined,
    changedAt: at
  }
  return { run: visiting, entries: [...entries, stuck] }
}
