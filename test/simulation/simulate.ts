/**
 * One simulation: a few runs, workers that die, stop and stand still, an outbox and a world that err, and people, in
 * virtual time and from one seed. The same seed gives the same trace.
 */
import { Context, Effect, Exit, Layer, Scope } from "effect"
import { createHash } from "node:crypto"
import { Approval, Outbox, Runs, Worker } from "makegood"
import type { Stored } from "../../src/outbox/Entry.ts"
import * as Path from "../../src/outbox/Path.ts"
import * as Virtual from "../../src/testing/internal/virtual.ts"
import * as Landmark from "../../src/worker/Landmark.ts"
import { between, random } from "./chance.ts"
import { judge } from "./judge.ts"
import { type Life, seenBy, type Settings } from "./outbox.ts"
import { layerOf, Nudge, Parent } from "./program.ts"
import { World } from "./world.ts"

/** What was found; `wrongs` is empty where all is well. */
export interface Report {
  readonly wrongs: ReadonlyArray<string>
  /** How the runs ended. */
  readonly ends: ReadonlyArray<string>
  /** A hash of all that happened, in its order. */
  readonly trace: string
  readonly landmarks: ReadonlySet<string>
  readonly deaths: number
  readonly troubles: number
  /** Virtual time. */
  readonly millis: number
}

const leaseMillis = 4_000
const startedAt = 1_767_225_600_000
/** From then on nothing goes wrong any more. */
const calmMillis = 45_000
/** By then everything has ended. */
const endMillis = 400_000
const mostWakes = 200_000

const workerOptions = (name: string, isTold: boolean): Worker.Options => ({
  name,
  lease: leaseMillis,
  margin: 1_000,
  heartbeat: 1_300,
  poll: 1_000,
  grace: 700,
  hold: 300,
  ...(isTold ? { onRequest: () => Effect.void } : {})
})

/** Everything that depends on the seed alone. */
const planOf = (seed: number) => {
  const chance = random(seed * 31 + 7)
  const some = (share: number, most: number) => (chance() < share ? chance() * most : 0)
  return {
    runs: between(chance, 1, 3),
    workers: between(chance, 1, 3),
    worldTrouble: some(0.6, 0.2),
    outboxTrouble: some(0.6, 0.12),
    deaths: chance() < 0.25 ? 0 : between(chance, 1, 5),
    stops: chance() < 0.5 ? 0 : between(chance, 1, 3),
    cancels: chance() < 0.75 ? 0 : 1,
    holds: chance() < 0.85 ? 0 : 1,
    undoes: chance() < 0.12,
    skips: chance() < 0.1,
    pauses: chance() < 0.1,
    chance
  }
}

export const simulate = async (seed: number): Promise<Report> => {
  const { chance, ...plan } = planOf(seed)
  const virtual = Virtual.make(startedAt)
  const outsider: Virtual.Process = { name: "outside", alive: true }
  const context = virtual.contextOf(outsider, `outside ${seed}`)
  const outside = Effect.runForkWith(context)
  const trace = createHash("sha256")
  const landmarks = new Set<string>()
  let deaths = 0
  let troubles = 0
  /** What was sent to the outbox and has not arrived there. */
  let onTheirWay = 0
  let activity = 0
  const elapsed = () => virtual.now() - startedAt
  const isCalm = () => elapsed() > calmMillis
  const note = (...what: ReadonlyArray<unknown>) => {
    activity++
    trace.update(`${elapsed()} ${what.join(" ")}\n`)
  }

  const later = (millis: number, act: () => void) => {
    outside(Effect.sleep(millis)).addObserver(act)
  }

  const outbox = Context.get(
    Effect.runSyncWith(context)(Effect.scoped(Layer.build(Layer.fresh(Outbox.layerMemory)))),
    Outbox.Outbox
  )
  const people = Context.get(
    Effect.runSyncWith(Context.add(context, Outbox.Outbox, Landmark.marked(outbox)))(
      Effect.scoped(Layer.build(Runs.layer))
    ),
    Runs.Runs
  )
  const world = new World({
    chance: random(seed * 7 + 1),
    trouble: () => (isCalm() ? 0 : plan.worldTrouble),
    now: virtual.now,
    later
  })

  // ---- workers

  /** Random ids in the order in which they came up, so that traces can be compared. */
  const ids = new Map<string, string>()
  const nameOf = (id: unknown) => {
    const key = String(id)
    if (!ids.has(key)) ids.set(key, `w${ids.size}`)
    return ids.get(key)
  }
  let turned = true
  const settings: Settings = {
    chance: random(seed * 13 + 5),
    trouble: () => (isCalm() ? 0 : plan.outboxTrouble),
    later: (millis, act) => {
      onTheirWay++
      later(millis, () => {
        onTheirWay--
        act()
      })
    },
    outside,
    failed: () => void troubles++,
    done: (process, name, args, exit) => {
      const [first] = args as ReadonlyArray<Record<string, unknown>>
      if (name === "register") nameOf(first?.["id"])
      if (name === "append") {
        const { appendId, change, entries, epoch, runId, seq } = args[0] as Outbox.Append
        if (change !== undefined) turned = true
        note(
          process.name,
          name,
          runId,
          epoch,
          appendId,
          seq,
          entries.map(({ _tag }) => _tag).join(),
          change?.state,
          outcomeOf(exit)
        )
      } else if (name === "claim") {
        const claims = Exit.isSuccess(exit) ? (exit.value as ReadonlyArray<Outbox.Claim>) : []
        note(process.name, name, claims.map(({ epoch, run, seq }) => `${run.runId}/${epoch}/${seq}`).join())
      } else note(process.name, name)
    }
  }

  /** How many lives are still to end by death. */
  let mortal = plan.deaths
  /** How many are still to stand still for a while. */
  let stops = plan.stops
  const lives: Array<Virtual.Process> = []

  const beginLife = (slot: number) => {
    const process: Virtual.Process = { name: `${slot}.${lives.length}`, alive: true }
    lives.push(process)
    const scope = Scope.makeUnsafe()
    const willDie = mortal > 0 && chance() < 0.8
    if (willDie) mortal--
    let left = willDie ? 1 + Math.floor(chance() ** 2 * 90) : Number.POSITIVE_INFINITY
    const willStop = stops > 0 && chance() < 0.7
    if (willStop) stops--
    let untilStop = willStop ? 1 + Math.floor(chance() ** 2 * 60) : Number.POSITIVE_INFINITY
    const isGraceful = chance() < 0.2
    const leave = () => {
      deaths++
      note(process.name, isGraceful ? "stops" : "dies")
      later(between(chance, 0, 6_000), () => beginLife(slot))
      if (!isGraceful) return void (process.alive = false)
      Effect.runForkWith(virtual.contextOf(process, "stopping"))(Scope.close(scope, Exit.void)).addObserver(() => {
        process.alive = false
      })
    }
    const standStill = () => {
      note(process.name, "stands still")
      process.stopped = true
      later(between(chance, 500, 2 * leaseMillis), () => (process.stopped = false))
    }
    const life: Life = {
      process,
      beat: () => {
        activity++
        if (--untilStop === 0) standStill()
        if (--left === 0) leave()
      }
    }
    const around = virtual.contextOf(process, `${seed} ${process.name}`)
    const layer = layerOf(world, life).pipe(
      Layer.provideMerge(Worker.layer(workerOptions(process.name, slot === 0))),
      Layer.provide(Layer.succeed(Outbox.Outbox, seenBy(life, outbox, settings)))
    )
    const build = Effect.runForkWith(around)(Layer.buildWithScope(layer, scope))
    build.addObserver((exit) => {
      // It could not register, as a process whose database is away: it is started again.
      if (!process.alive) return
      if (Exit.isFailure(exit)) {
        process.alive = false
        later(500, () => beginLife(slot))
        return
      }
      begun(slot, process, exit.value)
    })
  }

  // ---- runs, and people

  let started = 0
  const begun = (slot: number, process: Virtual.Process, built: Context.Context<Worker.Worker | Runs.Runs>) => {
    if (slot !== 0 || started >= plan.runs) return
    for (let index = started; index < plan.runs; index++) {
      const wait = between(chance, 0, 800)
      Effect.runForkWith(virtual.contextOf(process, "start"))(
        Effect.andThen(Effect.sleep(wait), start(index).pipe(Effect.provideContext(built), Effect.ignore))
      )
    }
  }
  const start = (index: number) => Parent.start({ id: `${index}`, seed: seed * 10 + index })

  const by = { by: "somebody" }
  let word = 0
  const say = (what: string, effect: Effect.Effect<unknown, unknown>) => {
    note("people", what)
    outside(Effect.exit(effect))
  }
  const runsOf = () => Effect.runSync(outbox.list({ limit: 1_000 }))
  const anyRun = (act: (run: Outbox.Run) => void) => {
    const open = runsOf().filter((run) => run.undoes === undefined && !Outbox.isEnd(run.state))
    const run = open[Math.floor(chance() * open.length)]
    if (run !== undefined) act(run)
  }
  const some = (count: number, withinMillis: number, act: () => void) => {
    for (let index = 0; index < count; index++) later(between(chance, 0, withinMillis), act)
  }

  /** Who starts runs asks again until they are there. */
  const ask = () => {
    for (let index = 0; index < plan.runs; index++) {
      say("start", Effect.provideService(start(index), Runs.Runs, people))
    }
    started = plan.runs
  }
  later(5_000, ask)

  const answered = new Set<string>()
  /** People look at what is asked of them every few seconds. */
  const look = () => {
    for (const { digest, path, runId } of Effect.runSync(outbox.gate.requests({ limit: 100 })).requests) {
      const what = `${runId} ${path} ${digest}`
      if (answered.has(what)) continue
      answered.add(what)
      const dice = chance()
      const person = Approval.person("somebody")
      const id = `word-${++word}`
      if (dice < 0.1) {
        const link = people.decisionLink(runId, path, { digest, who: person, expires: "1 minute" })
        say(
          "link",
          Effect.flatMap(link, (token) => people.decide(token, { approve: {} }))
        )
      } else if (dice < 0.65) say("approve", people.approve(runId, path, { digest, id }, person))
      else if (dice < 0.85) say("reject", people.reject(runId, path, { digest, id, why: "no" }, person))
    }
    for (const run of runsOf()) {
      if (run.state === "stuck") decide(run)
      else if (run.state === "pending" || run.state === "waiting" || run.state === "running") {
        const nudge = `nudge-${run.runId}`
        if (!answered.has(nudge) && chance() < 0.2) {
          answered.add(nudge)
          say("nudge", people.signal(run.runId, Nudge, undefined, { ...by, id: nudge }))
        }
      }
    }
    later(between(chance, 700, 3_000), look)
  }
  later(1_000, look)

  const decide = (run: Outbox.Run) => {
    const { runId, stuckReason: reason } = run
    const who = { ...by, id: `word-${++word}` }
    const stuck = entriesOf(runId).findLast(({ entry }) => entry._tag === "stuck")?.entry
    if (reason === "in_doubt" && stuck?._tag === "stuck" && stuck.path !== undefined) {
      resolve(run, stuck.path, who)
    } else if (reason !== "diverged" && reason !== "defect" && reason !== "no_handler" && reason !== "undecodable") {
      say("resume", people.resume(runId, who))
    }
  }
  /** Says what became of a call or a compensation, by looking at the world. */
  const resolve = (run: Outbox.Run, path: string, who: Runs.Who & { readonly id: string }) => {
    const of = Path.compensatedBy(path)
    const key = keyOf(run, path)
    const act = world.acts.get(keyOf(run, of ?? path) ?? "")
    const happened = of === undefined ? act !== undefined : act?.undone === true && key !== undefined
    const value = of === undefined ? (act?.value ?? null) : null
    say("resolve", people.resolve(run.runId, path, happened ? { happened: value } : { didNotHappen: true }, who))
  }
  const entriesOf = (runId: string) => Effect.runSync(outbox.entries(runId, { from: 0 }))
  const keyOf = ({ runId, undoes }: Outbox.Run, path: string) =>
    [...entriesOf(runId), ...(undoes === undefined ? [] : entriesOf(undoes))].flatMap(({ entry }) =>
      entry._tag === "intended" && entry.path === path ? entry.key : []
    )[0]

  some(plan.cancels, 8_000, () => anyRun(({ runId }) => say("cancel", people.cancel(runId, { ...by, id: "cancel" }))))
  some(plan.holds, 6_000, () =>
    anyRun(({ runId }) => {
      say("hold", people.hold(runId, { ...by, id: "hold" }))
      later(between(chance, 100, 8_000), () => say("release", people.release(runId, { ...by, id: "release" })))
    })
  )
  if (plan.pauses) {
    later(between(chance, 0, 2_000), () => say("pause", people.pause("Keyed", by, { compensations: true })))
    later(between(chance, 3_000, 9_000), () => say("unpause", people.unpause("Keyed", by)))
  }
  if (plan.skips) {
    later(between(chance, 500, 4_000), () =>
      anyRun((run) => {
        const paths = entriesOf(run.runId).flatMap(({ entry }) =>
          entry._tag === "succeeded" && Path.compensatedBy(entry.path) === undefined ? entry.path : []
        )
        const path = paths[Math.floor(chance() * paths.length)]
        if (path !== undefined) say("skip", people.skip(run.runId, path, { ...by, id: "skip" }))
      })
    )
  }

  // ---- time

  const microtasks = async () => {
    for (let tick = 0; tick < 4; tick++) await Promise.resolve()
  }
  const quiesce = async () => {
    while (true) {
      const before = activity
      if (virtual.drain()) continue
      await microtasks()
      if (!virtual.drain() && activity === before) return
    }
  }

  let undone = !plan.undoes
  let isEnded = false
  /** Whether everything has ended, and what was late has come. */
  const isOver = (): boolean => {
    if (isEnded) return onTheirWay === 0
    if (!turned) return false
    turned = false
    const all = runsOf()
    const roots = all.filter(({ parent, undoes }) => parent === undefined && undoes === undefined)
    if (roots.length < plan.runs || !all.every((run) => Outbox.isEnd(run.state))) return false
    if (!undone) {
      undone = true
      const run = roots.find(({ state }) => state === "completed")
      if (run !== undefined) {
        say("undo", people.undo(run.runId, { ...by, id: "undo" }))
        later(100, () => (turned = true))
        return false
      }
    }
    isEnded = true
    return onTheirWay === 0
  }

  Landmark.listen((name) => {
    landmarks.add(name)
    note(name)
  })
  try {
    for (let slot = 0; slot < plan.workers; slot++) beginLife(slot)
    let wakes = 0
    while (true) {
      await quiesce()
      if (isOver() || elapsed() > endMillis || ++wakes > mostWakes) break
      if (!virtual.wakeNext()) break
    }
    for (const process of lives) process.alive = false
    outsider.alive = false
    const runs = runsOf().map((run) => ({ run, entries: entriesOf(run.runId) }))
    const wrongs = judge(world, runs)
    for (const { entries, run } of runs) {
      for (const { entry } of entries) trace.update(entry._tag)
      if (process.env["MAKEGOOD_SHOW"] !== undefined) show(run, entries)
    }
    return {
      wrongs,
      ends: runs.map(({ run }) => run.state),
      trace: trace.digest("hex"),
      landmarks,
      deaths,
      troubles,
      millis: elapsed()
    }
  } finally {
    Landmark.listen(undefined)
  }
}

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): string =>
  Exit.isSuccess(exit) ? (exit.value as { readonly _tag: string })._tag : "failed"

/** Prints a run, for whoever looks into a failure: `MAKEGOOD_SHOW=1`. */
const show = (run: Outbox.Run, entries: ReadonlyArray<Stored>) => {
  console.log(`${run.saga} ${run.runId} ${run.key}: ${run.state}`)
  for (const { at, entry, epoch, seq } of entries) {
    console.log(at - startedAt, seq, epoch, JSON.stringify(entry).slice(0, 200))
  }
}
