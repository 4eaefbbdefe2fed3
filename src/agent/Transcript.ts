/**
 * The transcript of a run: what an agent says and does, for somebody who reads along.
 *
 * What is recorded comes first, then what comes; the words of an answer come one by one while a model of this process
 * says them, and only as long as somebody reads does a model speak word by word. Words are a foretaste: the answer that
 * counts is the recorded one, which follows. Where an answer is begun again (after a crash, or a failure in the middle)
 * `restarted` says that what was heard of it is void.
 *
 * A reader that comes again with the id of the last part it got goes on from there.
 */
import { Effect, Option, Queue, Schedule, Schema, Stream } from "effect"
import * as Sse from "effect/encoding/Sse"
import { HttpServerRequest, HttpServerResponse } from "effect/http"
import type { Sound } from "../saga/internal/live.ts"
import { Runs, type RunsError, type Stored } from "../saga/Runs.ts"
import { Tokens } from "./AgentError.ts"
import * as Parts from "./internal/parts.ts"

const path = Schema.String

/** Words of an answer that is not recorded yet; those of a `path` belong together. */
export const Words = Schema.TaggedStruct("words", {
  path,
  kind: Schema.Literals(["text", "reasoning"]),
  text: Schema.String
})

/** The answer at `path` is begun again: what was heard of it is void. */
export const Restarted = Schema.TaggedStruct("restarted", { path })

/** The model's answer, as it is recorded; it stands for all words of this `path`. */
export const Answered = Schema.TaggedStruct("answered", {
  path,
  text: Schema.String,
  /** What it asks for; whether that can be made shows in what is called. */
  calls: Schema.Array(Schema.Struct({ name: Schema.String, parameters: Schema.Json })),
  provider: Schema.String,
  model: Schema.String,
  tokens: Tokens,
  cost: Schema.Finite
})

/** A call began; also one that takes another back (`act` is then `compensation`), and one that a person made. */
export const Called = Schema.TaggedStruct("called", {
  path,
  tool: Schema.String,
  act: Schema.String,
  parameters: Schema.Json
})

/** How a call ended. `result`: its success, or its failure. */
export const Outcome = Schema.TaggedStruct("outcome", {
  path,
  tool: Schema.String,
  act: Schema.String,
  isFailure: Schema.Boolean,
  result: Schema.Json
})

/** A person said something to the run. */
export const Said = Schema.TaggedStruct("said", { by: Schema.String, text: Schema.String })

/** A person holds the run. */
export const Held = Schema.TaggedStruct("held", { by: Schema.String })

/** It goes on. */
export const Released = Schema.TaggedStruct("released", { by: Schema.String })

/** A person wants it taken back. */
export const Cancelled = Schema.TaggedStruct("cancelled", { by: Schema.String })

/** The run waits for a person. */
export const Stuck = Schema.TaggedStruct("stuck", {
  reason: Schema.String,
  why: Schema.String,
  path: Schema.optionalKey(Schema.String)
})

/** From here on the run is taken back. */
export const GoesBack = Schema.TaggedStruct("goesBack", { cause: Schema.String })

/** The end: there is no part behind it. */
export const Ended = Schema.TaggedStruct("ended", {
  state: Schema.Literals(["completed", "rolled_back", "partly_rolled_back"]),
  result: Schema.Json
})

/** What a part tells. */
export const Told = Schema.Union([
  Words,
  Restarted,
  Answered,
  Called,
  Outcome,
  Said,
  Held,
  Released,
  Cancelled,
  Stuck,
  GoesBack,
  Ended
])

/** What a part tells. */
export type Told = typeof Told.Type

/** A part of a transcript. */
export interface Part {
  /** Where the reader stands with it. */
  readonly id: string
  readonly told: Told
}

/** How a transcript is read. */
export interface Options {
  /** The id of the last part that was read. What is none is passed over. Default: from the beginning. */
  readonly after?: string | undefined
}

/**
 * The transcript of a run, until its end.
 *
 * **If the process dies** the reader comes again, with the id of the last part it got.
 */
export const stream = (runId: string, options: Options = {}): Stream.Stream<Part, RunsError, Runs> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const runs = yield* Runs
      // It listens before it looks, so that no question is begun between the two and nobody hears it.
      const sounds = yield* Queue.unbounded<Sound>()
      yield* Effect.acquireRelease(
        Effect.sync(() => runs.live.listen(runId, (sound) => Queue.offerUnsafe(sounds, sound))),
        (stop) => Effect.sync(stop)
      )
      const { half, seq } = Parts.readPlace(options.after ?? "") ?? { half: [], seq: -1 }
      const reader = Parts.reader(seq)
      const partsOf = (told: ReadonlyArray<Told>) => told.map((one): Part => ({ id: Parts.placeOf(reader), told: one }))
      const partsOfEntry = (stored: Stored): ReadonlyArray<Part> => {
        const told = Parts.ofEntry(reader, stored)
        return stored.seq > seq ? partsOf(told) : []
      }
      // What it heard of answers before it was cut off is void; one that stands by now comes with its answer.
      const void_ = partsOf(half.map((path) => ({ _tag: "restarted", path })))
      const entries = yield* runs.history(runId)
      const recorded = Stream.fromIterable([...void_, ...entries.flatMap(partsOfEntry)])
      if (entries.at(-1)?.entry._tag === "ended") return recorded
      const live = Stream.map(Stream.fromQueue(sounds), (sound) => partsOf(Parts.ofSound(reader, sound)))
      const further = Stream.merge(live, Stream.map(runs.watch(runId, reader.seq + 1), partsOfEntry)).pipe(
        Stream.flattenIterable,
        Stream.takeUntil(({ told }) => told._tag === "ended")
      )
      return Stream.concat(recorded, further)
    })
  )

const encode = Schema.encodeSync(Schema.fromJsonString(Told))

const eventOf = ({ id, told }: Part): string =>
  Sse.encoder.write({ _tag: "Event", event: told._tag, id, data: encode(told) })

/** A comment, so that a connection that nobody reads is found out. */
const keepAlive = Stream.map(Stream.fromSchedule(Schedule.spaced("15 seconds")), () => ": still here\n\n")

/**
 * The transcript of a run as an HTTP response of server-sent events: each part is an event of its tag, with its JSON as
 * data. A browser's `EventSource` that was cut off goes on from the last event it got, and is told to leave it when there
 * is nothing more (204).
 *
 * Fails before the response begins where there is no such run.
 */
export const respond = (
  runId: string
): Effect.Effect<HttpServerResponse.HttpServerResponse, RunsError, Runs | HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const { headers } = yield* HttpServerRequest.HttpServerRequest
    const context = yield* Effect.context<Runs>()
    const after = headers["last-event-id"]
    const parts = stream(runId, { after })
    const { state } = yield* Runs.use((runs) => runs.get(runId))
    if (after !== undefined && /^(completed|(partly_)?rolled_back)$/.test(state)) {
      const rest = yield* Stream.runHead(parts)
      if (Option.isNone(rest)) return HttpServerResponse.empty({ status: 204 })
    }
    const body = Stream.map(parts, eventOf).pipe(
      Stream.merge(keepAlive, { haltStrategy: "left" }),
      Stream.encodeText,
      Stream.provideContext(context)
    )
    return HttpServerResponse.stream(body, {
      contentType: "text/event-stream",
      headers: { "cache-control": "no-store", "x-accel-buffering": "no" }
    })
  })
