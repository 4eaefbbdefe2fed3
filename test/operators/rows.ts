/**
 * What becomes of each of Effect's operators in the body of a saga.
 *
 * This is the one place where it is written down. `operators.test.ts` plays every row against the engine, or compiles it,
 * and the tables of `docs/operators.md` are printed from here.
 */
import {
  Cause,
  Clock,
  Context,
  DateTime,
  Deferred,
  Effect,
  Exit,
  Fiber,
  Queue,
  Random,
  Ref,
  Schedule,
  Schema,
  type Scope,
  Semaphore,
  Stream
} from "effect"
import { Failure, Saga, Signal, Timer, Tool } from "makegood"
import type { Message } from "./messages.ts"

export class Refused extends Schema.TaggedError<Refused>()("Refused", {}) {}

const manner = {
  parameters: { of: Schema.String },
  success: Schema.String,
  failure: Refused,
  execute: () => Effect.die("to be written"),
  compensate: () => Effect.die("to be written"),
  inDoubt: Tool.sameKey({ validFor: "1 day" }),
  classify: { Refused: Failure.permanent }
} as const

/** Both answer with what they are given. */
export const A = Tool.make("A", manner)
export const B = Tool.make("B", manner)
/** Refuses always. */
export const No = Tool.make("No", manner)

const a = A({ of: "a" })
const b = B({ of: "b" })
const no = No({ of: "no" })

type Running = Saga.Running | Tool.Listed<"A" | "B" | "No"> | Scope.Scope
export type Body = Effect.Effect<unknown, unknown, Running>

interface Common {
  /** The title of its test, too. */
  readonly operator: string
  /** What happens, in a few words. */
  readonly so: string
  /** What to use instead, or how. */
  readonly use: string
}

/** It works, wherever the worker dies on the way. */
export interface Works extends Common {
  readonly becomes: "works" | "durable"
  readonly body: () => Body
  /** The same with the other operators that the row names. */
  readonly also?: ReadonlyArray<() => Body>
  /** What the body gives, however often it is played again. Absent: it depends on when it is played. */
  readonly gives?: Schema.Json
  /** So often a log or a span named "seen" is there, over both lives of a worker that died once, after it. */
  readonly seen?: number
}

/** The run is stuck, and nothing was undone. `diverged`: once it is played again after its worker died. */
export interface Stuck extends Common {
  readonly becomes: "stuck: defect" | "stuck: diverged"
  readonly body: () => Body
  /** The same with the other operators that the row names. */
  readonly also?: ReadonlyArray<() => Body>
  readonly says: Message
}

/** It is no program. */
export interface Refusal extends Common {
  readonly becomes: "does not compile"
  /** The body of the saga. */
  readonly program: string
  readonly says: Message
}

/** The run goes on waiting, and nothing says so. */
export interface Hangs extends Common {
  readonly becomes: "waits for ever"
  readonly body: () => Body
}

export type Row = Works | Stuck | Hangs | Refusal

class Greeting extends Context.Service<Greeting, { readonly hello: string }>()("Greeting") {}

const ready = Signal.make("ready")

/** What the rows are about, in the order of the page. */
export const groups = {
  "Waiting and trying again": [
    {
      operator: "Effect.sleep",
      becomes: "stuck: defect",
      body: () => Effect.sleep("1 second"),
      says: "time",
      so: "it would not outlive the process",
      use: "`Timer.sleep`, `Timer.until`"
    },
    {
      operator: "Effect.delay",
      becomes: "stuck: defect",
      body: () => Effect.delay(a, "1 second"),
      says: "time",
      so: "as `Effect.sleep`",
      use: "`Timer.sleep` before it"
    },
    {
      operator: "Timer.sleep",
      becomes: "durable",
      body: () => Timer.sleep("3 days").pipe(Effect.andThen(a)),
      gives: "a",
      so: "the run is let go and taken up again when its time has come",
      use: ""
    },
    {
      operator: "Effect.retry of a call, with a schedule that waits",
      becomes: "stuck: defect",
      body: () => Effect.retry(no, Schedule.spaced("1 second")),
      says: "time",
      so: "the first try is made; the pause is refused",
      use: "the tool's `retry`, whose pauses are durable"
    },
    {
      operator: "Effect.retry of a call, without pauses",
      becomes: "works",
      body: () => Effect.exit(Effect.retry(no, Schedule.recurs(2))).pipe(Effect.map(Exit.isFailure)),
      gives: true,
      so: "each try is a call of its own, with a key of its own",
      use: "the tool's `retry`, which tries again under one key"
    },
    {
      operator: "Effect.repeat and Effect.schedule that wait",
      becomes: "stuck: defect",
      body: () => Effect.repeat(a, Schedule.spaced("1 second")),
      also: [() => Effect.schedule(a, Schedule.spaced("1 second"))],
      says: "time",
      so: "the first round is made; the pause is refused",
      use: "a loop with `Timer.sleep` in it"
    },
    {
      operator: "Effect.repeat without pauses",
      becomes: "works",
      body: () => Effect.repeat(a, { times: 2 }),
      gives: "a",
      so: "each round is a call of its own: `A`, `A~2`, `A~3`",
      use: ""
    },
    {
      operator: "Effect.timeout and Effect.timeoutOption of a call",
      becomes: "stuck: defect",
      body: () => Effect.timeoutOption(a, "1 second"),
      also: [() => Effect.timeout(a, "1 second")],
      says: "fiber",
      so: "the call would run in a fiber beside the limit's",
      use: "the tool's `timeout`, or `Saga.within`"
    },
    {
      operator: "Effect.timeout of what is no step",
      becomes: "stuck: defect",
      body: () => Effect.timeout(Effect.never, "1 second"),
      says: "time",
      so: "as `Effect.sleep`",
      use: "`Saga.within` around steps"
    },
    {
      operator: "Saga.within",
      becomes: "durable",
      body: () => Effect.flip(Saga.within(ready.await(), "1 hour")).pipe(Effect.map(({ _tag }) => _tag)),
      gives: "DeadlinePassed",
      so: "its time goes on while nobody is there; calls in flight are awaited",
      use: ""
    }
  ],
  "Side by side": [
    {
      operator: "Effect.all one after the other",
      becomes: "works",
      body: () => Effect.all([a, b]),
      gives: ["a", "b"],
      so: "as in a generator",
      use: ""
    },
    {
      operator: "Effect.all with concurrency",
      becomes: "stuck: defect",
      body: () => Effect.all([a, b], { concurrency: "unbounded" }),
      says: "fiber",
      so: "which came first would differ from life to life",
      use: "`Saga.all`"
    },
    {
      operator: "Effect.forEach one after the other",
      becomes: "works",
      body: () => Effect.forEach(["x", "y"], (of) => A({ of })),
      gives: ["x", "y"],
      so: "as in a generator",
      use: ""
    },
    {
      operator: "Effect.forEach with concurrency",
      becomes: "stuck: defect",
      body: () => Effect.forEach(["x", "y"], (of) => A({ of }), { concurrency: 2 }),
      says: "fiber",
      so: "as `Effect.all` with concurrency",
      use: "`Saga.forEach`, which takes a `concurrency`"
    },
    {
      operator: "Saga.all and Saga.forEach",
      becomes: "durable",
      body: () => Saga.all({ one: a, others: Saga.forEach(["x", "y"], (of) => B({ of }), { concurrency: 1 }) }),
      gives: { one: "a", others: ["x", "y"] },
      so: "each branch is a scope of its own, with paths, clock and chance of its own",
      use: ""
    },
    {
      operator: "Effect.race",
      becomes: "stuck: defect",
      body: () => Effect.race(a, b),
      says: "fiber",
      so: "who loses would be left in doubt",
      use: "`Saga.within` for a limit, `Saga.all` for both"
    },
    {
      operator: "Effect.raceFirst and Effect.raceAll",
      becomes: "stuck: defect",
      body: () => Effect.raceFirst(a, b),
      also: [() => Effect.raceAll([a, b])],
      says: "fiber",
      so: "as `Effect.race`",
      use: "`Saga.within` for a limit, `Saga.all` for both"
    },
    {
      operator: "Effect.forkChild and Effect.forkScoped of a call",
      becomes: "stuck: defect",
      body: () => Effect.flatMap(Effect.forkChild(a), Fiber.join),
      also: [() => Effect.scoped(Effect.flatMap(Effect.forkScoped(a), Fiber.join))],
      says: "fiber",
      so: "a step is asked for by its scope's own fiber",
      use: "`Saga.all`; a child saga for what is to be looked at by itself"
    },
    {
      operator: "Effect.forkDetach of a call",
      becomes: "stuck: defect",
      body: () => Effect.flatMap(Effect.forkDetach(a), Fiber.join),
      says: "fiber",
      so: "nobody would wait for it, and nobody take it back",
      use: "a saga of its own, started from outside"
    },
    {
      operator: "Effect.forkChild of what is no step",
      becomes: "works",
      body: () =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(Effect.succeed("joined"))
          yield* a
          return yield* Fiber.join(fiber)
        }),
      gives: "joined",
      so: "it is run again whenever the body is",
      use: ""
    },
    {
      operator: "Stream.mapEffect one after the other",
      becomes: "works",
      body: () => Stream.runCollect(Stream.mapEffect(Stream.make("x", "y"), (of) => A({ of }))),
      gives: ["x", "y"],
      so: "as `Effect.forEach`; with `concurrency` it is `stuck: defect`",
      use: "`Saga.forEach` for what goes on side by side"
    },
    {
      operator: "Deferred between branches",
      becomes: "waits for ever",
      body: () =>
        Effect.gen(function* () {
          const found = yield* Deferred.make<string>()
          const [, other] = yield* Saga.all([
            Effect.flatMap(a, (value) => Deferred.succeed(found, value)),
            Effect.flatMap(Deferred.await(found), (of) => B({ of }))
          ])
          return other
        }),
      so: "no step begins and no outcome is given while a branch is busy with something that is no step",
      use: "what `Saga.all` gives, and the next step after it"
    },
    {
      operator: "Queue between branches",
      becomes: "waits for ever",
      body: () =>
        Effect.gen(function* () {
          const queue = yield* Queue.unbounded<string>()
          const [, taken] = yield* Saga.all([
            Effect.flatMap(a, (value) => Queue.offer(queue, value)),
            Effect.flatMap(Queue.take(queue), (of) => B({ of }))
          ])
          return taken
        }),
      so: "as `Deferred`",
      use: "`Signal` for what comes from outside"
    },
    {
      operator: "Semaphore around calls of branches",
      becomes: "waits for ever",
      body: () =>
        Effect.gen(function* () {
          const semaphore = yield* Semaphore.make(1)
          return yield* Saga.all([semaphore.withPermit(a), semaphore.withPermit(b)])
        }),
      so: "as `Deferred`, where two branches want it",
      use: "`concurrency` of `Saga.all`; `Saga.lock` between runs; a tool's `limits` for its target"
    }
  ],
  "Failures, and what is done at the end": [
    {
      operator: "Effect.catch, Effect.catchTag, Effect.exit, Effect.result",
      becomes: "works",
      body: () => Effect.catchTag(no, "Refused", () => b),
      also: [
        () => Effect.catch(no, () => b),
        () => Effect.flatMap(Effect.exit(no), () => b),
        () => Effect.flatMap(Effect.result(no), () => b)
      ],
      gives: "b",
      so: "a failure that is caught takes nothing back",
      use: "`Saga.savepoint` to take back what came before it"
    },
    {
      operator: "Effect.catchCause and Effect.sandbox",
      becomes: "works",
      body: () => Effect.catchCause(no, (cause) => Effect.succeed(Cause.hasFails(cause))),
      also: [() => Effect.map(Effect.flip(Effect.sandbox(no)), Cause.hasFails)],
      gives: true,
      so: "they see failures and bugs of the body, never what the engine decides",
      use: ""
    },
    {
      operator: "Effect.orDie and Effect.die",
      becomes: "stuck: defect",
      body: () => Effect.orDie(no),
      also: [() => Effect.andThen(a, Effect.die("a bug"))],
      says: "died",
      so: "a bug takes nothing back: mend it, deploy, `Runs.resume`",
      use: "a declared failure, which takes the run back"
    },
    {
      operator: "a throw",
      becomes: "stuck: defect",
      body: () =>
        Effect.map(a, () => {
          throw new TypeError("a bug in the body")
        }),
      says: "died",
      so: "as `Effect.die`",
      use: "a declared failure, which takes the run back"
    },
    {
      operator: "Effect.interrupt",
      becomes: "stuck: defect",
      body: () => Effect.andThen(a, Effect.interrupt),
      says: "died",
      so: "a body ends by its return, its failure or a bug",
      use: "a declared failure; `Runs.cancel` from outside"
    },
    {
      operator: "Effect.fail of what the saga does not declare",
      becomes: "does not compile",
      program: 'Effect.fail("not declared" as const)',
      says: "undeclared",
      so: "what a run fails with is recorded by its schema",
      use: "`error` of `Saga.make`"
    },
    {
      operator: "Effect.acquireRelease and Effect.acquireUseRelease",
      becomes: "works",
      body: () => Effect.scoped(Effect.acquireRelease(a, () => Effect.ignore(b))),
      also: [
        () =>
          Effect.acquireUseRelease(
            a,
            (of) => A({ of }),
            () => Effect.ignore(b)
          )
      ],
      gives: "a",
      so: "steps may be in both; where the run is stuck, cancelled or put down the release is not run",
      use: "the tool's `compensate` for what has to be taken back"
    },
    {
      operator: "Effect.ensuring and Effect.onExit",
      becomes: "works",
      body: () => Effect.ensuring(a, Effect.ignore(b)),
      also: [() => Effect.onExit(a, () => Effect.ignore(b))],
      gives: "a",
      so: "as a release: for where the body itself comes by",
      use: "the tool's `compensate` for what has to be taken back"
    },
    {
      operator: "Effect.uninterruptible",
      becomes: "works",
      body: () => Effect.uninterruptible(a),
      gives: "a",
      so: "changes nothing: nobody interrupts a body, and calls in flight are awaited",
      use: ""
    }
  ],
  "Time, chance, and what differs each time": [
    {
      operator: "Clock and DateTime.now",
      becomes: "durable",
      body: () =>
        Effect.gen(function* () {
          yield* a
          yield* A({ of: String(yield* Clock.currentTimeMillis) })
          return yield* B({ of: DateTime.formatIso(yield* DateTime.now) })
        }),
      so: "they show when the last outcome came to this scope, and stand still between steps",
      use: ""
    },
    {
      operator: "Random",
      becomes: "durable",
      body: () =>
        Effect.gen(function* () {
          yield* A({ of: String(yield* Random.nextInt) })
          return yield* B({ of: String(yield* Random.nextInt) })
        }),
      so: "it is seeded by run and scope: the same numbers each time",
      use: ""
    },
    {
      operator: "Date.now() and new Date()",
      becomes: "stuck: diverged",
      body: () =>
        Effect.andThen(
          Effect.suspend(() => A({ of: String(Date.now()) })),
          b
        ),
      also: [
        () =>
          Effect.andThen(
            Effect.suspend(() => A({ of: new Date().toISOString() })),
            b
          )
      ],
      says: "otherwise",
      so: "nobody notices before the run is played again",
      use: "`Clock`, `DateTime.now`"
    },
    {
      operator: "Math.random()",
      becomes: "stuck: diverged",
      body: () =>
        Effect.andThen(
          Effect.suspend(() => A({ of: String(Math.random()) })),
          b
        ),
      says: "otherwise",
      so: "nobody notices before the run is played again",
      use: "`Random`; `Saga.record` for ids"
    },
    {
      operator: "Effect.promise of something else each time",
      becomes: "stuck: diverged",
      body: () =>
        Effect.flatMap(
          Effect.promise(async () => String(Math.random())),
          (of) => Effect.andThen(A({ of }), b)
        ),
      says: "otherwise",
      so: "it is run again whenever the body is",
      use: "a tool, or `Saga.record`"
    },
    {
      operator: "Effect.promise of the same each time",
      becomes: "works",
      body: () =>
        Effect.flatMap(
          Effect.promise(async () => "same"),
          (of) => A({ of })
        ),
      gives: "same",
      so: "it is run again whenever the body is, and must not act on the world",
      use: "a tool for whatever acts"
    },
    {
      operator: "Saga.record",
      becomes: "durable",
      body: () => {
        const id = Effect.sync(() => String(Math.random()))
        return Effect.flatMap(Saga.record("id", Schema.String, id), (of) => Effect.andThen(A({ of }), B({ of })))
      },
      so: "the first value that was written is the one each replay sees",
      use: ""
    },
    {
      operator: "Effect.yieldNow",
      becomes: "works",
      body: () => Effect.andThen(Effect.yieldNow, a),
      gives: "a",
      so: "as anywhere",
      use: ""
    }
  ],
  "State, services, and what is seen": [
    {
      operator: "Ref",
      becomes: "works",
      body: () =>
        Effect.gen(function* () {
          const ref = yield* Ref.make(0)
          yield* Effect.repeat(
            Effect.andThen(
              a,
              Ref.update(ref, (n) => n + 1)
            ),
            { times: 2 }
          )
          return yield* Ref.get(ref)
        }),
      gives: 3,
      so: "a value in memory, which the replay makes again",
      use: ""
    },
    {
      operator: "Effect.log",
      becomes: "works",
      body: () => Effect.andThen(a, Effect.andThen(Effect.log("seen"), b)),
      gives: "b",
      seen: 1,
      so: "silent while what is recorded is played again",
      use: ""
    },
    {
      operator: "Effect.withSpan",
      becomes: "works",
      body: () => Effect.andThen(a, Effect.andThen(Effect.withSpan(Effect.void, "seen"), b)),
      gives: "b",
      seen: 1,
      so: "not sampled while what is recorded is played again",
      use: ""
    },
    {
      operator: "Effect.provideService",
      becomes: "works",
      body: () =>
        Effect.provideService(
          Greeting.use(({ hello }) => A({ of: hello })),
          Greeting,
          { hello: "hello" }
        ),
      gives: "hello",
      so: "for services that are the same each time",
      use: ""
    },
    {
      operator: "a service that the body asks for",
      becomes: "does not compile",
      program: "Service.use(({ name }) => Effect.succeed(name))",
      says: "service",
      so: "what it answered would not be recorded",
      use: "a tool, or `Saga.record`"
    },
    {
      operator: "a tool that the saga does not list",
      becomes: "does not compile",
      program: "Unlisted({})",
      says: "unlisted",
      so: "a rollback could not find it",
      use: "`tools` of `Saga.make`"
    },
    {
      operator: "start and execute of a saga",
      becomes: "does not compile",
      program: "Trip.start({})",
      says: "outside",
      so: "a run is started from outside",
      use: "the saga itself as a child, listed among `tools`"
    }
  ]
} satisfies Readonly<Record<string, ReadonlyArray<Row>>>

/** All of them. */
export const rows: ReadonlyArray<Row> = Object.values(groups).flat()
