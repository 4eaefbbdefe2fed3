/** Reads messages on their way, oldest first: to some runs, or to all that a worker holds. Indexes: inbox_waiting, run_owner. */
import * as Entry from "../../outbox/Entry.ts"
import type { Message } from "../../outbox/Outbox.ts"
import type { Statement } from "../internal/connections.ts"
import * as Parameters from "../internal/parameters.ts"

const columns = "i.run_id::text as run_id, i.format, i.path, i.digest, i.value::text as value, i.detail::text as detail"

const ofWorker = `
select ${columns}
from makegood.inbox i join makegood.run r using (run_id)
where r.owner = $1 and i.taken_at is null
order by i.place`

const ofRuns = `
select ${columns}
from makegood.inbox i
where i.run_id = any($1::uuid[]) and i.taken_at is null
order by i.place`

export interface MessageRow extends Pick<Entry.Row, "format" | "path" | "digest" | "value" | "detail"> {
  readonly run_id: string
}

export const readInboxOfWorker = (worker: string): Statement<MessageRow> => ({
  text: ofWorker,
  params: [Parameters.text(worker)]
})

export const readInboxesOfRuns = (runIds: ReadonlyArray<string>): Statement<MessageRow> => ({
  text: ofRuns,
  params: [Parameters.uuids(runIds)]
})

/** The message of a row. Throws `UnreadableEntry`. */
export const toMessageUnsafe = ({ run_id, ...row }: MessageRow): Message => {
  const { _tag, id, ...told } = Entry.fromRowUnsafe({ ...nothing, ...row }) as Entry.Told
  return { id, runId: run_id, told }
}

const nothing: Omit<Entry.Row, "format" | "path" | "digest" | "value" | "detail"> = {
  kind: "told",
  tool: null,
  toolVersion: null,
  act: null,
  key: null,
  attempt: null,
  class: null,
  leaves: null,
  stamp: null
}
