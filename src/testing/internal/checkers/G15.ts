/**
 * G15: a run never executes under a definition that does not fit it.
 *
 * From the record alone: within one epoch a tool has one version. With what each worker had: it had the run's saga in its
 * version, and each tool whose call it began, tried again or settled, in the recorded version or one that bears that.
 */
import type * as Entry from "../../../outbox/Entry.ts"
import type { Build, Checker } from "../evidence.ts"
import { type History, readAll, violations } from "./history.ts"

type Add = ReturnType<typeof violations>["add"]

/** What is the engine's own has no version that anybody could deploy. */
const isTools = ({ act }: Entry.Intended) => act !== "model" && act !== "undo"

export const G15: Checker = (evidence) => {
  const { add, found } = violations("G15")
  for (const history of readAll(evidence)) {
    oneVersion(history, add)
    if (evidence.builds !== undefined) fitting(history, evidence.builds, add)
  }
  return found
}

const oneVersion = ({ entries, run }: History, add: Add) => {
  const versions = new Map<string, number>()
  for (const { entry, epoch, seq } of entries) {
    if (entry._tag !== "intended" || !isTools(entry)) continue
    const place = `${epoch} ${entry.tool}`
    const version = versions.get(place) ?? entry.toolVersion
    versions.set(place, version)
    if (version === entry.toolVersion) continue
    add(
      `${entry.path} began with version ${entry.toolVersion} of ${entry.tool}, and its worker had version ${version}`,
      {
        runId: run.runId,
        path: entry.path,
        seq
      }
    )
  }
}

const fitting = ({ byPath, entries, run }: History, builds: ReadonlyArray<Build>, add: Add) => {
  const { runId } = run
  let worker = ""
  let claimed = 0
  for (const { entry, seq } of entries) {
    if (entry._tag === "claimed") {
      worker = entry.worker
      claimed = seq
    }
    if (entry._tag !== "intended" && entry._tag !== "attempted") continue
    const mine = builds.filter((build) => build.worker === worker)
    // Of a worker that nobody knows nothing can be said.
    if (mine.length === 0) continue
    const build = mine.find(({ saga, version }) => saga === run.saga && version === run.version)
    if (build === undefined) {
      add(`${worker} had no ${run.saga} of version ${run.version}, and made ${entry.path}`, { runId, seq: claimed })
      continue
    }
    const intent = entry._tag === "intended" ? entry : byPath.get(entry.path)?.intent.entry
    if (intent === undefined || !isTools(intent)) continue
    const tool = build.tools.get(intent.tool)
    // A step of the library's own, as `Saga.lock` is, asks like a query, and no saga lists it.
    if (tool === undefined && intent.act === "query") continue
    const fits = tool?.version === intent.toolVersion || tool?.compatibleWith.has(intent.toolVersion) === true
    if (fits) continue
    const had = tool === undefined ? "no such tool" : `version ${tool.version}`
    add(`${entry.path} is of version ${intent.toolVersion} of ${intent.tool}, and ${worker} had ${had}`, {
      runId,
      path: entry.path,
      seq
    })
  }
}
