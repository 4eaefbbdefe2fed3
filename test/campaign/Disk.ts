/**
 * A disk that can be full: a small file system in memory where this process may mount one, with the whole of Postgres on it.
 * Where it may not, every entry is refused as on a full disk.
 */
import { Effect } from "effect"
import type { Scope } from "effect"
import { spawnSync } from "node:child_process"
import { closeSync, openSync, rmSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { SqlClient } from "effect/sql/SqlClient"
import type { SqlError } from "effect/sql/SqlError"
import * as Database from "../Database.ts"

export interface Disk {
  /** For the server's data. */
  readonly directory: string
  /** Whether it is a disk of its own. */
  readonly isReal: boolean
  /** Leaves no byte free. */
  readonly fill: (sql: SqlClient) => Effect.Effect<void, SqlError>
  readonly free: (sql: SqlClient) => Effect.Effect<void, SqlError>
}

const megabytes = 320

/** A disk of its own, or what stands for it. */
export const make: Effect.Effect<Disk, never, Scope.Scope> = Effect.gen(function* () {
  const directory = yield* Database.temporaryDirectory
  const isReal = yield* Effect.acquireRelease(
    Effect.sync(() => mount(["-t", "tmpfs", "-o", `size=${megabytes}m,mode=0711`, "makegood-campaign", directory])),
    (isMounted) => Effect.sync(() => isMounted && spawnSync("umount", ["--lazy", directory]))
  )
  const ballast = join(directory, "ballast")
  return isReal
    ? {
        directory,
        isReal,
        fill: () => Effect.sync(() => writeAll(ballast)),
        free: () => Effect.sync(() => rmSync(ballast, { force: true }))
      }
    : {
        directory,
        isReal,
        fill: (sql) => setting(sql, "on"),
        free: (sql) => setting(sql, "off")
      }
})

const mount = (args: ReadonlyArray<string>): boolean =>
  process.platform === "linux" && spawnSync("mount", args, { stdio: "ignore" }).status === 0

const writeAll = (file: string): void => {
  const fd = openSync(file, "a")
  const piece = new Uint8Array(1024 * 1024)
  try {
    // First in large pieces, then what is left of the last one.
    for (const size of [piece.length, 4096, 1]) {
      try {
        while (writeSync(fd, piece, 0, size) === size);
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error
      }
    }
  } finally {
    closeSync(fd)
  }
}

const setting = Effect.fnUntraced(function* (sql: SqlClient, value: "on" | "off") {
  yield* sql`create or replace function public.on_full_disk() returns trigger language plpgsql as $$
    begin
      if current_setting('campaign.disk_is_full', true) = 'on' then
        raise exception 'could not extend file: No space left on device' using errcode = '53100';
      end if;
      return null;
    end $$`
  yield* sql`create or replace trigger full_disk before insert on makegood.journal
    for each statement execute function public.on_full_disk()`
  yield* sql.unsafe(`alter system set campaign.disk_is_full = '${value}'`)
  yield* sql`select pg_reload_conf()`
})
