/**
 * Worker processes that are cheap to come by: bundled and compiled once, some of them always started in advance, idle until
 * they are hired.
 */
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { rmSync } from "node:fs"
import { join } from "node:path"
import * as Database from "../Database.ts"
import { bundle } from "./bundle.ts"
import * as Marks from "./marks.ts"
import type { Orders } from "./worker.ts"

/** A worker that was hired. */
export interface Hand {
  readonly name: string
  /** Comes once it has taken a run, or is dead. */
  readonly atWork: Promise<void>
  /** Comes once it is dead; at once, when the operating system says so. */
  readonly died: Promise<void>
  readonly isGone: () => boolean
  readonly signal: (signal: NodeJS.Signals) => void
  /** What it reached before it died. */
  readonly marks: () => Marks.Marks
}

export interface Crew {
  /** Hires a first one, and waits until it has kept what it compiled while it worked: the others start in half the time. */
  readonly prime: Effect.Effect<Hand>
  readonly hire: (orders: Partial<Omit<Orders, "name">>) => Effect.Effect<Hand>
}

export interface Options {
  /** Where the workers find the outbox, if their orders do not say. */
  readonly url: Redacted.Redacted<string>
  readonly worldUrl: string
  readonly leaseMillis: number
  /** How many are kept in reserve. */
  readonly spare: number
}

interface Idle {
  readonly name: string
  readonly child: ChildProcess
  /** Comes once it has said this, or is dead. */
  readonly says: (word: string) => Promise<void>
  readonly died: Promise<void>
  readonly file: string
}

/** A crew; all of it is killed when the scope closes. */
export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Crew, never, Scope.Scope> {
  const directory = yield* Database.temporaryDirectory
  const program = yield* Effect.promise(() => bundle(directory))
  const all = new Set<ChildProcess>()
  const idle: Array<Idle> = []
  let count = 0
  let isOver = false

  const start = (): Idle => {
    const name = `worker-${count++}`
    const file = join(directory, name)
    const child = spawn(process.execPath, ["--min-semi-space-size=16", program], {
      env: {
        ...process.env,
        NODE_OPTIONS: "",
        NODE_COMPILE_CACHE: join(directory, "compiled"),
        MAKEGOOD_TEST_NAME: name,
        MAKEGOOD_TEST_WORLD_URL: options.worldUrl,
        MAKEGOOD_TEST_MARKS: file
      },
      stdio: ["pipe", "pipe", process.env["MAKEGOOD_TEST_LOUD"] === undefined ? "ignore" : "inherit"]
    })
    all.add(child)
    // It may be gone when it is told something.
    child.stdin!.on("error", () => {})
    const died = new Promise<void>((resolve) => child.once("exit", () => resolve()))
    void died.then(() => all.delete(child))
    let said = ""
    child.stdout!.on("data", (text: Buffer) => (said += text.toString()))
    const says = (word: string) =>
      Promise.race([
        died,
        new Promise<void>((resolve) => {
          const look = () => {
            if (!said.includes(`${word}\n`)) return
            child.stdout!.off("data", look)
            resolve()
          }
          child.stdout!.on("data", look)
          look()
        })
      ])
    return { name, child, says, died, file }
  }

  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      isOver = true
      const ends = Array.from(all, (child) => new Promise((resolve) => child.once("exit", resolve)))
      for (const child of all) child.kill("SIGKILL")
      await Promise.all(ends)
    })
  )

  const begin = async (
    { child, died, file, name, says }: Idle,
    orders: Partial<Omit<Orders, "name">>
  ): Promise<Hand> => {
    await says("idle")
    const complete: Orders = {
      url: Redacted.value(options.url),
      pooler: false,
      leaseMillis: options.leaseMillis,
      concurrency: 8,
      at: [],
      jumps: [],
      ...orders,
      name
    }
    child.stdin!.write(`${JSON.stringify(complete)}\n`)
    let marks: Marks.Marks | undefined
    const isGone = () => child.exitCode !== null || child.signalCode !== null
    return {
      name,
      atWork: says("at work"),
      died,
      isGone,
      signal: (signal) => void child.kill(signal),
      marks: () => {
        if (marks !== undefined) return marks
        const read = Marks.read(file)
        if (isGone()) {
          marks = read
          rmSync(file, { force: true })
        }
        return read
      }
    }
  }

  return {
    prime: Effect.promise(async () => {
      const first = start()
      const hand = await begin(first, { keepCompiledAfterMillis: 1_000 })
      await first.says("kept")
      return hand
    }),
    hire: (orders) =>
      Effect.promise(() => {
        while (!isOver && idle.length < options.spare) idle.push(start())
        const next = idle.shift() ?? start()
        if (!isOver) idle.push(start())
        return begin(next, orders)
      })
  }
})
