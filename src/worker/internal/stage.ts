/**
 * The stage: where a body plays, live or from the record (G3, G5, G7, G15).
 *
 * Each scope (the body, and each branch) is a root fiber that nothing but this stage holds. A step is a callback that
 * the stage answers, or never does: to put a run down, its body is simply dropped.
 *
 * Outcomes are delivered one at a time, in the order of the record, each only when every scope is waiting for an answer
 * or has ended. So the body sees the same outcomes in the same order, live as on replay. No step that is not in the
 * record starts before the last recorded outcome was delivered.
 *
 * A patch that the record does not know is answered `false` where the record goes on behind it: with another step of its
 * scope, or with something that can only have come after it. Else it is a step like any other, which begins with this run.
 * In the same way the record goes on without a question of the body whether people said anything, where they had not.
 *
 * A savepoint is a group of one branch. Where that fails, its taking-back is a step of the scope around it, and the
 * failure is that step's answer. A wait of a scope that was given up ends at once, and its answer is no longer heard.
 */
import { Cause, Effect, Exit } from "effect"
import type { Context, Fiber } from "effect"
import type { StuckReason } from "../../outbox/Entry.ts"
import * as Path from "../../outbox/Path.ts"
import { Running, type Step } from "../../tool/internal/running.ts"
import { forScope } from "./bodyContext.ts"
import {
  type Answer,
  type Asked,
  type Crew,
  type Group,
  hasOutcome,
  nameOf,
  nameRule,
  type Scope,
  scopeName,
  type SingleStep,
  type Stage,
  type Status,
  type Waiting
} from "./scope.ts"

export const make = (crew: Crew): Stage => {
  const { scopes: recordedScopes, steps } = crew.state
  // The record grows while the body plays; what is replayed is what it held at the beginning.
  let delivered: ReadonlyArray<string> = []
  const waiting = new Map<string, Waiting>()
  /** Steps that the record does not know, or knows no outcome of: they start once the replay is over. */
  let held: Array<Waiting> = []
  /** Waits whose scope was given up: what the record still says of them nobody hears. */
  const dropped = new Set<string>()
  /**
   * Calls that were given up before the record knew of them. A replay drops such a call at once; so here nothing else is
   * answered until it has a trace or an end, or what is around it would come further than on replay.
   */
  const traceless = new Set<string>()
  /** Steps whose outcome has its place in the record, though it may not be there yet. */
  const placed = new Set<string>()
  const answers: Array<{ readonly path: string; readonly answer: Answer }> = []
  let cursor = 0
  let replaying = true
  const isNew = steps.size === 0
  let closed = false
  let pumping = false
  /** Groups that may have come to their end. */
  const joinable: Array<Group> = []
  /** How many scopes are neither waiting nor ended. */
  let running = 0
  /** How often one of them turned. */
  let turns = 0
  let ending: Exit.Exit<unknown, unknown> | undefined

  const stuck = (reason: StuckReason, path: string | undefined, why: string) => {
    if (closed) return
    closed = true
    crew.stuck({ reason, path, why })
  }

  const become = (scope: Scope, status: Status) => {
    if (scope.status === "running") running--
    if (status === "running") running++
    turns++
    scope.status = status
  }

  const nextOf = (scope: Scope, name: string): number => {
    const nth = (scope.counts.get(name) ?? 0) + 1
    scope.counts.set(name, nth)
    return nth
  }

  // Logs up to the last recorded step were written when it was asked for the first time.
  const isQuiet = () => crew.wantsMore() || (!isNew && (replaying || cursor < delivered.length))

  // ---- scopes

  const play = (scope: Scope, inherited: Context.Context<never>, effect: Effect.Effect<unknown, unknown>) => {
    running++
    const context = forScope(inherited, {
      seed: `${crew.runId}/${scope.path}`,
      now: () => {
        crew.wantsMore()
        return scope.stamp
      },
      refuse: (why) => stuck("defect", undefined, why),
      running: Running.of({ runId: crew.runId, ask: (step, asker) => ask(scope, step, asker), isQuiet })
    })
    const owned = Effect.withFiber<unknown, unknown>((fiber) => {
      scope.owner = fiber
      return effect
    })
    Effect.runForkWith(context)(owned).addObserver((exit) => ended(scope, exit))
  }

  const open = (path: string, group: Group | undefined, stamp: number): Scope => ({
    path,
    group,
    index: group?.scopes.length ?? 0,
    counts: new Map(),
    recorded: replaying ? (recordedScopes.get(path)?.slice() ?? []) : [],
    cursor: 0,
    owner: undefined,
    status: "running",
    givenUp: false,
    stamp,
    inFlight: undefined,
    joining: undefined
  })

  const ended = (scope: Scope, exit: Exit.Exit<unknown, unknown>) => {
    if (closed || scope.status === "ended") return
    become(scope, "ended")
    if (scope.givenUp) return cameToRest(scope)
    if (Exit.isFailure(exit) && !Cause.hasFails(exit.cause)) {
      return stuck("defect", undefined, `The body died: ${Cause.pretty(exit.cause)}`)
    }
    const leftOver = scope.recorded[scope.cursor]
    if (leftOver !== undefined) {
      return stuck(
        "diverged",
        leftOver,
        `The record goes on with ${leftOver}, the body ended ${scopeName(scope)} without it.`
      )
    }
    if (scope.group === undefined) ending = exit
    else branchEnded(scope.group, scope, exit)
    pump()
  }

  // ---- groups of branches

  const openGroup = (
    scope: Scope,
    step: Group["step"],
    asker: Fiber.Fiber<unknown, unknown>,
    resume: Group["resume"]
  ) => {
    const base = step.group === undefined ? undefined : Path.step(scope.path, step.group, nextOf(scope, step.group))
    const group: Group = {
      parent: scope,
      scopes: [],
      results: [],
      step,
      path: (segment) =>
        base === undefined ? Path.step(scope.path, segment, nextOf(scope, segment)) : Path.branch(base, segment),
      inherited: asker.context,
      resume,
      ended: 0,
      failure: undefined,
      isLed: false,
      isOpening: false
    }
    scope.joining = group
    become(scope, "joining")
    openBranches(group)
    if (group.step.branches.length === 0) joinable.push(group)
  }

  const openBranches = (group: Group) => {
    const { branches, concurrency } = group.step
    // A branch that ended at once: whoever opened it goes on. Each opening the next would take the stack for each.
    if (group.isOpening) return
    group.isOpening = true
    // Nothing is delivered before all of them have been opened.
    running++
    while (
      !closed &&
      group.failure === undefined &&
      !group.isLed &&
      group.scopes.length < branches.length &&
      group.scopes.length - group.ended < concurrency
    ) {
      const branch = branches[group.scopes.length]!
      const scope = open(group.path(branch.segment), group, group.parent.stamp)
      group.scopes.push(scope)
      play(scope, group.inherited, branch.effect as Effect.Effect<unknown, unknown>)
    }
    running--
    group.isOpening = false
  }

  const branchEnded = (group: Group, scope: Scope, exit: Exit.Exit<unknown, unknown>) => {
    group.ended++
    if (scope.stamp > group.parent.stamp) group.parent.stamp = scope.stamp
    if (Exit.isSuccess(exit)) {
      group.results[scope.index] = exit.value
      if (group.step.led === true && scope.index === 0) {
        group.isLed = true
        for (const sibling of group.scopes) giveUp(sibling)
      } else {
        openBranches(group)
      }
    } else if (group.failure === undefined) {
      group.failure = exit
      for (const sibling of group.scopes) giveUp(sibling)
    }
    if (mayBeOver(group)) joinable.push(group)
  }

  const mayBeOver = (group: Group) =>
    group.failure !== undefined || group.isLed || group.ended === group.step.branches.length

  const giveUp = (scope: Scope) => {
    if (scope.givenUp || scope.status === "ended") return
    scope.givenUp = true
    for (const inner of scope.joining?.scopes ?? []) giveUp(inner)
    if (scope.status === "running") become(scope, "asking")
    if (scope.inFlight === undefined) return
    const asked = waiting.get(scope.inFlight)
    if (asked?.asked.step._tag === "wait") {
      crew.givenUp(scope.inFlight)
      waiting.delete(scope.inFlight)
      dropped.add(scope.inFlight)
      held = held.filter((other) => other !== asked)
      scope.inFlight = undefined
    } else if (asked !== undefined && asked.asked.recorded === undefined && held.includes(asked)) {
      // What was never begun is not begun any more.
      held = held.filter((other) => other !== asked)
      scope.inFlight = undefined
    } else {
      if (!steps.has(scope.inFlight) && !placed.has(scope.inFlight)) traceless.add(scope.inFlight)
      crew.givenUp(scope.inFlight)
    }
  }

  const isAtRest = (scope: Scope): boolean =>
    scope.status === "ended" ||
    (scope.givenUp && scope.inFlight === undefined && (scope.joining?.scopes ?? []).every(isAtRest))

  /** Something in a scope that was given up has ended: the groups around it that failed may be at rest now. */
  const cameToRest = (scope: Scope) => {
    for (let group = scope.group; group !== undefined; group = group.parent.group) {
      if (group.failure !== undefined || group.isLed) joinable.push(group)
    }
    pump()
  }

  /** Answers the next scope whose branches have come to their end. Gives whether there was one. */
  const join = (): boolean => {
    const group = joinable.shift()
    if (group === undefined) return false
    const { parent } = group
    const isOver =
      group.failure === undefined && !group.isLed
        ? group.ended === group.step.branches.length
        : group.scopes.every(isAtRest)
    if (parent.joining !== group || parent.givenUp || !isOver) return true
    parent.joining = undefined
    const { failure } = group
    const savepoint = group.step.savepoint === true ? group.scopes[0]!.path : undefined
    if (failure !== undefined && savepoint !== undefined && !crew.passes(savepoint)) {
      askStep(parent, { _tag: "takeBack", name: savepoint, exit: failure }, savepoint, group.resume)
    } else {
      become(parent, "running")
      group.resume((failure ?? Exit.succeed(group.results)) as Effect.Effect<unknown, unknown>)
    }
    return true
  }

  // ---- steps

  const ask = (scope: Scope, step: Step, asker: Fiber.Fiber<unknown, unknown>): Effect.Effect<unknown, unknown> =>
    Effect.callback<unknown, unknown>((resume) => {
      if (closed || scope.givenUp) return
      const what = nameOf(step)
      if (scope.owner !== asker || scope.status !== "running") {
        return stuck(
          "defect",
          undefined,
          `${what} was asked for in ${scopeName(scope)} by another fiber than the scope's own. Nothing was done. ` +
            "Use Saga.all or Saga.forEach, which give each branch a scope of its own."
        )
      }
      if (step._tag === "branches") {
        if (crew.wantsMore()) return
        const { branches, group } = step
        const canName = (segment: string) => Path.isName(segment) || (group !== undefined && Path.isIndex(segment))
        const wrong =
          group !== undefined && !Path.isName(group)
            ? group
            : branches.find((branch) => !canName(branch.segment))?.segment
        if (wrong !== undefined)
          return stuck("defect", undefined, `${JSON.stringify(wrong)} cannot name a branch. ${nameRule}`)
        openGroup(scope, step, asker, resume)
        return pump()
      }
      if (!Path.isName(what))
        return stuck("defect", undefined, `${JSON.stringify(what)} cannot name a step. ${nameRule}`)
      askStep(scope, step, Path.step(scope.path, what, nextOf(scope, what)), resume)
    })

  /** What the record may go on without. */
  const isPatch = (step: SingleStep): boolean =>
    step._tag === "heard" || (step._tag === "record" && step.patch === true)

  /** The record goes on behind this patch without it, or nobody said anything: it leaves no trace. */
  const passOver = ({ asked, resume, scope }: Waiting) => {
    waiting.delete(asked.path)
    held = held.filter((other) => other.asked !== asked)
    scope.counts.set(nameOf(asked.step), scope.counts.get(nameOf(asked.step))! - 1)
    scope.inFlight = undefined
    if (scope.givenUp) return cameToRest(scope)
    become(scope, "running")
    resume(Effect.succeed(asked.step._tag === "heard" ? [] : false))
  }

  /**
   * Passes over a patch that keeps what is recorded at `path` from being asked for: one in the innermost scope around
   * that step, or in a branch of it that the record has left behind. Gives whether there was one.
   */
  const passOverBefore = (path: string): boolean => {
    let found: Waiting | undefined
    let depth = -1
    for (const entry of held) {
      if (!isPatch(entry.asked.step)) continue
      for (let scope: Scope | undefined = entry.scope; scope !== undefined; scope = scope.group?.parent) {
        if (!Path.isInside(path, scope.path) || scope.path.length <= depth) continue
        depth = scope.path.length
        found = entry
      }
    }
    if (found !== undefined) passOver(found)
    return found !== undefined
  }

  const askStep = (scope: Scope, step: SingleStep, path: string, resume: Waiting["resume"]) => {
    const expected = scope.recorded[scope.cursor]
    if (isPatch(step) && expected !== undefined && expected !== path) {
      const asked: Asked = { path, step, recorded: undefined, isGivenUp: () => scope.givenUp }
      return passOver({ asked, scope, resume })
    }
    const recorded = expected === undefined ? undefined : steps.get(expected)
    if (recorded !== undefined) {
      if (expected !== path) {
        return stuck("diverged", expected, `The record goes on with ${expected}, the body asked for ${path}.`)
      }
      const difference = crew.differs(step, recorded)
      if (difference !== undefined) return stuck("diverged", path, difference)
      scope.cursor++
    }
    const asked: Asked = { path, step, recorded, isGivenUp: () => scope.givenUp }
    const entry: Waiting = { asked, scope, resume }
    waiting.set(path, entry)
    scope.inFlight = path
    become(scope, "asking")
    if (replaying) {
      if (recorded === undefined || !hasOutcome(recorded)) held.push(entry)
    } else {
      crew.perform(asked)
    }
    pump()
  }

  const deliver = ({ asked, resume, scope }: Waiting, answer: Answer) => {
    traceless.delete(asked.path)
    placed.delete(asked.path)
    waiting.delete(asked.path)
    scope.inFlight = undefined
    if (answer.stamp > scope.stamp) scope.stamp = answer.stamp
    if (scope.givenUp) return cameToRest(scope)
    become(scope, "running")
    resume(answer.exit as Effect.Effect<unknown, unknown>)
  }

  const nextAnswer = () => {
    for (const path of traceless) if (steps.has(path)) traceless.delete(path)
    const at = traceless.size === 0 ? 0 : answers.findIndex(({ path }) => traceless.has(path))
    return at === -1 ? undefined : answers.splice(at, 1)[0]
  }

  /** Delivers the next recorded outcome. Gives whether there was one. */
  const deliverRecorded = (): boolean => {
    const path = delivered[cursor]
    if (path === undefined) return false
    cursor++
    const entry = waiting.get(path)
    if (entry === undefined) {
      if (dropped.has(path)) return true
      if (passOverBefore(path)) {
        cursor--
        return true
      }
      stuck("diverged", path, `The record goes on with the outcome of ${path}, which the body never asked for.`)
      return false
    }
    const recalled = crew.recall(entry.asked)
    if ("reason" in recalled) stuck(recalled.reason, recalled.path, recalled.why)
    else deliver(entry, recalled)
    return true
  }

  /** A call of the record without outcome that no scope waits for would be forgotten. */
  const forgotten = (): string | undefined => {
    for (const [path, step] of steps) {
      if (!hasOutcome(step) && !waiting.has(path) && !dropped.has(path)) return path
    }
    return undefined
  }

  const endReplay = () => {
    const path = forgotten()
    if (path !== undefined) {
      if (passOverBefore(path)) return
      return stuck("diverged", path, `The record has ${path} without an outcome, and the body never asked for it.`)
    }
    replaying = false
    crew.replayed()
    const starting = held
    held = []
    for (const { asked, scope } of starting) {
      if (closed) return
      if (!scope.givenUp || asked.recorded !== undefined) crew.perform(asked)
    }
  }

  /** Goes on for as long as something can happen without an answer from the engine. */
  const pump = () => {
    if (pumping) return
    pumping = true
    while (!closed && running === 0) {
      if (join()) continue
      if (cursor < delivered.length) {
        deliverRecorded()
        continue
      }
      if (replaying) {
        endReplay()
        continue
      }
      const next = nextAnswer()
      if (next !== undefined) {
        const entry = waiting.get(next.path)
        if (entry !== undefined) deliver(entry, next.answer)
        continue
      }
      if (ending !== undefined) {
        closed = true
        crew.ended(ending)
      } else {
        crew.still()
      }
      break
    }
    pumping = false
  }

  const root = open(Path.root, undefined, crew.startedAt)
  return {
    start: (body) => {
      // Not earlier: what a person said about a call in doubt is recorded just before.
      delivered = crew.state.delivered.slice()
      play(root, crew.context, body)
      pump()
    },
    placed: (path) => {
      placed.add(path)
      traceless.delete(path)
    },
    displaced: (path) => {
      placed.delete(path)
      if (waiting.get(path)?.scope.givenUp === true && !steps.has(path)) traceless.add(path)
    },
    answer: (path, answer) => {
      answers.push({ path, answer })
      pump()
    },
    pass: (path) => {
      const entry = waiting.get(path)
      if (entry !== undefined) passOver(entry)
    },
    isStill: () => !closed && !pumping && running === 0 && !replaying && answers.length === 0 && joinable.length === 0,
    busyAt: () => (closed || running === 0 ? undefined : turns),
    close: () => {
      closed = true
      waiting.clear()
      held = []
    }
  }
}
