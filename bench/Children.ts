/** Workers in processes of their own, as `worker.ts` has them. */
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import type { Opening, Order, Report, Word } from "./worker.ts"

export interface Child {
  /** Begins to work; answers when it can. */
  readonly open: (opening: Opening) => Effect.Effect<void>
  /** Gives back what it holds, and stops working. */
  readonly close: Effect.Effect<void>
  /** Fibers that insert the rows of so many sagas each; answers when that began and ended. */
  readonly insert: (fibers: number, sagas: number) => Effect.Effect<{ readonly began: number; readonly ended: number }>
  readonly report: Effect.Effect<Report>
  /** Waits until so many acts are held. */
  readonly holds: (count: number) => Effect.Effect<void>
  /** SIGKILL, and its end. */
  readonly kill: Effect.Effect<void>
}

/** A process that does nothing yet; killed when the scope closes. */
export const spawn = (url: Redacted.Redacted<string>): Effect.Effect<Child, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.sync(() => start(Redacted.value(url))),
    ({ kill }) => kill
  )

const start = (url: string): Child => {
  const child = fork(join(import.meta.dirname, "worker.ts"), { env: { ...process.env, DATABASE_URL: url } })
  const exited = once(child, "exit")
  let held = 0
  let end: Word | undefined
  const listeners = new Set<(word: Word) => void>()
  const hear = (word: Word) => {
    if (word._tag === "holds") held++
    for (const listener of Array.from(listeners)) listener(word)
  }
  child.on("message", hear)
  child.on("exit", (code, signal) => hear((end = { _tag: "broke", why: `the process ended, ${signal ?? code}` })))

  /** Listens until there is something to go on with; a broken child breaks the bench. */
  const listen = <A>(look: (word: Word | undefined) => Effect.Effect<A> | undefined, then = () => {}) =>
    Effect.callback<A>((resume) => {
      const listener = (word?: Word) => {
        const found = word?._tag === "broke" ? Effect.die(new Error(`A worker broke: ${word.why}`)) : look(word)
        if (found === undefined) return
        listeners.delete(listener)
        resume(found)
      }
      listeners.add(listener)
      listener(end)
      if (end === undefined) then()
      return Effect.sync(() => listeners.delete(listener))
    })
  const ask = <A>(order: Order) =>
    listen(
      (word) => (word?._tag === "answer" ? Effect.succeed(word.value as A) : undefined),
      () => void child.send(order)
    )

  return {
    open: (opening) => ask({ _tag: "open", opening }),
    close: ask({ _tag: "close" }),
    insert: (fibers, sagas) => ask({ _tag: "insert", fibers, sagas }),
    report: ask({ _tag: "report" }),
    holds: (count) => listen(() => (held >= count ? Effect.void : undefined)),
    kill: Effect.promise(async () => {
      child.kill("SIGKILL")
      await exited
    })
  }
}
