/** Rows about the course of a body: what waits, what is tried again, what goes on side by side. */
import { Deferred, Effect, Exit, Fiber, Queue, Schedule, Semaphore, Stream } from "effect"
import { Saga, Signal, Timer } from "makegood"
import { A, a, B, b, no, type Row } from "./row.ts"

const ready = Signal.make("ready")

export const flow = {
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
      says: "astray",
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
      says: "astray",
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
      says: "astray",
      so: "as `Deferred`, where two branches want it",
      use: "`concurrency` of `Saga.all`; `Saga.lock` between runs; a tool's `limits` for its target"
    }
  ]
} satisfies Readonly<Record<string, ReadonlyArray<Row>>>
