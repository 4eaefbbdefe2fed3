/** A step that locks and does nothing else: a call that only reads, so that asking again after a crash is no doubt. */
import { Effect, Schema } from "effect"
import type { LockRefused } from "../../tool/Clearance.ts"
import { define } from "../../tool/internal/define.ts"
import { definition, type Definition } from "../../tool/internal/definition.ts"
import { ask, type Running } from "../../tool/internal/running.ts"
import type * as Tool from "../../tool/Tool.ts"

const { [definition]: tool } = define<Tool.Any>("lock", "query", {
  parameters: { keys: Schema.Array(Schema.String) },
  lock: ({ keys }: { readonly keys: ReadonlyArray<string> }) => keys,
  execute: () => Effect.void
}) as unknown as { readonly [definition]: Definition }

export const lock = (keys: ReadonlyArray<string>): Effect.Effect<void, LockRefused, Running> =>
  ask("Saga.lock", { _tag: "call", tool, parameters: { keys } })
