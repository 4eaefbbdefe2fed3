/** `FakeWorld` as a service over the world behind it, and what it puts in the place of tools. */
import { Duration, Effect } from "effect"
import type { Option } from "effect"
import type { FakeWorld, Shelf, ShelfOptions, StandIns } from "../FakeWorld.ts"
import type * as Fault from "../Fault.ts"
import type * as instrument from "./instrument.ts"
import { standIn } from "./standIn.ts"
import type * as World from "./world.ts"

/** The service over a world. */
export const fromWorld = (world: World.World, faults: Array<Fault.Fault>): FakeWorld["Service"] => ({
  world,
  shelf: <A>(name: string, { remembersKeysFor }: ShelfOptions = {}): Shelf<A> => {
    const remembered = remembersKeysFor === undefined ? Number.POSITIVE_INFINITY : Duration.toMillis(remembersKeysFor)
    const named = (which: (thing: A) => boolean) => (thing: World.Thing) => which(thing.value as A)
    const typed = <B>(effect: Effect.Effect<unknown>) => effect as Effect.Effect<B>
    const must = (found: Effect.Effect<Option.Option<unknown>>) =>
      Effect.map(found, (option) => (option._tag === "Some" ? option.value : undefined))
    return {
      put: (thing, options) => typed(world.put(name, () => thing, options?.key, remembered)),
      takeBack: (which, options) => typed(must(world.take(name, named(which), options?.key, false))),
      takeBackIfThere: (which, options) => typed(world.take(name, named(which), options?.key, true)),
      find: (options) => typed(world.find(name, options?.key)),
      standing: Effect.sync(() =>
        world.things.filter((thing) => thing.shelf === name && thing.stands).map((thing) => thing.value as A)
      )
    }
  },
  ledger: Effect.sync(() => world.lines.slice()),
  wrongs: Effect.sync(() => world.wrongs.slice()),
  add: (...more) => Effect.sync(() => void faults.push(...more))
})

/** What a tool is replaced with. */
export const replacing =
  (world: World.World, given: StandIns | undefined): instrument.Replace =>
  (tool) =>
    given !== undefined && (given.names === undefined || given.names.has(tool.name))
      ? standIn(tool, world, given.answers[tool.name])
      : tool
