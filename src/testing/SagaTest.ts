/**
 * SagaTest: break a saga on purpose, in every way there is, and see whether everything is made good.
 *
 * {@link explore} plays a saga once as it is, then once for each thing that can go wrong at each place: the worker dies
 * at a landmark, a reply is lost, a tool fails; then with two of them. After each the verdict is the same: the world is
 * whole, or it is as it was, or the run lists what stands; and the outbox agrees with the world (G1 to G11).
 *
 * Everything happens in virtual time and in memory, some hundred to some thousand scenarios a second, and the same
 * scenario is the same run each time. `Date` and `Math.random` are virtual too, and what a body sees of them differs
 * from one life of the worker to the next. Only one scenario is played at a time in a process. A saga of two calls has about a thousand scenarios, one
 * of seven about six thousand: give the test time for them, or fewer with {@link atMost} and {@link atATime}.
 *
 * **Example**
 *
 * ```ts
 * import { Effect, Schema } from "effect"
 * import { Failure, Saga, Tool } from "makegood"
 * import { FakeWorld, SagaTest } from "makegood/testing"
 *
 * class NoSeats extends Schema.TaggedError<NoSeats>()("NoSeats", {}) {}
 *
 * const HoldSeat = Tool.make("HoldSeat", {
 *   parameters: { tripId: Schema.String },
 *   success: Schema.Struct({ seat: Schema.String }),
 *   failure: NoSeats,
 *   execute: () => Effect.die("to be written"),
 *   compensate: () => Effect.die("to be written"),
 *   inDoubt: Tool.sameKey({ validFor: "1 day" }),
 *   classify: { NoSeats: Failure.permanent }
 * })
 *
 * const Trip = Saga.make("Trip", {
 *   version: 1,
 *   payload: { tripId: Schema.String },
 *   error: NoSeats,
 *   tools: [HoldSeat],
 *   idempotencyKey: ({ tripId }) => tripId
 * })
 * const TripLive = Trip.toLayer(({ tripId }) => Effect.asVoid(HoldSeat({ tripId })))
 *
 * export const test = SagaTest.explore(Trip, {
 *   layer: TripLive,
 *   payload: { tripId: "t1" },
 *   standIns: FakeWorld.standIns()
 * }).pipe(
 *   SagaTest.everyCrash,
 *   SagaTest.everyLostReply,
 *   SagaTest.everyFailure(["transient", "inDoubt", "permanent"]),
 *   SagaTest.expectMadeGood
 * )
 * ```
 *
 * It is an `Effect` and needs nothing, so it goes into `it.effect` of `@effect/vitest` as well as into
 * `test("...", () => Effect.runPromise(...))` of Node's own runner.
 *
 * **With a real Postgres**
 *
 * Virtual time and a database do not go together. To see a saga on a real Postgres, build your app as always, with
 * `FakeWorld.around` and `FakeWorld.layer` beside it, and read what became of a run with {@link record}: all claims of
 * this module can be made of it too. Faults happen there as here; to crash a worker, kill its process.
 *
 * ```ts
 * import { Effect, Layer, Schema } from "effect"
 * import { Saga, Tool, Worker } from "makegood"
 * import { Embedded } from "makegood/embedded"
 * import { Postgres } from "makegood/postgres"
 * import { FakeWorld, Fault, SagaTest } from "makegood/testing"
 *
 * const Ring = Tool.make("Ring", {
 *   parameters: {},
 *   execute: () => Effect.void,
 *   compensate: () => Effect.void,
 *   inDoubt: Tool.idempotent,
 *   timeout: "1 second"
 * })
 * const Bell = Saga.make("Bell", { version: 1, payload: {}, tools: [Ring], idempotencyKey: () => "bell" })
 * const BellLive = Bell.toLayer(() => Ring({}))
 *
 * const app = BellLive.pipe(
 *   FakeWorld.around(),
 *   Layer.provideMerge(FakeWorld.layer({ faults: [Fault.losesReply(Ring)] })),
 *   Layer.provideMerge(Worker.layer()),
 *   Layer.provide(Postgres.layer()),
 *   Layer.provide(Postgres.layerMigrations),
 *   Layer.provide(Embedded.layer({ directory: "node_modules/.bell" }))
 * )
 *
 * export const test = Effect.gen(function*() {
 *   const { runId } = yield* Bell.start({})
 *   yield* SagaTest.record(runId).pipe(SagaTest.completed, SagaTest.madeGood)
 * }).pipe(Effect.provide(app))
 * ```
 */
import { Effect, Pipeable, Stream } from "effect"
import type { Duration, Layer } from "effect"
import type { StuckReason } from "../outbox/Entry.ts"
import type { Outbox, Transactions } from "../outbox/Outbox.ts"
import type { Worker } from "../saga/internal/engine.ts"
import * as Runs from "../saga/Runs.ts"
import type * as Saga from "../saga/Saga.ts"
import type * as Failure from "../tool/Failure.ts"
import * as Approval from "../wait/Approval.ts"
import type * as WorkerLayer from "../worker/Worker.ts"
import { FakeWorld, type StandIns } from "./FakeWorld.ts"
import * as Claims from "./internal/claims.ts"
import * as Exploring from "./internal/exploring.ts"
import { replayLine } from "./internal/printing.ts"
import * as Report_ from "./internal/report.ts"
import type * as Playing from "./internal/played.ts"
import * as Scenario from "./internal/scenario.ts"
import { NotMadeGood, type Unexpected } from "./SagaTestError.ts"

export * from "./SagaTestError.ts"

/** Something that goes wrong: a `Fault`, a `Crash` or a `Cancel`. */
export type Mishap = Playing.Mishap

/** A run that was played, with all that is known of it. */
export type Played = Playing.Played

/** What a saga's layer finds around it here. */
export type Surroundings = Worker | Runs.Runs | Outbox | Transactions | FakeWorld

interface Common<Payload, W> {
  /** What the run is started with. */
  readonly payload: Payload
  /**
   * What is seen of the world from outside, as JSON. It is looked at before and after every run: where nothing stands by
   * the record it has to be as before, and where the same stands it has to be the same. Not needed for what lies on
   * shelves of `FakeWorld`; without either nothing can be judged, and {@link expectMadeGood} says so.
   */
  readonly look?: Effect.Effect<unknown, unknown, W | FakeWorld>
  /** What others do while the run goes on: send signals, start other runs, {@link approving}. Sleeps in virtual time. */
  readonly meanwhile?: (runId: string) => Effect.Effect<unknown, unknown, W | FakeWorld | Runs.Runs>
  /**
   * What is done once all runs have ended, with the run that was started: `Runs.undo`. What comes of it is broken and
   * judged like everything else.
   */
  readonly afterwards?: (run: Runs.Run) => Effect.Effect<unknown, unknown, W | FakeWorld | Runs.Runs>
  /** How the worker behaves. Default: as `Worker.layer` does, but looking for work every 10 seconds unless told. */
  readonly worker?: WorkerLayer.Options
}

/** A saga whose tools act on the fake services of `world`. */
export interface WithWorld<Payload, W> extends Common<Payload, W> {
  /** The saga's layer, and those of its children. */
  readonly layer: Layer.Layer<never, unknown, Surroundings | W>
  /** Other builds of it, which take its place in the worker's second life, in its third, and so on; the last one stays. */
  readonly deploys?: ReadonlyArray<Layer.Layer<never, unknown, Surroundings | W>>
  /**
   * What the tools act on; made anew for every scenario. May use shelves of `FakeWorld`. It answers from memory, or after
   * an `Effect.sleep`: real timers and sockets are not waited for.
   */
  readonly world: Layer.Layer<W, unknown, FakeWorld>
  readonly standIns?: never
}

/** A saga whose tools are stood in for, all or some. */
export interface WithStandIns<Payload, W> extends Common<Payload, W> {
  /** The saga's layer. Services that only tools with stand-ins use need not be there. */
  readonly layer: Layer.Layer<never, unknown, unknown>
  /** Other builds of it, which take its place in the worker's second life, in its third, and so on; the last one stays. */
  readonly deploys?: ReadonlyArray<Layer.Layer<never, unknown, unknown>>
  readonly standIns: StandIns
  /** What the other tools act on. */
  readonly world?: Layer.Layer<W, unknown, FakeWorld>
}

/** The saga under test: any that can be started with this payload. */
export interface Startable<in Payload> extends Saga.Any {
  readonly start: (payload: Payload) => Effect.Effect<Runs.Handle<unknown, unknown>, Runs.RunsError, Runs.Runs>
}

/** What is to be explored. */
export interface Exploration extends Pipeable.Pipeable {
  readonly "~makegood/Exploration": { readonly setting: Playing.Setting; readonly choice: Exploring.Choice }
}

/** What an exploration found out, where all is well. */
export interface Report {
  readonly scenarios: number
  /** How many scenarios there were beyond the limit of `atMost`. */
  readonly leftOut: number
  readonly millis: number
  /** How runs ended, and how many did so. */
  readonly ends: ReadonlyMap<string, number>
  /** How often a person had to be asked. */
  readonly questions: number
  readonly landmarks: { readonly reached: ReadonlyArray<string>; readonly never: ReadonlyArray<string> }
  readonly tools: { readonly called: ReadonlyArray<string>; readonly never: ReadonlyArray<string> }
  readonly compensations: { readonly exercised: ReadonlyArray<string>; readonly never: ReadonlyArray<string> }
  /** All of this, to be printed. */
  readonly text: string
}

const settingOf = <Payload, W>(
  saga: Startable<Payload>,
  options: WithWorld<Payload, W> | WithStandIns<Payload, W>,
  person: boolean
): Playing.Setting => ({
  name: saga.name,
  start: saga.start(options.payload),
  layer: options.layer,
  world: options.world,
  standIns: options.standIns,
  look: options.look,
  meanwhile: options.meanwhile,
  afterwards: options.afterwards,
  deploys: options.deploys ?? [],
  worker: { poll: "10 seconds", ...options.worker },
  person
})

// ---- exploring

const fromChoice = (setting: Playing.Setting, choice: Exploring.Choice): Exploration =>
  Object.assign(
    Object.create(Pipeable.Prototype) as Pipeable.Pipeable,
    {
      "~makegood/Exploration": { setting, choice }
    } as const
  )

const choosing =
  (more: Partial<Exploring.Choice>) =>
  (self: Exploration): Exploration => {
    const { choice, setting } = self["~makegood/Exploration"]
    return fromChoice(setting, { ...choice, ...more })
  }

/**
 * Names a saga to be explored: with `world` its tools are executed and act on fakes, with `standIns` they are not.
 *
 * What may go wrong is said by the functions that it is piped into, {@link everything} or one by one;
 * {@link expectMadeGood} makes an `Effect` of it. Scenarios have up to two mishaps, see {@link atATime}.
 */
export const explore: {
  <Payload, W>(saga: Startable<Payload>, options: WithWorld<NoInfer<Payload>, W>): Exploration
  <Payload, W = never>(saga: Startable<Payload>, options: WithStandIns<NoInfer<Payload>, W>): Exploration
} = <Payload, W>(saga: Startable<Payload>, options: WithWorld<Payload, W> | WithStandIns<Payload, W>): Exploration =>
  fromChoice(settingOf(saga, options, true), {
    crash: false,
    cancel: false,
    losesReply: false,
    hangs: false,
    twice: false,
    lateMillis: undefined,
    fails: new Set(),
    atATime: 2,
    most: 20_000,
    only: undefined
  })

/** The worker dies at every landmark, and after every change of a shelf, each time that it is reached. */
export const everyCrash: (self: Exploration) => Exploration = choosing({ crash: true })

/** Every call and compensation happens once with its reply lost. */
export const everyLostReply: (self: Exploration) => Exploration = choosing({ losesReply: true })

/** Every function of a tool once does nothing and never answers. */
export const everyHang: (self: Exploration) => Exploration = choosing({ hangs: true })

/** Every call and compensation that says it bears it is once asked for twice, as by a proxy that sends again. */
export const everyDuplicate: (self: Exploration) => Exploration = choosing({ twice: true })

/** A person cancels the run before every act and after every commit; at those of a child, its parent. */
export const everyCancel: (self: Exploration) => Exploration = choosing({ cancel: true })

/**
 * Every call and compensation once happens this much later than it was sent, whatever became of who sent it. With more
 * than its time-out it happens when a tool has long given it up.
 */
export const everyDelay = (millis: number): ((self: Exploration) => Exploration) => choosing({ lateMillis: millis })

/** Every function of a tool fails once with each failure that its tool declares in these classes. */
export const everyFailure = (classes: ReadonlyArray<Failure.Tag>): ((self: Exploration) => Exploration) =>
  choosing({ fails: new Set(classes) })

/** All of these, with failures of every class; all but delays. */
export const everything: (self: Exploration) => Exploration = choosing({
  crash: true,
  cancel: true,
  losesReply: true,
  hangs: true,
  twice: true,
  fails: new Set<Failure.Tag>(["transient", "rateLimited", "inDoubt", "model", "blocked", "permanent"])
})

/** How many mishaps a scenario has at most. Default: 2. The number of scenarios grows with this as its exponent. */
export const atATime = (mishaps: number): ((self: Exploration) => Exploration) => choosing({ atATime: mishaps })

/**
 * How many scenarios are played at most; those left out are spread evenly, and counted in the report. Default: 20,000.
 */
export const atMost = (scenarios: number): ((self: Exploration) => Exploration) => choosing({ most: scenarios })

/** Plays this one scenario and nothing else: what a failure prints, to replay it. */
export const only = (...mishaps: ReadonlyArray<Mishap>): ((self: Exploration) => Exploration) =>
  choosing({ only: mishaps })

/** Explores, and fails with the shortest history that was not made good. */
export const expectMadeGood = (self: Exploration): Effect.Effect<Report, NotMadeGood> => {
  const { choice, setting } = self["~makegood/Exploration"]
  return Effect.promise((signal) => Exploring.explore(setting, choice, signal)).pipe(
    Effect.flatMap((explored) => {
      const failed = Report_.shortest(explored.failed)
      if (failed === undefined) return Effect.succeed(reportOf(setting.name, explored))
      return Effect.fail(
        new NotMadeGood({
          saga: setting.name,
          scenarios: explored.scenarios,
          failed: explored.failed.length,
          wrongs: failed.wrongs,
          history: Report_.failureText(failed),
          replay: replayLine(failed.played.mishaps)
        })
      )
    })
  )
}

const reportOf = (saga: string, explored: Exploring.Explored): Report => ({
  scenarios: explored.scenarios,
  leftOut: explored.leftOut,
  millis: explored.millis,
  ends: explored.ends,
  questions: explored.questions,
  ...Report_.coverageOf(explored),
  text: Report_.reportText(saga, explored)
})

/**
 * People for `meanwhile`: whoever is asked for an approval decides as `decide` says, `after` so long (default: a minute).
 * `undefined` is for "not yet": they are asked again. They live as long as the scenario.
 */
export const approving =
  (
    decide: (request: Approval.Request) => "approve" | "reject" | undefined,
    options: { readonly after?: Duration.Input } = {}
  ) =>
  (): Effect.Effect<never, Runs.RunsError, Runs.Runs> => {
    const who = Approval.person("SagaTest")
    const one = (request: Approval.Request) => {
      const { digest, path, runId } = request
      const word = decide(request)
      if (word === undefined) return Effect.void
      // Who is too late is told so, and nothing is lost.
      return Effect.ignore(
        word === "approve"
          ? Runs.approve(runId, path, { digest }, who)
          : Runs.reject(runId, path, { digest, why: "SagaTest says no" }, who)
      )
    }
    return Effect.forever(
      Effect.andThen(Effect.sleep(options.after ?? "1 minute"), Stream.runForEach(Runs.approvals(), one))
    )
  }

// ---- single runs

/** Plays one run in virtual time, with these mishaps, until it ends or is stuck. Nobody answers where it asks a person. */
export const play: {
  <Payload, W>(
    saga: Startable<Payload>,
    options: WithWorld<NoInfer<Payload>, W> & { readonly mishaps?: ReadonlyArray<Mishap> }
  ): Effect.Effect<Played>
  <Payload, W = never>(
    saga: Startable<Payload>,
    options: WithStandIns<NoInfer<Payload>, W> & { readonly mishaps?: ReadonlyArray<Mishap> }
  ): Effect.Effect<Played>
} = <Payload, W>(
  saga: Startable<Payload>,
  options: (WithWorld<Payload, W> | WithStandIns<Payload, W>) & { readonly mishaps?: ReadonlyArray<Mishap> }
): Effect.Effect<Played> => Effect.promise(() => Scenario.play(settingOf(saga, options, false), options.mishaps ?? []))

/** Waits until a run has ended or is stuck, under the real clock and on any outbox, and gives what is known of it. */
export const record = (runId: string): Effect.Effect<Played, Runs.RunsError, Runs.Runs | FakeWorld> =>
  Effect.gen(function* () {
    const run = yield* Runs.settled(runId)
    const { world } = yield* FakeWorld
    const entries = yield* Runs.history(runId)
    const { stuck } = yield* Runs.get(runId)
    return {
      mishaps: [],
      points: [],
      took: [],
      run,
      stuck: stuck === undefined ? undefined : { ...stuck, path: stuck.path },
      evidence: { runs: [{ run, entries }], ledger: world.lines.filter((line) => line.runId === runId) },
      wrongs: world.wrongs.slice(),
      troubles: [],
      executions: world.executions.filter(({ call }) => call.runId === runId),
      tools: [],
      person: [],
      lives: 1,
      before: undefined,
      after: undefined
    }
  })

// ---- claims

type Hold = <E, R>(self: Effect.Effect<Played, E, R>) => Effect.Effect<Played, E | Unexpected, R>

type Named = string | { readonly name: string }

const nameOf = (tool: Named) => (typeof tool === "string" ? tool : tool.name)

/** The run completed. */
export const completed: Hold = Claims.hold("The run completed", Claims.isIn("completed"))

/** The run was rolled back, and nothing stands. */
export const rolledBack: Hold = Claims.hold("The run was rolled back", Claims.isIn("rolled_back"))

/** The run was rolled back as far as it could be. */
export const partlyRolledBack: Hold = Claims.hold("The run was partly rolled back", Claims.isIn("partly_rolled_back"))

/** The run is stuck for this reason. */
export const stuckWith = (reason: StuckReason): Hold =>
  Claims.hold(`The run is stuck: ${reason}`, Claims.isStuckWith(reason))

/** All calls of the tool that happened were taken back, and there were some. */
export const tookBack = (tool: Named): Hold =>
  Claims.hold(`${nameOf(tool)} was taken back`, Claims.isTakenBack(nameOf(tool)))

/** A call of the tool happened and was not taken back. */
export const stands = (tool: Named): Hold => Claims.hold(`${nameOf(tool)} stands`, Claims.stands(nameOf(tool)))

/** The tool was never executed. */
export const neverCalled = (tool: Named): Hold =>
  Claims.hold(`${nameOf(tool)} was never called`, Claims.isExecuted(nameOf(tool), 0))

/** The tool was executed once, all attempts counted. */
export const calledOnce = (tool: Named): Hold =>
  Claims.hold(`${nameOf(tool)} was called once`, Claims.isExecuted(nameOf(tool), 1))

/** The world is whole, or as it was, or the run says what stands; and the outbox agrees with the world. */
export const madeGood: Hold = Claims.hold("Everything was made good", Claims.isMadeGood)
