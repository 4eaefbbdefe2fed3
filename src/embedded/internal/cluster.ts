/**
 * What is in a directory, and how it comes to be there.
 *
 * - `data/`: the data directory of Postgres, made beside its place and renamed, so that it is whole or absent
 * - `password`: the superuser's, for its owner's eyes only
 * - `postgres.log`: what the server said
 * - `port`: the port of last time, taken again when it is free, so that clients find a restarted server
 * - `owner.lock`: see `owner.ts`
 */
import * as Effect from "effect/Effect"
import * as ChildProcess from "node:child_process"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Path from "node:path"
import { DirectoryInUse, DirectoryUnreachable, EmbeddedError, InitFailed, VersionMismatch } from "../EmbeddedError.ts"
import { type Account, accountFor, firstClosed } from "./account.ts"
import { type Binaries, prepare, program } from "./binaries.ts"
import * as Owner from "./owner.ts"

/** A directory that this process owns, with data in it and programs for them. */
export interface Cluster {
  readonly directory: string
  readonly data: string
  readonly account: Account | undefined
  readonly binaries: Binaries
  readonly password: string
}

/** The name of the only role there is at first. */
export const superuser = "postgres"

/** Takes the directory until the scope closes, and makes the data when there are none. */
export const open = Effect.fnUntraced(function* (path: string, found: Binaries) {
  const directory = yield* attempt(path, () => enter(path))
  yield* Effect.acquireRelease(
    Effect.flatMap(
      attempt(directory, () => Owner.take(directory)),
      (pid) => (pid === undefined ? Effect.void : new EmbeddedError({ reason: new DirectoryInUse({ directory, pid }) }))
    ),
    () => Effect.sync(() => Owner.giveBack(directory))
  )
  const data = Path.join(directory, "data")
  const account = yield* attempt(directory, () => accountFor(data))
  if (account !== undefined) yield* checkReachable(directory, account)
  const binaries = yield* prepare(found, account)
  const expected = binaries.version.split(".")[0] ?? ""
  const version = yield* attempt(directory, () => {
    const file = Path.join(data, "PG_VERSION")
    return Fs.existsSync(file) ? Fs.readFileSync(file, "utf8").trim() : undefined
  })
  if (version !== undefined && version !== expected) {
    return yield* new EmbeddedError({ reason: new VersionMismatch({ directory, found: version, expected }) })
  }
  const password = yield* attempt(directory, () => passwordIn(directory, version !== undefined))
  const cluster: Cluster = { directory, data, account, binaries, password }
  if (version === undefined) yield* initialise(cluster)
  return cluster
})

/** Turns what the file system throws into the error that names the directory. */
export const attempt = <A>(directory: string, evaluate: () => A): Effect.Effect<A, EmbeddedError> =>
  Effect.try({
    try: evaluate,
    catch: (cause) =>
      new EmbeddedError({
        reason: new DirectoryUnreachable({
          directory,
          path: (cause as NodeJS.ErrnoException).path ?? directory,
          detail: cause instanceof Error ? cause.message : String(cause)
        })
      })
  })

const enter = (path: string): string => {
  const first = Fs.mkdirSync(path, { recursive: true, mode: 0o711 })
  const directory = Fs.realpathSync(path)
  if (first !== undefined) {
    const above = Path.dirname(Fs.realpathSync(first))
    for (let made = directory; made !== above; made = Path.dirname(made)) {
      try {
        sync(Path.dirname(made))
      } catch (cause) {
        // A folder may allow making names in it and yet not reading it.
        if ((cause as NodeJS.ErrnoException).code !== "EACCES") throw cause
      }
    }
  }
  return directory
}

/** Makes names in a folder outlast a power cut. Without it the rows of a fresh database could be kept and it be lost. */
const sync = (folder: string): void => {
  if (process.platform === "win32") return
  const handle = Fs.openSync(folder, "r")
  try {
    Fs.fsyncSync(handle)
  } finally {
    Fs.closeSync(handle)
  }
}

/** The directory itself may be opened, as far as passing through goes; those above it are not ours to change. */
const checkReachable = (directory: string, account: Account): Effect.Effect<void, EmbeddedError> =>
  Effect.flatMap(
    attempt(directory, () => {
      const stat = Fs.statSync(directory)
      if (stat.uid !== account.uid) Fs.chmodSync(directory, (stat.mode & 0o7777) | 0o011)
      return firstClosed(directory, account)
    }),
    (path) =>
      path === undefined
        ? Effect.void
        : new EmbeddedError({
            reason: new DirectoryUnreachable({
              directory,
              path,
              detail: `it is closed to user ${account.uid}, as which Postgres runs because it refuses to run as root`
            })
          })
  )

/** A password nobody has to choose. Losing it while there are data is an error, or it would be another's than the data's. */
const passwordIn = (directory: string, hasData: boolean): string => {
  const file = Path.join(directory, "password")
  if (hasData || Fs.existsSync(file)) return Fs.readFileSync(file, "utf8").trim()
  const password = Crypto.randomBytes(24).toString("hex")
  const draft = `${file}.${Crypto.randomUUID()}`
  Fs.writeFileSync(draft, password, { mode: 0o600, flush: true })
  Fs.renameSync(draft, file)
  return password
}

/** Runs initdb. The locale is Postgres' own C.UTF-8, so that text sorts alike on every machine. */
const initialise = Effect.fnUntraced(function* (cluster: Cluster) {
  const { account, data, directory } = cluster
  const draft = `${data}.new`
  const passwordFile = `${draft}.password`
  yield* attempt(directory, () => {
    Fs.rmSync(draft, { recursive: true, force: true })
    Fs.rmSync(passwordFile, { force: true })
    Fs.mkdirSync(draft, { mode: 0o700 })
    Fs.writeFileSync(passwordFile, cluster.password, { mode: 0o600, flag: "wx" })
    if (account !== undefined) {
      Fs.chownSync(draft, account.uid, account.gid)
      Fs.chownSync(passwordFile, account.uid, account.gid)
    }
  })
  const { code, output } = yield* run(cluster, "initdb", [
    `--pgdata=${draft}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C"
  ])
  yield* attempt(directory, () => Fs.rmSync(passwordFile, { force: true }))
  if (code !== 0) return yield* new EmbeddedError({ reason: new InitFailed({ directory, output }) })
  yield* attempt(directory, () => {
    Fs.renameSync(draft, data)
    sync(directory)
  })
})

/** Runs a program of Postgres to its end, as the account; interruption kills it. */
export const run = (
  { account, binaries }: Cluster,
  name: "initdb" | "pg_ctl",
  args: ReadonlyArray<string>
): Effect.Effect<{ readonly code: number | null; readonly output: string }> =>
  Effect.callback((resume) => {
    let output = ""
    const child = ChildProcess.spawn(program(binaries, name), args, {
      ...account,
      env: environment(),
      stdio: ["ignore", "pipe", "pipe"],
      cwd: "/"
    })
    child.stdout.on("data", (chunk) => (output += String(chunk)))
    child.stderr.on("data", (chunk) => (output += String(chunk)))
    child.once("error", (cause) => resume(Effect.succeed({ code: null, output: String(cause) })))
    child.once("close", (code) => resume(Effect.succeed({ code, output })))
    return Effect.sync(() => {
      child.kill("SIGKILL")
    })
  })

/** This process's environment without what would redirect Postgres (PGDATA, PGPORT ...), with messages in English. */
export const environment = (): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PG"))),
  LC_ALL: "C"
})
