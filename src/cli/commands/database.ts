/** Commands for the database as a whole: its tables, its health, what is kept in it and for how long. */
import { PgClient } from "@effect/sql-pg"
import { Clock, Console, Duration, Effect, Layer, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Archive from "../../outbox/Archive.ts"
import * as Retention from "../../outbox/Retention.ts"
import { Postgres } from "../../postgres/index.ts"
import * as Doctor from "../../worker/Doctor.ts"
import * as Acting from "../internal/acting.ts"
import * as Application from "../internal/application.ts"
import * as Database from "../internal/database.ts"
import * as Deep from "../internal/deep.ts"
import * as Documents from "../internal/documents.ts"
import { stop } from "../internal/exits.ts"
import * as Naming from "../internal/naming.ts"
import * as Print from "../internal/print.ts"
import { Json, paint, width } from "../internal/settings.ts"
import { table } from "../internal/table.ts"
import { count, shortId, span, toDuration } from "../internal/words.ts"

/** `migrate`: makes or updates the tables. */
export const migrate = Command.make(
  "migrate",
  { yes: Acting.yes },
  Effect.fnUntraced(function* ({ yes }) {
    const place = yield* Database.place
    const { found, needed } = yield* versions
    if (found === needed) {
      return yield* Print.either({ migrated: false, at: needed }, () => [`${place} is at migration ${needed} already.`])
    }
    const what = found === 0 ? "Make the tables of makegood" : `Bring the tables of makegood from ${found} to ${needed}`
    if (found < needed) yield* Acting.confirm(`${what} in ${place}?`, yes)
    yield* Layer.build(Postgres.layerMigrations).pipe(Effect.scoped)
    yield* Print.either({ migrated: true, from: found, at: needed }, () => [`${place} is at migration ${needed}.`])
  }, Effect.provide(Database.client()))
).pipe(
  Command.withShortDescription("Make the tables, or bring them to this version"),
  Command.withDescription("Make the tables of makegood, or bring them to this version. They only go forward."),
  Command.withExamples([{ command: "makegood migrate --yes", description: "Before a deploy" }])
)

/** The newest migration made, 0 where there are no tables, and the newest that this program knows. */
const versions = Effect.gen(function* () {
  const sql = yield* PgClient.PgClient
  const [there] = yield* sql<{ migrated: boolean }>`select to_regclass('makegood.migration') is not null as migrated`
  const made =
    there?.migrated === true
      ? yield* sql<{ newest: number }>`select coalesce(max(migration_id), 0)::int as newest from makegood.migration`
      : []
  return { found: made[0]?.newest ?? 0, needed: Postgres.migration }
})

const age = Flag.String("older-than").pipe(
  Flag.withMetavar("<age>"),
  Flag.withDescription("How long ago the runs have to have ended: 30d, 12h, 2w"),
  Flag.filterMap(toDuration, (text) => `${text} is no length of time; write 30d, 12h or 2w`)
)

/** `gc`: removes the records of runs that ended long ago. */
export const gc = Command.make(
  "gc",
  {
    olderThan: age,
    saga: Flag.String("saga").pipe(Flag.withDescription("Runs of this saga alone"), Flag.optional),
    archive: Flag.Directory("archive").pipe(
      Flag.withDescription("First write them into a file in this folder, as gzipped JSON lines"),
      Flag.optional
    ),
    batch: Flag.Int("batch").pipe(
      Flag.withDescription("At most so many runs at a time. Default: 100"),
      Flag.filter(
        (batch) => batch > 0,
        (batch) => `${batch} is not more than 0`
      ),
      Flag.withDefault(100)
    ),
    dryRun: Flag.Boolean("dry-run").pipe(
      Flag.withDescription("Only say what would be removed"),
      Flag.withDefault(false)
    ),
    yes: Acting.yes
  },
  Effect.fnUntraced(
    function* ({ archive, batch, dryRun, olderThan, saga, yes }) {
      const old: Retention.Old = { olderThan, saga: Option.getOrUndefined(saga) }
      const found = yield* Stream.runCount(Retention.expired(old))
      const what = `${count(found, "run")} that ended more than ${span(Duration.toMillis(olderThan))} ago`
      if (dryRun || found === 0) {
        return yield* Print.either({ found, removed: 0 }, () => [
          found === 0 ? "There are no runs that old." : `${what} would be removed.`
        ])
      }
      yield* Acting.confirm(`Remove the records of ${what}? Their keys stay taken.`, yes)
      const file = Option.isSome(archive) ? yield* Documents.newFile(archive.value) : undefined
      const removed = yield* Retention.sweep({ ...old, batch, archive: file?.append }).pipe(
        Stream.runFold(
          () => 0,
          (sum, { runIds }) => sum + runIds.length
        )
      )
      yield* Print.either({ found, removed, ...(file === undefined ? {} : { archive: file.path }) }, () => [
        `${count(removed, "run")} removed${file === undefined ? "" : `, archived in ${file.path}`}.`
      ])
    },
    Effect.provide(Database.outbox({ statementTimeout: "1 minute" }))
  )
).pipe(
  Command.withShortDescription("Remove the records of runs that ended long ago"),
  Command.withDescription(
    "Remove the records of runs that ended long ago, in batches. Never of a run that is open, or that an open or younger parent, child or undoing has to do with. Their keys stay taken."
  ),
  Command.withExamples([
    { command: "makegood gc --older-than 30d", description: "Asks before" },
    {
      command: "makegood gc --older-than 90d --archive ./archive --yes",
      description: "Archived first, from a cron job"
    }
  ])
)

/** `export`: a run as a line of JSON. */
export const exportRun = Command.make(
  "export",
  {
    run: Naming.argument,
    to: Flag.String("to").pipe(
      Flag.withMetavar("<file>"),
      Flag.withDescription("The file to write; gzipped where its name ends in .gz. Default: standard output"),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ run: name, to }) {
    const { runId, ...run } = yield* Naming.find(name)
    const document = yield* Archive.read(runId)
    if (Option.isNone(document)) {
      return yield* stop(
        "missing",
        `The record of the run ${Naming.inWords({ runId, ...run })} was removed. Nothing was written.`
      )
    }
    const line = Archive.toLine(document.value)
    if (Option.isNone(to)) return yield* Console.log(line)
    yield* Documents.write(to.value, line)
    yield* Print.either({ runId, file: to.value }, () => [`Written to ${to.value}.`])
  }, Effect.provide(Database.outbox()))
).pipe(
  Command.withShortDescription("Write a run as a line of JSON"),
  Command.withDescription("Write a run, with all that is recorded of it, as a line of JSON: to look at it elsewhere."),
  Command.withExamples([
    { command: "makegood export BookTrip/trip-17 --to trip-17.json.gz", description: "Into a file" }
  ])
)

/** `import`: takes runs over that were exported or archived. */
export const importRuns = Command.make(
  "import",
  {
    file: Argument.File("file", { mustExist: true }).pipe(
      Argument.withDescription("What export or gc --archive wrote")
    ),
    run: Flag.String("run").pipe(Flag.withDescription("Only the run whose id begins so"), Flag.optional),
    yes: Acting.yes
  },
  Effect.fnUntraced(
    function* ({ file, run, yes }) {
      const documents = Stream.filter(
        Stream.suspend(() => Documents.read(file)),
        (document) => Option.isNone(run) || document.run.runId.startsWith(run.value)
      )
      // Read twice: once to see that all of it can be, and how much there is.
      const found = yield* Stream.runCount(documents)
      if (found === 0) return yield* stop("missing", `There is no such run in ${file}. Nothing was imported.`)
      const place = yield* Database.place
      yield* Acting.confirm(`Import ${count(found, "run")} into ${place}?`, yes)
      const imported = yield* documents.pipe(
        Stream.mapEffect(Archive.restore),
        Stream.filter((isNew) => isNew),
        Stream.runCount
      )
      const there = found - imported
      yield* Print.either({ imported, there }, () => [
        `${count(imported, "run")} imported${there === 0 ? "" : `, ${there} there already`}. Those that had not ended are stuck, and nothing is called.`
      ])
    },
    Effect.provide(Database.outbox({ statementTimeout: "1 minute" }))
  )
).pipe(
  Command.withShortDescription("Take over runs that were exported or archived"),
  Command.withDescription(
    "Take over runs that were exported or archived, to look at them. A run that had not ended comes over stuck, so that no worker goes on with it unasked."
  ),
  Command.withExamples([
    { command: "makegood import trip-17.json.gz", description: "From an export" },
    { command: "makegood import archive/runs-2026-11-21.jsonl.gz --run 3f2c81aa", description: "One of an archive" }
  ])
)

interface Check {
  readonly check: string
  readonly state: "ok" | "look" | "wrong"
  readonly what: string
}

/** `doctor`: whether everything is there that runs need. */
export const doctor = Command.make(
  "doctor",
  {
    module: Argument.String("module").pipe(
      Argument.withDescription("The application's module, to ask which open runs it could not go on with"),
      Argument.optional
    ),
    limit: Flag.Int("limit").pipe(
      Flag.withDescription("How many open runs to look at. Default: 10000"),
      Flag.withDefault(10_000)
    ),
    deep: Flag.Boolean("deep").pipe(
      Flag.withDescription("Also judge every record by the guarantees, which reads all of it"),
      Flag.withDefault(false)
    ),
    runs: Flag.Int("runs").pipe(
      Flag.withDescription("With --deep: only so many of the newest runs"),
      Flag.filter(
        (runs) => runs > 0,
        (runs) => `${runs} is not more than 0`
      ),
      Flag.optional
    )
  },
  Effect.fnUntraced(function* ({ deep, limit, module, runs }) {
    if (Option.isSome(runs) && !deep) {
      return yield* stop("usage", "--runs says how many runs --deep judges. Nothing was looked at. Give --deep too.")
    }
    const sql = yield* PgClient.PgClient
    const before = yield* Clock.currentTimeMillis
    const [server] = yield* sql<{ version: string; now: number; migration: number; workers: number; stuck: number }>`
      select current_setting('server_version') as version, makegood.millis(makegood.now()) as now,
        (select max(migration_id) from makegood.migration)::int as migration,
        (select count(*) from makegood.worker where died_at is null and lease_until > makegood.now())::int as workers,
        (select count(*) from makegood.run where state = 'stuck')::int as stuck`
    const after = yield* Clock.currentTimeMillis
    const off = Math.round((server?.now ?? after) - (before + after) / 2)
    const workers = server?.workers ?? 0
    const stuck = server?.stuck ?? 0
    const checks: Array<Check> = [
      { check: "database", state: "ok", what: `Postgres ${server?.version}, answers in ${span(after - before)}` },
      { check: "tables", state: "ok", what: `at migration ${server?.migration}, as this program needs` },
      { check: "settings", state: "ok", what: "commits are durable, and isolated as needed" },
      {
        check: "clocks",
        state: Math.abs(off) > 5_000 ? "look" : "ok",
        what: `this machine's and the database's differ by ${span(Math.abs(off))}`
      },
      {
        check: "workers",
        state: workers === 0 ? "look" : "ok",
        what: workers === 0 ? "none is alive" : `${workers} alive`
      },
      {
        check: "stuck",
        state: stuck === 0 ? "ok" : "look",
        what:
          stuck === 0
            ? "no run waits for a person"
            : `${count(stuck, "run waits", "runs wait")} for a person; see \`makegood stuck\``
      }
    ]
    const report = Option.isNone(module)
      ? undefined
      : yield* Doctor.check(yield* Application.sagas(module.value), { limit })
    if (report !== undefined) {
      const { findings, looked, more } = report
      const runs = new Set(findings.map(({ runId }) => runId)).size
      const open = `${count(looked, "open run")}${more ? ", and there are more" : ""}`
      checks.push({
        check: "handlers",
        state: runs > 0 ? "wrong" : more ? "look" : "ok",
        what: runs === 0 ? `every one of ${open} can go on` : `${runs} of ${open} could not go on`
      })
    }
    const findings = report?.findings ?? []
    const audit = deep ? yield* Deep.audit(Option.getOrUndefined(runs)) : undefined
    const violations = audit?.violations ?? []
    if (audit !== undefined) {
      checks.push({
        check: "records",
        state: violations.length > 0 ? "wrong" : "ok",
        what:
          violations.length === 0
            ? `${count(audit.runs, "run")} judged, every guarantee kept that a record can show`
            : `${count(violations.length, "violation")} in ${count(audit.runs, "run")} judged`
      })
    }
    if (yield* Json) {
      yield* Print.lines([...checks, ...findings, ...violations].map((row) => JSON.stringify(row)))
    } else {
      const options = {
        width: width(),
        paint: paint(),
        style: (column: string, cell: string) =>
          column === "state"
            ? ({ ok: "green", look: "yellow", wrong: "red" } as const)[cell as Check["state"]]
            : undefined
      }
      const columns = [{ name: "check" }, { name: "state" }, { name: "what", least: 20 }]
      yield* Print.lines(
        table(
          columns,
          checks.map(({ check, state, what }) => [check, state, what]),
          options
        )
      )
      if (findings.length > 0) {
        const columns = [{ name: "run" }, { name: "saga", least: 10 }, { name: "problem" }, { name: "why", least: 20 }]
        const cells = findings.map((found) => [
          shortId(found.runId),
          `${found.saga}@${found.version}`,
          found.problem.replaceAll("_", " "),
          found.why
        ])
        yield* Print.lines(["", ...table(columns, cells, options)])
      }
      if (violations.length > 0) {
        const columns = [{ name: "run" }, { name: "entry" }, { name: "breaks" }, { name: "what", least: 20 }]
        const cells = violations.map(({ guarantee, runId, seq, what }) => [
          runId === undefined ? "" : shortId(runId),
          seq === undefined ? "" : String(seq),
          guarantee,
          what
        ])
        yield* Print.lines(["", ...table(columns, cells, options)])
      }
    }
    if (violations.length > 0) {
      return yield* stop(
        "notWell",
        "There are records that break a guarantee. Nothing was changed. Look at these runs with `makegood runs show`, and report how it came about."
      )
    }
    if (findings.length > 0) {
      return yield* stop(
        "notWell",
        "This build could not go on with every open run. Nothing was changed. Deploy one that can, or finish them first."
      )
    }
  }, Effect.provide(Database.runs))
).pipe(
  Command.withShortDescription("Check the database, and whether a build fits the open runs"),
  Command.withDescription(
    "Check the database, its tables and settings, clocks and workers; and, given a module, whether its build could go on with every open run. With --deep every record is judged by the guarantees too. Exit code 7: something is wrong."
  ),
  Command.withExamples([
    { command: "makegood doctor", description: "Is everything there?" },
    { command: "makegood doctor ./src/app.ts", description: "Before a deploy: would open runs find their handlers?" },
    { command: "makegood doctor --deep --runs 1000", description: "Do the newest runs keep what is guaranteed?" }
  ])
)
