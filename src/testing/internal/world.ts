/**
 * The world behind `FakeWorld`: shelves with what was put there, the ledger of every request, and the faults to come.
 *
 * It stands outside the engine and shares nothing with it: what it holds is what really happened.
 */
import { Context, Duration, Effect, Exit, Option } from "effect"
import type { Clock } from "effect"
import * as Path from "../../outbox/Path.ts"
import * as Identity from "../../saga/internal/identity.ts"
import type { Call, Definition } from "../../tool/internal/definition.ts"
import type * as Fault from "../Fault.ts"
import type { Came, Line } from "./evidence.ts"

/** Whether a function of a tool is there to change something. */
export const isChanging = (side: Fault.Side): boolean => side === "call" || side === "compensation"

/** Whether what happens to a tool changes nothing: it reads, or it is a question to a model. */
const changesNothing = ({ kind }: Definition): boolean => kind === "query" || kind === "model"

/** Whether a function of this tool changes something. */
export const mayChange = (tool: Definition, side: Fault.Side): boolean => isChanging(side) && !changesNothing(tool)

/** One execution of one of a tool's functions. */
export interface Execution {
  readonly tool: Definition
  readonly side: Fault.Side
  readonly call: Call
  /** The how-manieth of this tool and side. */
  readonly nth: number
  /** When it began, in milliseconds since 1970. */
  readonly sentAt: number
  /** The same request once more, made by nobody's will. */
  readonly again: boolean
  /** How many things it put on, or took from, each shelf so far. */
  readonly counts: Map<string, number>
}

/** The execution that a fiber belongs to, if any. */
export const Current = Context.Reference<Execution | undefined>("makegood/testing/FakeWorld/Current", {
  defaultValue: () => undefined
})

/** Something on a shelf, or taken from it. */
export interface Thing {
  readonly shelf: string
  readonly what: string
  /** Of the call that put it there. */
  readonly key: string
  /** The key by which the target knows it again. */
  readonly id: string | undefined
  readonly rememberedUntil: number
  readonly execution: Execution | undefined
  readonly value: unknown
  stands: boolean
  undone: string | undefined
  /** When the target last said that it is there, as a count of answers. */
  answered: number
}

/** A request that a target would not have understood. */
export class Wrong extends Error {
  override readonly name = "FakeWorld.Wrong"
}

export interface Settings {
  readonly clock: Clock.Clock
  readonly faults: Array<Fault.Fault>
  /** Told of every execution before it begins. */
  readonly met: (execution: Execution, fault: Fault.Fault | undefined) => void
  /** Told of every change of a shelf; false where nobody is there any more to hear the answer. */
  readonly changed: (execution: Execution | undefined) => boolean
  /** Told how many executions more are under way: their promises may need turns of the event loop. */
  readonly busy: (more: 1 | -1) => void
  /** Runs what goes on in the world by itself. */
  readonly fork: (effect: Effect.Effect<unknown, unknown>) => void
  /** The failure that a tool declares for a class, if it does. */
  readonly failureOf: (
    tool: Definition,
    fault: Extract<Fault.Fault, { readonly how: "fails" }>
  ) => Option.Option<unknown>
}

export const make = (settings: Settings) => {
  const { clock } = settings
  const things: Array<Thing> = []
  const lines: Array<Line> = []
  const wrongs: Array<string> = []
  const executions: Array<Execution> = []
  const counts = new Map<string, number>()
  /** What calls gave, by key, whether or not anybody heard of it. */
  const given = new Map<string, unknown>()
  /** What transactions have done and not yet committed, by the keys of their calls. */
  const open = new Map<string, Array<() => void>>()
  let answers = 0

  const origins = new Map<string, string>()
  /** The run whose call a compensation takes back: an undo run takes back those of another. */
  const originOf = (runId: string): string => {
    const known = origins.get(runId)
    if (known !== undefined) return known
    const undone = executions.find(({ call }) => Identity.undoId(call.runId) === runId)?.call.runId ?? runId
    origins.set(runId, undone)
    return undone
  }
  /** The key of the act that a compensation takes back; of an act, its own. */
  const actKeyOf = ({ key, path, runId }: Call): string => {
    const compensated = Path.compensatedBy(path)
    return compensated === undefined ? key : Identity.callKey(originOf(runId), compensated)
  }

  const now = () => clock.currentTimeMillisUnsafe()

  const wrong = (why: string) => {
    wrongs.push(why)
    return Effect.die(new Wrong(`${why}. The world was left as it is. Look at what asked for it.`))
  }

  const note = (line: Omit<Line, "at">) => {
    lines.push({ at: now(), ...line })
  }

  /** Does it, or in a transaction puts it off until that commits. */
  const change = (execution: Execution | undefined, effect: () => void) => {
    if (execution?.tool.kind !== "transaction") return effect()
    const waiting = open.get(execution.call.key)
    if (waiting === undefined) open.set(execution.call.key, [effect])
    else waiting.push(effect)
  }

  /** The transaction of this call committed. */
  const commit = (key: string) => {
    const waiting = open.get(key) ?? []
    open.delete(key)
    for (const effect of waiting) effect()
  }

  const place = (execution: Execution | undefined, shelf: string) => {
    const nth = (execution?.counts.get(shelf) ?? 0) + 1
    execution?.counts.set(shelf, nth)
    return nth === 1 ? shelf : `${shelf}#${nth}`
  }

  const named = (execution: Execution | undefined, key: string) => execution?.call.path ?? `the key ${key}`

  const lineOf = (execution: Execution | undefined, key: string, what: string, came: Came) => ({
    what,
    key,
    came,
    sentAt: execution?.sentAt,
    again: execution?.again === true ? true : undefined,
    path: execution?.call.path,
    runId: execution?.call.runId
  })

  const keyOf = (execution: Execution | undefined, key: string | undefined, what: string) => {
    const found = execution?.call.key ?? key
    if (found !== undefined) return found
    throw new Wrong(`${what} was asked for outside a tool and without a key. Nothing was done. Give it a key.`)
  }

  /** Puts something on a shelf. `id`: the target knows it again by this. */
  const put = (shelf: string, make_: () => unknown, id: string | undefined, remembered: number) =>
    Effect.withFiber((fiber) => {
      const execution = fiber.getRef(Current)
      const key = keyOf(execution, id, shelf)
      const what = place(execution, shelf)
      const known = things.find((one) => one.shelf === shelf && one.id === id && now() < one.rememberedUntil)
      if (id !== undefined && known !== undefined) {
        note({ kind: "act", ...lineOf(execution, key, what, "known") })
        if (!known.stands) return wrong(`${named(execution, key)} was asked for again after it was taken back`)
        known.answered = ++answers
        return Effect.succeed(known.value)
      }
      const double = things.find((one) => one.what === what && one.key === key && one.execution !== execution)
      const value = make_()
      const rememberedUntil = now() + remembered
      // A stand-in puts there what it answers.
      if (shelf === execution?.tool.name) given.set(key, value)
      change(execution, () => {
        const answered = ++answers
        things.push({
          shelf,
          what,
          key,
          id,
          rememberedUntil,
          execution,
          value,
          stands: true,
          undone: undefined,
          answered
        })
        note({ kind: "act", ...lineOf(execution, key, what, "done") })
      })
      if (!settings.changed(execution)) return Effect.never
      return double === undefined ? Effect.succeed(value) : wrong(`${named(execution, key)} was done twice`)
    })

  const laterOne = (thing: Thing) => {
    const { call } = thing.execution ?? {}
    if (call === undefined) return undefined
    return things.find(
      (one) =>
        one.stands &&
        one.answered > thing.answered &&
        one.execution?.tool.kind === "reversible" &&
        one.execution.call.path !== call.path &&
        one.execution.call.runId === call.runId &&
        Path.scopeOf(one.execution.call.path) === Path.scopeOf(call.path)
    )
  }

  /** Takes something from a shelf. `isFine`: it may not be there. */
  const take = (shelf: string, which: (thing: Thing) => boolean, id: string | undefined, isFine: boolean) =>
    Effect.withFiber((fiber): Effect.Effect<Option.Option<unknown>> => {
      const execution = fiber.getRef(Current)
      const key = keyOf(execution, id, shelf)
      const what = place(execution, shelf)
      const before = things.find((one) => one.shelf === shelf && id !== undefined && one.undone === id)
      if (before !== undefined) {
        note({ kind: "undo", ...lineOf(execution, key, what, "known"), of: before.key })
        return Effect.succeedSome(before.value)
      }
      const thing = things.find((one) => one.shelf === shelf && one.stands && which(one))
      if (thing === undefined) {
        const gone = isFine ? things.find((one) => one.shelf === shelf && which(one)) : undefined
        note({ kind: "undo", ...lineOf(execution, key, what, gone === undefined ? "nothing" : "known"), of: gone?.key })
        return isFine ? Effect.succeedNone : wrong(`${named(execution, key)} took back what is not there`)
      }
      const later = laterOne(thing)
      change(execution, () => {
        thing.stands = false
        thing.undone = id ?? key
        note({ kind: "undo", ...lineOf(execution, key, thing.what, "done"), of: thing.key })
      })
      if (!settings.changed(execution)) return Effect.never
      return later === undefined
        ? Effect.succeedSome(thing.value)
        : wrong(`${named(execution, key)} came before ${later.execution?.call.path}, which is later, was taken back`)
    })

  const find = (shelf: string, id: string | undefined) =>
    Effect.withFiber((fiber): Effect.Effect<Option.Option<unknown>> => {
      const execution = fiber.getRef(Current)
      const key = keyOf(execution, id, shelf)
      const isUndoing = Path.compensatedBy(execution?.call.path ?? "") !== undefined
      const thing = things.find(
        (one) =>
          one.shelf === shelf && (isUndoing ? one.undone === key : one.stands && (one.id ?? one.key) === (id ?? key))
      )
      note({ kind: "find", ...lineOf(execution, key, shelf, thing === undefined ? "nothing" : "known") })
      if (thing === undefined) return Effect.succeedNone
      if (!isUndoing) thing.answered = ++answers
      return Effect.succeedSome(thing.value)
    })

  /** What a request that left no line in the ledger is assumed to have been, by the word of its tool. */
  const assume = (execution: Execution, exit: Exit.Exit<unknown, unknown>) => {
    const { again, call, sentAt, side, tool } = execution
    if (!mayChange(tool, side)) return
    const base = { what: tool.name, key: call.key, path: call.path, runId: call.runId, sentAt, again, assumed: true }
    const kind = side === "call" ? "act" : "undo"
    const of = side === "call" ? undefined : actKeyOf(call)
    if (Exit.isSuccess(exit)) {
      const doubt = side === "call" ? tool.doubt : (tool.compensation ?? tool).doubt
      const knowsKeys = doubt._tag === "sameKey" || doubt._tag === "idempotent"
      const before = lines.some((line) => line.key === call.key && line.kind === kind && line.came === "done")
      change(execution, () => note({ ...base, kind, of, came: before && knowsKeys ? "known" : "done" }))
    } else {
      const failed = Exit.findErrorOption(exit)
      if (Option.isNone(failed)) return
      const { _tag } = tool.classify(failed.value, { nowMillis: now() } as never)
      if (_tag !== "inDoubt") note({ ...base, kind, of, came: "refused" })
    }
  }

  /** One execution reaches the world, and is written down. */
  const reach = (execution: Execution, effect: Effect.Effect<unknown, unknown>, again = false) =>
    Effect.suspend(() => {
      const before = lines.length
      open.delete(execution.call.key)
      const sent = { ...execution, again, counts: new Map<string, number>() }
      settings.busy(1)
      return effect.pipe(
        Effect.provideService(Current, sent),
        Effect.onExit((exit) =>
          Effect.sync(() => {
            settings.busy(-1)
            if (Exit.isSuccess(exit) && isChanging(execution.side)) given.set(execution.call.key, exit.value)
            const wrote =
              open.has(execution.call.key) || lines.slice(before).some((line) => line.key === execution.call.key)
            if (!wrote) assume(sent, exit)
          })
        )
      )
    })

  /** Whether a call has changed anything, or happened without that. */
  const hasDone = (key: string): boolean =>
    given.has(key) || lines.some((line) => line.key === key && line.kind !== "find" && line.came === "done")

  /** A target that has done something does not say of the same key that it never will. */
  const isPossible = (fault: Fault.Fault, { call, side, tool }: Execution): boolean => {
    if (fault.how !== "fails") return true
    if (side !== "verify" && fault.class === "permanent" && hasDone(call.key)) return false
    return Option.isSome(settings.failureOf(tool, fault))
  }

  /** Every execution of a tool's function goes through here. */
  const meet = (tool: Definition, side: Fault.Side, call: Call, effect: Effect.Effect<unknown, unknown>) =>
    Effect.suspend((): Effect.Effect<unknown, unknown> => {
      const place_ = `${side} ${tool.name}`
      const nth = (counts.get(place_) ?? 0) + 1
      counts.set(place_, nth)
      const execution: Execution = { tool, side, call, nth, sentAt: now(), again: false, counts: new Map() }
      executions.push(execution)
      const fault = settings.faults.find(
        (one) => one.tool === tool.name && one.side === side && one.nth === nth && isPossible(one, execution)
      )
      settings.met(execution, fault)
      switch (fault?.how) {
        case undefined:
          return reach(execution, effect)
        case "fails": {
          const failure = settings.failureOf(tool, fault)
          if (Option.isNone(failure)) return Effect.die(new Error("a fault that is not possible"))
          if (mayChange(tool, side)) {
            const kind = side === "call" ? "act" : "undo"
            note({ kind, ...lineOf(execution, call.key, tool.name, "refused") })
          }
          return Effect.fail(failure.value)
        }
        case "hangs":
          return Effect.never
        case "losesReply":
          return Effect.andThen(reach(execution, effect), Effect.never)
        case "late":
          settings.fork(Effect.delay(reach(execution, effect), Duration.millis(fault.byMillis)))
          return Effect.never
        case "twice":
          return Effect.andThen(Effect.exit(reach(execution, effect)), reach(execution, effect, true))
      }
    })

  return { things, lines, wrongs, executions, given, put, take, find, meet, commit, hasDone, actKeyOf }
}

export type World = ReturnType<typeof make>
