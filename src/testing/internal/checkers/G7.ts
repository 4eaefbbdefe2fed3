/** G7: a key is one call's for life, bound to its parameters; different calls have different keys. */
import type { Checker } from "../evidence.ts"
import { readAll, violations } from "./history.ts"

export const G7: Checker = (evidence) => {
  const { add, found } = violations("G7")
  const owners = new Map<string, string>()
  for (const { calls } of readAll(evidence)) {
    for (const call of calls) {
      const { digest, key, tool } = call.intent.entry
      const owner = `${call.runId}/${call.path}`
      const other = owners.get(key)
      if (other !== undefined && other !== owner) add(`${call.path} has the key of ${other}`, call)
      owners.set(key, owner)
      for (const { entry, seq } of call.intents.slice(1)) {
        const same = entry.key === key && entry.digest === digest && entry.tool === tool
        add(`${call.path} was intended again${same ? "" : ", with another key or other parameters"}`, { ...call, seq })
      }
    }
  }
  for (const { key, kind, path, runId } of evidence.ledger ?? []) {
    if (kind === "find" || path === undefined || runId === undefined) continue
    const owner = owners.get(key)
    if (owner !== undefined && owner !== `${runId}/${path}`) {
      add(`${path} came to the world with the key of ${owner}`, { runId, path })
    }
  }
  return found
}
