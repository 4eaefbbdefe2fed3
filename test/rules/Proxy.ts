/**
 * A TCP proxy on loopback between a client and its Postgres, which loses what it is told to lose.
 *
 * The side of the server stays open when the client's is cut, as with a cable pulled: the server does not know, and what
 * it has begun it finishes.
 */
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import * as net from "node:net"
import * as Database from "../Database.ts"

/** What becomes of a chunk on its way. `cut`: the client's connection breaks; `hold`: nothing goes on, either way. */
export type Fate = "pass" | "cut" | "passThenCut" | "hold"

export interface Proxy {
  readonly url: Redacted.Redacted<string>
  /** Decides about what clients send. Default: all passes. */
  onRequest: (text: string) => Fate
  /** Breaks the clients' connections on which nothing came back since the last request. */
  readonly cutWaiting: Effect.Effect<number>
  /** Breaks everything off. */
  readonly cutAll: Effect.Effect<void>
}

interface Line {
  readonly client: net.Socket
  readonly server: net.Socket
  waiting: boolean
  held: boolean
}

/** A proxy to the server at a URL. */
export const open = (target: Redacted.Redacted<string>): Effect.Effect<Proxy, never, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<{ readonly proxy: Proxy; readonly close: () => void }>((resume) => {
      const url = new URL(Redacted.value(target))
      const { hostname } = url
      const port = Number(url.port === "" ? 5432 : url.port)
      const lines = new Set<Line>()
      const listener = net.createServer((client) => {
        const server = net.connect(port, hostname)
        const line: Line = { client, server, waiting: false, held: false }
        lines.add(line)
        for (const socket of [client, server]) socket.on("error", () => {}).setNoDelay(true)
        client.on("data", (chunk) => {
          if (line.held) return
          const fate = proxy.onRequest(chunk.toString("latin1"))
          line.waiting = true
          if (fate === "hold") line.held = true
          if (fate === "pass" || fate === "passThenCut") server.write(chunk)
          if (fate === "cut" || fate === "passThenCut") client.destroy()
        })
        server.on("data", (chunk) => {
          line.waiting = false
          if (!line.held && !client.destroyed) client.write(chunk)
        })
        client.on("end", () => server.end())
        server.on("close", () => {
          client.destroy()
          lines.delete(line)
        })
      })
      listener.listen(0, "127.0.0.1", () => {
        url.port = String((listener.address() as net.AddressInfo).port)
        url.hostname = "127.0.0.1"
        resume(
          Effect.succeed({
            proxy,
            close: () => {
              listener.close()
              Effect.runSync(proxy.cutAll)
            }
          })
        )
      })
      const proxy: Proxy = {
        get url() {
          return Redacted.make(url.href)
        },
        onRequest: () => "pass",
        cutAll: Effect.sync(() => {
          for (const { client, server } of lines) {
            client.destroy()
            server.destroy()
          }
        }),
        cutWaiting: Effect.sync(() => {
          const cut = Array.from(lines).filter((line) => line.waiting && !line.client.destroyed)
          for (const { client } of cut) client.destroy()
          return cut.length
        })
      }
    }),
    ({ close }) => Effect.sync(close)
  ).pipe(Effect.map(({ proxy }) => proxy))

/** A new database, a client that goes to it directly, and a proxy to it with a client that goes through that. */
export const make = Effect.gen(function* () {
  const url = yield* Database.fresh
  const proxy = yield* open(url)
  return {
    proxy,
    direct: PgClient.layer({ url, maxConnections: 10 }),
    through: PgClient.layer({ url: proxy.url, maxConnections: 4 })
  }
})
