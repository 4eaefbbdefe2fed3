#!/usr/bin/env node
/** The program `makegood`. */
import * as NodeChildProcessSpawner from "@effect/platform-node-shared/NodeChildProcessSpawner"
import * as NodeFileSystem from "@effect/platform-node-shared/NodeFileSystem"
import * as NodePath from "@effect/platform-node-shared/NodePath"
import * as NodeRuntime from "@effect/platform-node-shared/NodeRuntime"
import * as NodeStdio from "@effect/platform-node-shared/NodeStdio"
import * as NodeTerminal from "@effect/platform-node-shared/NodeTerminal"
import { Effect, Layer, Logger } from "effect"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import * as Cli from "./Cli.ts"

/** Next to `src`, or next to the `dist` that holds it. */
const manifest = (): { readonly version: string } => {
  for (const up of [
    ["..", ".."],
    ["..", "..", ".."]
  ]) {
    try {
      return JSON.parse(readFileSync(join(import.meta.dirname, ...up, "package.json"), "utf8"))
    } catch {
      // One folder further up.
    }
  }
  return { version: "unknown" }
}

// Whoever reads the output may have seen enough: `makegood runs list | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1))

const services = Layer.provideMerge(
  NodeChildProcessSpawner.layer,
  Layer.mergeAll(NodeFileSystem.layer, NodePath.layer, NodeStdio.layer, NodeTerminal.layer)
)

let code = 1
Cli.run(process.argv.slice(2), manifest()).pipe(
  Effect.tap((found) =>
    Effect.sync(() => {
      code = found
    })
  ),
  Effect.provide(services),
  // Standard output is for what was asked for.
  Effect.provide(Logger.layer([Logger.withConsoleError(Logger.formatSimple)])),
  NodeRuntime.runMain({
    disableErrorReporting: true,
    teardown: (exit, end) => end(exit._tag === "Success" ? code : 130)
  })
)
