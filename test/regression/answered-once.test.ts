/** Found by the simulation: a branch was given up in the very moment in which the approval that it waited for was given. */
import { assert, it } from "@effect/vitest"
import type * as Entry from "../../src/outbox/Entry.ts"
import * as RunState from "../../src/outbox/RunState.ts"
import * as Waits from "../../src/worker/internal/waits.ts"

it("a wait that is over has no second end where it is given up before the first is durable (G13)", () => {
  const state = RunState.make()
  const asked: Entry.Awaited = { _tag: "awaited", path: "Nod", wait: "approval", name: "Nod" }
  state.add({ seq: 0, epoch: 1, at: 1, entry: asked })
  const written: Array<Entry.Entry> = []
  let look: ((now: number) => boolean) | undefined
  const desk = {
    state,
    stamp: () => 2,
    placed: () => {},
    used: new Set<string>(),
    isGivenUp: () => false,
    pen: { write: (entries: ReadonlyArray<Entry.Entry>) => written.push(...entries) },
    room: { enter: (_: string, guest: { readonly look: typeof look }) => (look = guest.look) },
    lease: { now: () => 2 }
  } as unknown as Waits.WaitingDesk
  const waiting = {
    kind: "approval",
    name: "Nod",
    asked: undefined,
    until: () => undefined,
    over: () => ({ how: "approved", message: "m" })
  } as const
  const recorded = Waits.recorded(state, "Nod")
  Waits.wait(desk, "Nod", waiting as never, recorded, () => {})
  assert.isTrue(look?.(2))
  Waits.withdraw(desk, "Nod")
  assert.deepStrictEqual(
    written.map((entry) => entry._tag === "answered" && entry.how),
    ["approved"]
  )
})
