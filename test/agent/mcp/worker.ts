/**
 * A worker in a process of its own, with a file server of its own, whose runs stand still at places that they are told,
 * for whoever kills it there: `node worker.ts <orders as JSON>`; DATABASE_URL is where the outbox is.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import { PgClient } from "@effect/sql-pg"
import { Effect, Layer, Redacted } from "effect"
import { Worker } from "makegood"
import { ScriptedModel } from "makegood/agent"
import { Postgres } from "makegood/postgres"
import { acting, connect, desk, folderIn, programOf, script } from "./files.ts"

/** Where the run that works in a folder stands still. */
export type Place =
  | { readonly at: "turn"; readonly nth: number }
  /** At a request that changes something: before it is sent, or once it was answered. */
  | { readonly at: "before" | "after"; readonly nth: number }

export interface Orders {
  readonly root: string
  readonly trash: string
  /** By folder. */
  readonly places: Readonly<Record<string, Place>>
}

const { places, root, trash } = JSON.parse(process.argv[2]!) as Orders

const stand = (folder: string) =>
  Effect.andThen(
    Effect.sync(() => console.log(`stands ${folder}`)),
    Effect.never
  )

const folderOf = (paths: ReadonlyArray<unknown>): string | undefined =>
  Object.keys(places).find((folder) => paths.some((path) => String(path).startsWith(`${folder}/`)))

const main = Effect.gen(function* () {
  const client = yield* connect([programOf("server-filesystem"), root, trash])
  const counts = new Map<string, number>()
  const halting: typeof client = {
    ...client,
    callTool: (given, options) => {
      const folder = folderOf([given.arguments?.["path"], given.arguments?.["source"]])
      if (folder === undefined || !acting.has(given.tool.name)) return client.callTool(given, options)
      const nth = (counts.get(folder) ?? 0) + 1
      counts.set(folder, nth)
      const place = places[folder]!
      if (place.at === "turn" || place.nth !== nth) return client.callTool(given, options)
      const called = place.at === "before" ? Effect.void : client.callTool(given, options)
      return Effect.andThen(called, stand(folder))
    }
  }
  const Clerk = yield* desk(halting, trash, "5 minutes")
  let thinking: Effect.Effect<void> = Effect.void
  const model = ScriptedModel.layer(script, {
    asked: (heard) => {
      const folder = folderIn(heard)
      const place = places[folder]!
      thinking = place.at === "turn" && place.nth === heard.turn ? stand(folder) : Effect.void
    },
    thinks: Effect.suspend(() => thinking)
  })
  const layer = Clerk.toLayer({ model })
  return yield* Layer.launch(
    layer.pipe(
      Layer.provide(Worker.layer({ lease: "5 seconds", heartbeat: "1 second", poll: "50 millis" })),
      Layer.provide(Postgres.layer()),
      Layer.provide(PgClient.layer({ url: Redacted.make(process.env["DATABASE_URL"]!), maxConnections: 8 }))
    )
  )
}).pipe(Effect.scoped)

NodeRuntime.runMain(main)
