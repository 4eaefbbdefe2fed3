/**
 * Purses: what may be used up, one inside the other, and how a run shares them with its children.
 *
 * What is used is used of a purse and of all around it. Inside a run they are plain memory, which a replay makes again.
 * A child is a run of its own and may be anywhere: before it starts, an allowance is taken from the purses around it and
 * recorded; at its end, what its record says that it used is recorded in its place. So children that run side by side
 * cannot spend the same thing twice, and a worker that dies on the way finds both numbers again, or counts them again.
 */
import { Context, Effect, Option, Schema } from "effect"
import type { Run } from "../../outbox/Outbox.ts"
import { ask } from "../../tool/internal/running.ts"
import type { Step } from "../../tool/internal/running.ts"

/** Amounts by the name of what is limited: `turns`, `tokens`, `cost`, `calls.Hold`, `sums.Charge.cents`. */
export type Amounts = Readonly<Record<string, number>>

/** The name of the limit for how often a tool is called. */
export const callsOf = (tool: string): string => `calls.${tool}`

/** The name of the limit for what a parameter adds up to. */
export const sumOf = (tool: string, parameter: string): string => `sums.${tool}.${parameter}`

/** Whether it limits what a parameter adds up to: what was taken back makes room again. */
export const isSum = (name: string): boolean => name.startsWith("sums.")

/** Whose it is: one agent's; that of all agents in a stretch of a saga; or what the parent of the run lent it. */
export type Whose = "agent" | "shared" | "parent"

interface Limit {
  /** What a grant adds where it does not say how much. */
  readonly again: number
  allowed: number
  spent: number
}

export interface Purse {
  readonly whose: Whose
  readonly limits: ReadonlyMap<string, Limit>
  readonly around: Purse | undefined
}

/** What a child may use of its parents' purses. */
export const Allowance = Schema.Record(Schema.String, Schema.Struct({ most: Schema.Finite, again: Schema.Finite }))
export type Allowance = typeof Allowance.Type

/** What a child used, with its own children, and what people granted to it beyond its allowance. */
export const Used = Schema.Record(Schema.String, Schema.Struct({ used: Schema.Finite, granted: Schema.Finite }))
export type Used = typeof Used.Type

/** What is counted, and how much more of it is wanted; `undefined` where that is not known before it is used. */
export type Want = readonly [limit: string, amount: number | undefined]

/** A limit that would be passed. */
export interface Excess {
  readonly whose: Whose
  readonly limit: string
  readonly spent: number
  readonly wanted: number | undefined
  readonly allowed: number
  /** What a person who grants it allows from then on, where nothing else is said. */
  readonly raisedTo: number
}

export const make = (whose: Whose, given: Amounts, around: Purse | undefined): Purse => ({
  whose,
  limits: new Map(Object.entries(given).map(([name, most]) => [name, { again: most, allowed: most, spent: 0 }])),
  around
})

const lent = (allowance: Allowance): Purse => ({
  whose: "parent",
  limits: new Map(
    Object.entries(allowance).map(([name, { again, most }]) => [name, { again, allowed: most, spent: 0 }])
  ),
  around: undefined
})

/** From the inside out. */
const all = (purse: Purse | undefined): ReadonlyArray<Purse> =>
  purse === undefined ? [] : [purse, ...all(purse.around)]

const limitsOf = (purse: Purse, name: string): ReadonlyArray<Limit> =>
  all(purse).flatMap(({ limits }) => limits.get(name) ?? [])

/** The names of all that is limited. */
export const names = (purse: Purse): ReadonlySet<string> =>
  new Set(all(purse).flatMap(({ limits }) => Array.from(limits.keys())))

/** The first of the limits that would be passed, with a way to raise it. */
export const excess = (
  purse: Purse,
  wants: ReadonlyArray<Want>
): (Excess & { readonly raise: (to: number) => void }) | undefined => {
  for (const { limits, whose } of all(purse)) {
    const soFar = new Map<string, number>()
    for (const [name, wanted] of wants) {
      const limit = limits.get(name)
      if (limit === undefined) continue
      const { again, allowed } = limit
      const before = limit.spent + (soFar.get(name) ?? 0)
      soFar.set(name, (soFar.get(name) ?? 0) + (wanted ?? 0))
      if (wanted === undefined ? before < allowed : wanted === 0 || before + wanted <= allowed) continue
      const raisedTo = wanted === undefined ? before + Math.max(1, again) : Math.max(before + wanted, allowed + again)
      const raise = (to: number) => {
        limit.allowed = Math.max(limit.allowed, to)
      }
      return { whose, limit: name, spent: before, wanted, allowed, raisedTo, raise }
    }
  }
  return undefined
}

/** Uses so much, of all that limit it; a negative amount gives it back. */
export const use = (purse: Purse, name: string, amount: number): void => {
  for (const limit of limitsOf(purse, name)) limit.spent += amount
}

/** Takes what one of so many may use at most. What cannot be divided is not. */
const take = (purse: Purse, places: number): Allowance => {
  const taken: Record<string, Allowance[string]> = {}
  for (const name of names(purse)) {
    for (const { again, allowed, spent } of limitsOf(purse, name)) {
      const share = Math.max(0, allowed - spent) / places
      const most = Number.isInteger(again) ? Math.floor(share) : share
      if (most < (taken[name]?.most ?? Number.POSITIVE_INFINITY)) taken[name] = { most, again }
    }
    use(purse, name, taken[name]!.most)
  }
  return taken
}

/** In the place of an allowance what was used; what people granted raises the limits all the way up. */
const settle = (purse: Purse, allowance: Allowance, used: Used): void => {
  for (const [name, { most }] of Object.entries(allowance)) {
    const found = used[name] ?? { used: 0, granted: 0 }
    for (const limit of limitsOf(purse, name)) {
      limit.allowed += found.granted
      limit.spent += found.used - most
    }
  }
}

// ---- in a body

/** How many children may want an allowance at a time, and how many have one. */
export interface Places {
  readonly most: number
  taken: number
  readonly around: Places | undefined
}

/** What a body finds around it. */
export interface Surrounding {
  readonly purse: Purse | undefined
  readonly places: Places
  /** What the run of a child used, of what is limited. */
  readonly usedBy: (run: string, limited: ReadonlySet<string>) => Effect.Effect<Used>
}

class Around extends Context.Service<Around, Surrounding>()("makegood/Purse") {}

/** The attribute of a child's run that carries its allowance. */
export const attribute = "makegood:allowance"

const decodeAllowance = Schema.decodeUnknownOption(Schema.fromJsonString(Allowance))

const onePlace = (): Places => ({ most: 1, taken: 0, around: undefined })

/** Gives a body what its parent lent the run. */
export const lend = <A, E, R>(
  { attributes, parent }: Pick<Run, "attributes" | "parent">,
  usedBy: Surrounding["usedBy"],
  body: Effect.Effect<A, E, R>
): Effect.Effect<A, E, R> => {
  const allowance = parent === undefined ? Option.none() : decodeAllowance(attributes[attribute])
  const purse = Option.getOrUndefined(Option.map(allowance, lent))
  return Effect.provideService(body, Around, { purse, places: onePlace(), usedBy })
}

/** What is around this place of a body. */
export const surrounding: Effect.Effect<Surrounding | undefined> = Effect.withFiber((fiber) =>
  Effect.succeed(Context.getOrUndefined(fiber.context as Context.Context<Around>, Around))
)

/** Changes what is around a part of a body. */
export const inside = <A, E, R>(
  part: Effect.Effect<A, E, R>,
  change: (around: Surrounding) => Surrounding
): Effect.Effect<A, E, R> =>
  Effect.flatMap(surrounding, (around) =>
    around === undefined ? part : Effect.provideService(part, Around, change(around))
  )

/** Branches that run side by side leave each other something. */
export const dividing = <A, E, R>(most: number, part: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  most < 2
    ? part
    : inside(part, (around) =>
        around.purse === undefined ? around : { ...around, places: { most, taken: 0, around: around.places } }
      )

/** By how much what is left is divided. */
const divisor = ({ around, most, taken }: Places): number => {
  let all = Math.max(1, most - taken)
  for (let outer = around; outer !== undefined; outer = outer.around) all *= outer.most
  return all
}

type Child = Extract<Step, { readonly _tag: "child" }>

/** Asks for a child; where something is limited, with an allowance. */
export const askChild = (what: string, step: Child): Effect.Effect<unknown, unknown> =>
  Effect.flatMap(surrounding, (around) =>
    around?.purse === undefined || names(around.purse).size === 0
      ? ask<unknown, unknown, never>(what, step)
      : allowed(what, step, around, around.purse)
  )

const allowed = Effect.fnUntraced(function* (what: string, step: Child, around: Surrounding, purse: Purse) {
  const { places, usedBy } = around
  const giveBack = (given: Allowance) => {
    for (const [name, { most }] of Object.entries(given)) use(purse, name, -most)
  }
  // At once, so that no other branch takes the same.
  let taken = take(purse, divisor(places))
  places.taken++
  const allowance = yield* ask<Allowance, never, never>(what, {
    _tag: "record",
    name: "Allowance",
    schema: Allowance,
    // And anew where it comes to be recorded: only after a replay it is known what the record has for the others.
    effect: Effect.sync(() => {
      giveBack(taken)
      return (taken = take(purse, divisor({ ...places, taken: places.taken - 1 })))
    })
  })
  // What was recorded counts.
  giveBack(taken)
  for (const [name, { most }] of Object.entries(allowance)) use(purse, name, most)
  let run = ""
  const exit = yield* Effect.exit(
    ask<unknown, unknown, never>(what, {
      ...step,
      attributes: { [attribute]: JSON.stringify(allowance) },
      ended: (by) => (run = by)
    })
  )
  const used = yield* ask<Used, never, never>(what, {
    _tag: "record",
    name: "Used",
    schema: Used,
    effect: Effect.suspend(() => usedBy(run, new Set(Object.keys(allowance))))
  })
  places.taken--
  settle(purse, allowance, used)
  return yield* exit
})
