/** A PgBouncer in its mode of transactions, for tests that go through one; where there is a PgBouncer. */
import { Effect, Redacted } from "effect"
import type { Scope } from "effect"
import { spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { chown, writeFile } from "node:fs/promises"
import { existsSync } from "node:fs"
import * as net from "node:net"
import { delimiter, join } from "node:path"
import * as Database from "./Database.ts"

/** The program: at MAKEGOOD_PGBOUNCER, which may be empty for none, or where systems put it. */
export const binary = (): string | undefined => {
  const given = process.env["MAKEGOOD_PGBOUNCER"]
  if (given !== undefined) return given === "" ? undefined : given
  const folders = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"]
  return folders.map((folder) => join(folder, "pgbouncer")).find(existsSync)
}

/** What it says of itself. */
export const version = (program: string): string =>
  spawnSync(program, ["--version"], { encoding: "utf8" }).stdout.split("\n")[0] ?? ""

const freePort = Effect.callback<number>((resume) => {
  const server = net.createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address() as net.AddressInfo
    server.close(() => resume(Effect.succeed(port)))
  })
})

const nobody = 65_534

/** One before the server at a URL, with a few connections to it; it forgets at once that the server was away. */
export const open = Effect.fnUntraced(function* (
  program: string,
  target: Redacted.Redacted<string>
): Effect.fn.Return<Redacted.Redacted<string>, never, Scope.Scope> {
  const url = new URL(Redacted.value(target))
  const folder = yield* Database.temporaryDirectory
  const port = yield* freePort
  const config = join(folder, "pgbouncer.ini")
  yield* Effect.promise(async () => {
    await writeFile(
      config,
      `[databases]
* = host=${url.hostname} port=${url.port} user=${url.username} password=${decodeURIComponent(url.password)}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
auth_type = any
pool_mode = transaction
default_pool_size = 3
server_login_retry = 0.2
server_connect_timeout = 2
unix_socket_dir =
`
    )
    // PgBouncer refuses to run as root.
    if (process.getuid?.() === 0) await Promise.all([folder, config].map((path) => chown(path, nobody, nobody)))
  })
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
      const child = spawn(program, [config], { stdio: "ignore", ...user })
      return { child, exited: once(child, "exit") }
    }),
    ({ child, exited }) =>
      Effect.promise(async () => {
        child.kill("SIGKILL")
        await exited
      })
  )
  const answers = Effect.callback<boolean>((resume) => {
    const socket = net.connect(port, "127.0.0.1")
    socket.once("connect", () => resume(Effect.succeed(true)))
    socket.once("error", () => resume(Effect.succeed(false)))
    return Effect.sync(() => socket.destroy())
  })
  while (!(yield* answers)) yield* Effect.sleep("20 millis")
  url.host = `127.0.0.1:${port}`
  return Redacted.make(url.href)
})
