/** Taking back a part of a run that goes on after it: a savepoint that failed, or calls that the body asked to have undone. */
import { Effect } from "effect"
import type { Exit } from "effect"
import type * as Entry from "../../outbox/Entry.ts"
import * as Rollback from "./rollback.ts"
import type { Floor } from "./steps.ts"

/** Writes that it began, drives it, writes that it is done, and answers the step at `path`. */
export const takeBackInside = (
  floor: Floor,
  path: string,
  part: {
    readonly scope: string
    readonly only?: ReadonlySet<string>
    readonly began: Entry.Entry
    /** Once it is done: what is written, and what the body is given. */
    readonly done: (stamp: number) => { readonly entry: Entry.Entry; readonly exit: Exit.Exit<unknown, unknown> }
    /** Awaited before that. */
    readonly first?: Effect.Effect<void>
  }
): void => {
  const { answer, desk, goingBack, isLeaving, later, left, running, stuck, tools, track } = floor
  goingBack.add(path)
  const began = Effect.callback<void>((resume) => {
    if (desk.state.steps.has(path)) return resume(Effect.void)
    desk.pen.turn([part.began], running(), () => resume(Effect.void))
  })
  const drive = Rollback.drive({
    desk: { ...desk, placed: () => {}, displaced: () => {}, haste: () => (isLeaving() ? "leave" : "on") },
    state: desk.state,
    tools,
    scope: part.scope,
    ...(part.only === undefined ? {} : { only: part.only })
  })
  const driven = Effect.tap(Effect.andThen(began, drive), () => part.first ?? Effect.void)
  track(path, driven, (ending) => {
    switch (ending._tag) {
      case "ended": {
        goingBack.delete(path)
        const stamp = desk.stamp()
        const { entry, exit } = part.done(stamp)
        desk.placed(path)
        desk.pen.turn([entry], running(), () => {})
        return answer(path, { exit, stamp })
      }
      case "stuck":
        return stuck(ending.verdict)
      case "left":
        return left()
      case "parked":
      case "waits":
        return later(path, ending, () => takeBackInside(floor, path, part))
    }
  })
}
