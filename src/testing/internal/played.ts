/** What is played, what can go wrong in it, and what became of it. */
import type { Effect, Layer } from "effect"
import type { StuckReason } from "../../outbox/Entry.ts"
import type * as Outbox from "../../outbox/Outbox.ts"
import type * as Runs from "../../saga/Runs.ts"
import type { Definition } from "../../tool/internal/definition.ts"
import type * as WorkerLayer from "../../worker/Worker.ts"
import type { Cancel } from "../Cancel.ts"
import type { Crash } from "../Crash.ts"
import type { FakeWorld, StandIns } from "../FakeWorld.ts"
import type { Fault } from "../Fault.ts"
import type { Evidence } from "./evidence.ts"
import type * as World from "./world.ts"

/** What can go wrong. */
export type Mishap = Fault | Crash | Cancel

/** What is tried. */
export interface Setting {
  readonly name: string
  readonly start: Effect.Effect<unknown, unknown, Runs.Runs>
  readonly layer: Layer.Layer<never, unknown, unknown>
  /** What takes its place in the lives after the first, one after the other; the last one stays. */
  readonly deploys: ReadonlyArray<Layer.Layer<never, unknown, unknown>>
  readonly world: Layer.Layer<never, unknown, FakeWorld> | undefined
  readonly standIns: StandIns | undefined
  readonly look: Effect.Effect<unknown, unknown, unknown> | undefined
  readonly meanwhile: ((runId: string) => Effect.Effect<unknown, unknown, unknown>) | undefined
  readonly afterwards: ((run: Outbox.Run) => Effect.Effect<unknown, unknown, unknown>) | undefined
  readonly worker: WorkerLayer.Options
  /** Whether somebody answers when the run is stuck on what only a person can say. */
  readonly person: boolean
}

/** A place at which something can go wrong. */
export type Point =
  | {
      readonly _tag: "landmark"
      readonly name: string
      readonly nth: number
      /** Another one than that of the landmark before where the outbox, the world or the time is another since. */
      readonly moment: number
    }
  | { readonly _tag: "execution"; readonly execution: World.Execution }

/** What became of it. */
export interface Played {
  readonly mishaps: ReadonlyArray<Mishap>
  readonly points: ReadonlyArray<Point>
  /** For each mishap, the index of the point at which it took place; -1 where it did not. */
  readonly took: ReadonlyArray<number>
  /** The run that was started, as the register has it at the end. */
  readonly run: Outbox.Run | undefined
  readonly stuck: { readonly reason: StuckReason; readonly path: string | undefined; readonly why: string } | undefined
  readonly evidence: Evidence & { readonly ledger: NonNullable<Evidence["ledger"]> }
  readonly wrongs: ReadonlyArray<string>
  /** What went wrong that no record and no ledger shows. */
  readonly troubles: ReadonlyArray<string>
  readonly executions: ReadonlyArray<World.Execution>
  /** The tools that the sagas list. */
  readonly tools: ReadonlyArray<Definition>
  /** What a person was asked, and said. */
  readonly person: ReadonlyArray<string>
  readonly lives: number
  /** What was seen of the world before and after, as JSON. */
  readonly before: string | undefined
  readonly after: string | undefined
}
