/** Which run is meant: by its id, the beginning of its id, or its saga and key. */
import { Effect, Option } from "effect"
import { Argument } from "effect/cli"
import { isEnd, Outbox } from "../../outbox/Outbox.ts"
import type { Run } from "../../outbox/Outbox.ts"
import { stop } from "./exits.ts"
import { clean, shortId } from "./words.ts"

/** The argument that names a run. */
export const argument = Argument.String("run").pipe(
  Argument.withDescription("A run: its id, at least 4 digits of it, or saga/key")
)

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

const noRun = (name: string) =>
  stop(
    "missing",
    `There is no run ${JSON.stringify(clean(name)).slice(0, 100)}. Nothing was done. Look with \`makegood runs list\`.`
  )

/** The run that a name means. Fails where there is none, or more than one. */
export const find = Effect.fnUntraced(function* (name: string) {
  const outbox = yield* Outbox
  const slash = name.indexOf("/")
  if (slash > 0) {
    const found = yield* outbox.find(name.slice(0, slash), name.slice(slash + 1))
    return Option.isSome(found) ? found.value : yield* noRun(name)
  }
  const prefix = name.toLowerCase()
  if (!/^[0-9a-f-]+$/.test(prefix)) return yield* noRun(name)
  if (prefix.length < 4) {
    return yield* stop(
      "usage",
      `${prefix} is too short to name a run. Nothing was done. Give at least 4 digits of its id.`
    )
  }
  const found: ReadonlyArray<Run> = uuid.test(prefix)
    ? Option.toArray(yield* outbox.get(prefix))
    : yield* outbox.startingWith(prefix, 6)
  if (found.length > 1) {
    const some = found.slice(0, 5).map(({ key, runId, saga }) => `${runId} (${saga}/${clean(key)})`)
    return yield* stop(
      "usage",
      `${prefix} begins the ids of several runs: ${some.join(", ")}${found.length > 5 ? ", ..." : ""}. Nothing was done. Give more digits.`
    )
  }
  const [run] = found
  return run ?? (yield* noRun(name))
})

/** A run in a sentence. */
export const inWords = (run: Pick<Run, "runId" | "saga" | "key">): string =>
  `${shortId(run.runId)} (${run.saga}/${clean(run.key).slice(0, 60)})`

/** The run that a name means, to act on it: one that has ended is refused before anybody is asked. */
export const openRun = Effect.fnUntraced(function* (name: string) {
  const run = yield* find(name)
  if (isEnd(run.state)) {
    return yield* stop(
      "refused",
      `The run ${inWords(run)} has ended (${run.state.replaceAll("_", " ")}). Nothing was done: ends are final.`
    )
  }
  return run
})

/** The same, where it is stuck: nothing else is told to go on. */
export const stuckRun = Effect.fnUntraced(function* (name: string) {
  const run = yield* openRun(name)
  if (run.state !== "stuck") {
    return yield* stop("refused", `The run ${inWords(run)} is not stuck: it is ${run.state}. Nothing was done.`)
  }
  return run
})
