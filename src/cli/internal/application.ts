/**
 * The application of a user: a module that `worker`, `dev` and `doctor` load.
 *
 * - `default`: a layer of its sagas, with the services of their tools provided. It may ask for `Worker` and `Runs`, and for
 *   the outbox and the client of the database.
 * - `worker` (optional): the options of `Worker.layer`.
 * - `dev` (optional): an effect that `dev` runs once everything is there, with `Runs`; to start a few runs, say.
 */
import type { PgClient } from "@effect/sql-pg"
import { Cause, Effect, Layer, Predicate } from "effect"
import type { SqlClient } from "effect/sql/SqlClient"
import { existsSync } from "node:fs"
import { createRequire } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import type { Outbox, Transactions } from "../../outbox/Outbox.ts"
import type { Runs } from "../../saga/Runs.ts"
import type { Signal } from "../../wait/Signal.ts"
import * as Doctor from "../../worker/Doctor.ts"
import type { Options, Worker } from "../../worker/Worker.ts"
import { rootOf, stop } from "./exits.ts"
import { clean } from "./words.ts"

/** What is there for an application. */
export type Given = Worker | Runs | Outbox | Transactions | PgClient.PgClient | SqlClient

/** What a module exports. */
export interface Application {
  readonly layer: Layer.Layer<never, unknown, Given>
  readonly worker: Options
  readonly dev: Effect.Effect<unknown, unknown, Given> | undefined
}

const urlOf = (module: string): string => {
  const path = resolve(module)
  if (existsSync(path)) return pathToFileURL(path).href
  // A package of the project in whose folder this runs.
  return pathToFileURL(createRequire(resolve("package.json")).resolve(module)).href
}

const exportsOf = (module: string) =>
  Effect.tryPromise({
    try: async () => (await import(urlOf(module))) as Readonly<Record<string, unknown>>,
    catch: (error) => {
      const why = clean(rootOf(error)).slice(0, 300)
      return stop("usage", `The module ${clean(module)} cannot be loaded: ${why}. Nothing was started.`)
    }
  })

/** The signal of this name that a module exports. */
export const signal = Effect.fnUntraced(function* (module: string, name: string) {
  const signals = Object.values(yield* exportsOf(module)).filter(
    (value): value is Signal<string, unknown> =>
      Predicate.hasProperty(value, "payloadSchema") && Predicate.hasProperty(value, "await") && "name" in value
  )
  const found = signals.find((signal) => signal.name === name)
  if (found !== undefined) return found
  const names = signals.length === 0 ? "no signal" : signals.map((signal) => signal.name).join(", ")
  return yield* stop(
    "usage",
    `The module ${clean(module)} exports no signal ${clean(name)}, but ${names}. Nothing was done.`
  )
})

/** Loads an application. */
export const load = Effect.fnUntraced(function* (module: string) {
  const name = clean(module)
  const loaded = yield* exportsOf(module)
  if (!Layer.isLayer(loaded["default"])) {
    const names = Object.keys(loaded)
    const found = names.length === 0 ? "It exports nothing" : `It exports ${names.join(", ")}`
    return yield* stop(
      "usage",
      `The module ${name} has no layer as its default export. ${found}. Nothing was started. Export the layers of your sagas as default.`
    )
  }
  const { default: layer, dev, worker } = loaded
  if (dev !== undefined && !Effect.isEffect(dev)) {
    return yield* stop("usage", `The export dev of ${name} is no effect. Nothing was started.`)
  }
  return {
    layer: layer as Application["layer"],
    worker: (worker ?? {}) as Options,
    dev: dev as Application["dev"]
  } satisfies Application
})

/** What went wrong while an application was built, as a sentence. */
export const blame = (module: string) => (cause: Cause.Cause<unknown>) => {
  const failure = cause.reasons.find(Cause.isFailReason)
  const defect = cause.reasons.find(Cause.isDieReason)
  if (failure === undefined && defect === undefined) return Effect.failCause(cause as Cause.Cause<never>)
  const said = clean(rootOf(failure?.error ?? defect?.defect)).slice(0, 400)
  return Effect.fail(stop("failed", `The layers of ${clean(module)} cannot be built: ${said}. Nothing was started.`))
}

/** The sagas that an application registers. */
export const sagas = Effect.fnUntraced(function* (module: string) {
  const { layer } = yield* load(module)
  return yield* Effect.catchCause(Doctor.sagasOf(layer), blame(module))
})
