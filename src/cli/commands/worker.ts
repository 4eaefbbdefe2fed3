/** Commands that run something: a worker, a worker with a database of its own, the demo. */
import { Console, Effect, Layer, Option, Redacted } from "effect"
import type { Duration } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { spawn } from "node:child_process"
import { extname, join } from "node:path"
import { Embedded } from "../../embedded/index.ts"
import { Postgres } from "../../postgres/index.ts"
import * as Runs from "../../saga/Runs.ts"
import * as Worker from "../../worker/Worker.ts"
import * as Application from "../internal/application.ts"
import * as Database from "../internal/database.ts"
import { stop } from "../internal/exits.ts"
import { follow } from "../internal/following.ts"
import * as Print from "../internal/print.ts"
import { databaseUrl } from "../internal/settings.ts"
import { toDuration } from "../internal/words.ts"

const module = Argument.String("module").pipe(
  Argument.withDescription("The application: a module whose default export is the layer of its sagas")
)

const time = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withMetavar("<time>"),
    Flag.withDescription(description),
    Flag.filterMap(toDuration, (text) => `${text} is no length of time; write 15s or 2m`),
    Flag.optional
  )

const flags = {
  name: Flag.String("name").pipe(Flag.withDescription("What people call this worker"), Flag.optional),
  concurrency: Flag.Int("concurrency").pipe(
    Flag.withDescription("How many runs it holds at a time. Default: 1000"),
    Flag.filter(
      (many) => many > 0,
      (many) => `${many} is not more than 0`
    ),
    Flag.optional
  ),
  lease: time("lease", "How long its runs are its own after a heartbeat. Default: 15s"),
  grace: time("grace", "How long calls in flight may take when it stops. Default: 20s")
}

interface Given {
  readonly name: Option.Option<string>
  readonly concurrency: Option.Option<number>
  readonly lease: Option.Option<Duration.Duration>
  readonly grace: Option.Option<Duration.Duration>
}

/** The options of the module, and over them those of the command line. */
const optionsOf = (module: Worker.Options, { concurrency, grace, lease, name }: Given): Worker.Options => ({
  ...module,
  ...(Option.isSome(name) ? { name: name.value } : {}),
  ...(Option.isSome(concurrency) ? { concurrency: concurrency.value } : {}),
  ...(Option.isSome(lease) ? { lease: lease.value } : {}),
  ...(Option.isSome(grace) ? { grace: grace.value } : {})
})

/** The application on a worker that takes note of what it registers. Ready when it is built. */
const working = (name: string, application: Application.Application, options: Worker.Options) =>
  Effect.gen(function* () {
    const sagas: Array<string> = []
    const noting = Layer.effect(
      Worker.Worker,
      Effect.map(Worker.Worker, (worker) =>
        Worker.Worker.of({
          ...worker,
          register: (handler) => {
            sagas.push(`${handler.saga.name}@${handler.saga.version}`)
            return worker.register(handler)
          }
        })
      )
    )
    const host = yield* Layer.build(Worker.layer(options))
    yield* Layer.build(Layer.provide(application.layer, noting)).pipe(
      Effect.provideContext(host),
      Effect.catchCause(Application.blame(name))
    )
    if (sagas.length === 0) {
      return yield* stop("usage", `The layers of ${name} register no saga. Nothing is run. Export those of your sagas.`)
    }
    return { sagas, host }
  })

/** `worker`: runs the application's sagas until it is told to stop. */
export const worker = Command.make(
  "worker",
  { module, ...flags },
  Effect.fnUntraced(function* ({ module, ...given }) {
    const application = yield* Application.load(module)
    const options = optionsOf(application.worker, given)
    const serve = Effect.gen(function* () {
      const { sagas } = yield* working(module, application, options)
      yield* Print.either({ ready: true, sagas }, () => [
        `The worker ${options.name ?? "worker"} runs ${sagas.join(", ")}. Ctrl-C stops it, after what is in flight.`
      ])
      return yield* Effect.never
    })
    return yield* serve.pipe(
      Effect.scoped,
      Effect.provide(Postgres.layer().pipe(Layer.provideMerge(Database.client(10))))
    )
  })
).pipe(
  Command.withShortDescription("Run a worker for the sagas of a module"),
  Command.withDescription("Run a worker for the sagas of a module, until it is stopped."),
  Command.withExamples([
    { command: "makegood worker ./src/app.ts", description: "With DATABASE_URL from the environment" },
    { command: "makegood worker ./dist/app.js --concurrency 200 --name mail-1", description: "Smaller, and named" }
  ])
)

/** `dev`: a worker with a Postgres of its own, and the time line of every run. */
export const dev = Command.make(
  "dev",
  {
    module,
    directory: Flag.String("directory").pipe(
      Flag.withDescription("The folder of its Postgres; kept. Default: .makegood/dev"),
      Flag.withDefault(join(".makegood", "dev"))
    ),
    ...flags
  },
  Effect.fnUntraced(function* ({ directory, module, ...given }) {
    const application = yield* Application.load(module)
    const options = optionsOf(application.worker, given)
    const serve = Effect.gen(function* () {
      const server = yield* Embedded.Server
      const { telling } = yield* follow
      const { host, sagas } = yield* working(module, application, options)
      const url = Redacted.value(server.url)
      yield* Print.either({ ready: true, sagas, databaseUrl: url }, () => [
        `It runs ${sagas.join(", ")}. Every run is told here; Ctrl-C stops it. In another terminal:`,
        "",
        `  export DATABASE_URL='${url}'`,
        "  npx makegood runs list",
        ""
      ])
      const first = application.dev
      if (first !== undefined) {
        yield* Effect.forkScoped(
          first.pipe(
            Effect.provideContext(host),
            Effect.catchCause((cause) => Console.error(`The export dev of ${module} failed: ${String(cause)}`))
          )
        )
      }
      return yield* telling
    })
    const database = Postgres.layer().pipe(
      Layer.provideMerge(Postgres.layerMigrations),
      Layer.provideMerge(Embedded.layer({ directory }))
    )
    return yield* serve.pipe(Effect.scoped, Effect.provide(Runs.layer.pipe(Layer.provideMerge(database))))
  })
).pipe(
  Command.withShortDescription("Run a worker with a Postgres of its own, and tell every run"),
  Command.withDescription(
    "Run a worker with a Postgres of its own, and tell every run as it happens. Nothing else is needed."
  ),
  Command.withExamples([{ command: "makegood dev ./src/app.ts", description: "Its data stays in .makegood/dev" }])
)

/** `demo`: makegood shown on real processes. */
export const demo = Command.make(
  "demo",
  {
    play: Argument.Literals("play", ["trip", "agent"]).pipe(
      Argument.withDescription("trip: a saga books it; agent: a model chooses the calls. Default: trip"),
      Argument.withDefault("trip" as const)
    ),
    keep: Flag.Boolean("keep").pipe(
      Flag.withDescription("When it is over, leave its processes running until Ctrl-C, and its files"),
      Flag.withDefault(false)
    )
  },
  Effect.fnUntraced(function* ({ keep, play }) {
    const url = Option.map(yield* databaseUrl, (url) => ({ DATABASE_URL: Redacted.value(url) }))
    const script = join(import.meta.dirname, "..", "..", "..", "demo", `main${extname(import.meta.filename)}`)
    const options = [...(play === "agent" ? [play] : []), ...(keep ? ["--keep"] : [])]
    const code = yield* Effect.callback<number>((resume) => {
      const child = spawn(process.execPath, [...process.execArgv, script, ...options], {
        env: { ...process.env, ...Option.getOrUndefined(url) },
        stdio: "inherit"
      })
      child.on("error", () => resume(Effect.succeed(1)))
      child.on("close", (code) => resume(Effect.succeed(code ?? 1)))
      return Effect.sync(() => child.kill("SIGTERM"))
    })
    if (code !== 0) return yield* stop(code === 2 ? "usage" : "failed", `The demo ended with ${code}.`)
  })
).pipe(
  Command.withShortDescription("See a worker die in the middle of a charge"),
  Command.withDescription("See a worker die in the middle of a charge, and everything come right. About 15 seconds."),
  Command.withExamples([
    { command: "makegood demo", description: "Needs no database; with one, makes another beside it" }
  ])
)
