/**
 * What a compensation achieved, and a ready-made one that restores what was there before.
 *
 * A natural inverse often leaves a difference. So what a rollback achieved is reported call by call, as a tool's `verify`
 * says after looking, and never assumed.
 */
import { Effect, Schema } from "effect"
import type { Call } from "./internal/definition.ts"

/** What a look at the world said after a compensation. */
export type Restoration = { readonly _tag: "exact" } | { readonly _tag: "differs"; readonly how: string }

/** The world is as it was before the call. */
export const exact: Restoration = { _tag: "exact" }

/** The call was taken back, and `how` says in words what is not as it was. */
export const differs = (how: string): Restoration => ({ _tag: "differs", how })

/** Somebody else changed what was to be restored, since the call: a person is asked. */
export class RestoreConflict extends Schema.TaggedError<RestoreConflict>()("RestoreConflict", {
  path: Schema.String,
  /** The version that was there before the call. */
  before: Schema.String,
  /** The version that the call left. */
  left: Schema.String,
  /** The version that is there now. */
  found: Schema.String
}) {
  override get message() {
    return (
      `What ${this.path} changed from version ${this.before} to ${this.left} is now at version ${this.found}: somebody else ` +
      "changed it. Nothing was written. Put it right by hand and resolve or skip this compensation, or retry it."
    )
  }
}

/**
 * A compensation that writes back what `before` read, and only where nobody else has changed it since.
 *
 * The tool's `before` reads the state that its act is about to change, and its `success` is the state that the act left.
 * Both and what `read` finds now are compared by `version`: where it is still that of the act, `write` restores the
 * other; where it is that of before, there is nothing to do; anything else is a {@link RestoreConflict}, and the run is
 * `stuck: compensation_failed` with the versions shown.
 *
 * Between reading and writing somebody else may still come: `write` is given what was `found`, to write on that condition
 * where its target can. A version that comes back with the content (a hash, the content itself) makes the restore safe to
 * repeat; one that only counts up sends a restore whose end was not seen to a person.
 */
export const restore =
  <P, A, E = never, R = never, W = never>(options: {
    readonly read: (parameters: P, call: Call) => Effect.Effect<NoInfer<A>, E, R>
    readonly version: (state: A) => string | number
    readonly write: (
      restoring: { readonly parameters: P; readonly before: A; readonly found: A },
      call: Call
    ) => Effect.Effect<unknown, E, W>
  }): ((
    done: { readonly parameters: P; readonly before: A; readonly success: A },
    call: Call
  ) => Effect.Effect<void, E, R | W>) =>
  ({ before, parameters, success }, call) =>
    Effect.flatMap(options.read(parameters, call), (state): Effect.Effect<void, E, R | W> => {
      const versionOf = (of: A) => String(options.version(of))
      const found = versionOf(state)
      if (found === versionOf(before)) return Effect.void
      if (found === versionOf(success)) {
        return Effect.asVoid(options.write({ parameters, before, found: state }, call))
      }
      const conflict = new RestoreConflict({
        path: call.path,
        before: versionOf(before),
        left: versionOf(success),
        found
      })
      // The engine knows it and asks a person: it is no failure of the tool's, and no body ever hears of it.
      return Effect.fail(conflict) as Effect.Effect<never, never>
    })
