/** G18: what is secret appears in no row, log, span, page or message. Needs `secrets`, and `texts` for what is no row. */
import type { Checker } from "../evidence.ts"
import { violations } from "./history.ts"

/** As it is, and as it stands in JSON, and in JSON inside of JSON. */
const formsOf = (secret: string): ReadonlyArray<string> => {
  const once = JSON.stringify(secret).slice(1, -1)
  return [secret, once, JSON.stringify(once).slice(1, -1)]
}

export const G18: Checker = ({ inbox = [], runs, secrets = [], texts = [], workers = [] }) => {
  const { add, found } = violations("G18")
  const forms = secrets.map(formsOf)
  if (forms.length === 0) return found
  const look = (where: string, text: string, of: { readonly runId?: string; readonly seq?: number } = {}) => {
    forms.forEach((all, index) => {
      // Which one it is, and not what: this is read by others.
      if (all.some((form) => text.includes(form))) add(`secret ${index + 1} of ${forms.length} stands in ${where}`, of)
    })
  }
  for (const { entries, run } of runs) {
    const { runId } = run
    look("the register of runs", JSON.stringify(run), { runId })
    for (const { entry, seq } of entries) look(`an entry (${entry._tag})`, JSON.stringify(entry), { runId, seq })
  }
  for (const message of inbox) look("the inbox", JSON.stringify(message), { runId: message.runId })
  for (const worker of workers) look("the register of workers", JSON.stringify(worker))
  for (const { text, where } of texts) look(where, text)
  return found
}
