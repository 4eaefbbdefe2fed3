/** Which loopback port the server gets: the one asked for, or that of last time, or any that is free. */
import * as Effect from "effect/Effect"
import * as Fs from "node:fs"
import * as Net from "node:net"
import * as Path from "node:path"

const fileOf = (directory: string): string => Path.join(directory, "port")

/** The port of last time when it is free, else a free one. It can be taken meanwhile: starting is then tried again. */
export const pick = Effect.fnUntraced(function* (directory: string) {
  const last = read(directory)
  if (last !== undefined && (yield* probe(last)) !== undefined) return last
  return (yield* probe(0)) ?? 0
})

/** Remembers the port for the next start; a failure to do so costs only the remembering. */
export const remember = (directory: string, port: number): void => {
  try {
    Fs.writeFileSync(fileOf(directory), String(port))
  } catch {
    // The next start takes another port.
  }
}

const read = (directory: string): number | undefined => {
  try {
    const port = Number(Fs.readFileSync(fileOf(directory), "utf8"))
    return port > 0 && port < 65536 ? port : undefined
  } catch {
    return undefined
  }
}

/** Listens for an instant: answers the port, or nothing when it is taken. */
const probe = (port: number): Effect.Effect<number | undefined> =>
  Effect.callback((resume) => {
    const server = Net.createServer()
    server.once("error", () => resume(Effect.undefined))
    server.listen(port, "127.0.0.1", () => {
      const address = server.address()
      server.close(() => resume(Effect.succeed(typeof address === "object" ? address?.port : undefined)))
    })
    return Effect.sync(() => {
      server.close()
    })
  })
