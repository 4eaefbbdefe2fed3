/** Rows about what a body fails with, reads and shows: failures, finalizers, time, chance, state, services. */
import { Cause, Clock, Context, DateTime, Effect, Random, Ref, Schema } from "effect"
import { Saga } from "makegood"
import { A, a, B, b, no, type Row } from "./row.ts"

class Greeting extends Context.Service<Greeting, { readonly hello: string }>()("Greeting") {}

export const content = {
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
