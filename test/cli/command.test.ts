import { assert, describe } from "@effect/vitest"
import { PgClient } from "@effect/sql-pg"
import { Effect, Redacted } from "effect"
import * as fs from "node:fs"
import { join } from "node:path"
import { Runs } from "../../src/index.ts"
import * as Database from "../Database.ts"
import { atRest, begin, claim, live, migrate, same, withRuns } from "./bench.ts"
import * as Command from "./Command.ts"

const { app, run, start } = Command
const nowhere = Redacted.make("postgres://nobody:secret@127.0.0.1:1/nothing")

/** A worker for the trips, as a process; ready. */
const working = (url: Redacted.Redacted<string>) =>
  Effect.gen(function* () {
    yield* migrate(url)
    const worker = yield* start(url, ["worker", app, "--name", "test", "--lease", "5s"])
    yield* worker.until("Ctrl-C")
    return worker
  })

describe("makegood, asked for help", () => {
  live("names every command, fits 80 columns, and ends with 0", () =>
    Effect.gen(function* () {
      for (const args of [
        [],
        ["--help"],
        ["runs"],
        ["runs", "list", "--help"],
        ["gc", "--help"],
        ["signal", "--help"]
      ]) {
        const { code, err, out } = yield* run(undefined, ...args)
        assert.deepStrictEqual([code, err], [0, ""], args.join(" "))
        for (const line of out.split("\n")) assert.isAtMost(line.length, 80, line)
        assert.include(out, args.length < 2 && args[0] !== "runs" ? "EXAMPLES" : "USAGE")
      }
    })
  )

  live("completes commands and flags in a shell, and says its version", () =>
    Effect.gen(function* () {
      const { out } = yield* run(undefined, "--completions", "bash")
      for (const word of ["resolve", "--older-than", "--did-not-happen", "watch"]) assert.include(out, word)
      const { version } = JSON.parse(fs.readFileSync(join(import.meta.dirname, "..", "..", "package.json"), "utf8"))
      assert.strictEqual((yield* run(undefined, "--version")).out, `makegood v${version}\n`)
    })
  )
})

describe("makegood, used wrongly", () => {
  live("says on standard error alone what was wrong, does nothing, and ends with 2", () =>
    Effect.gen(function* () {
      const wrong: ReadonlyArray<readonly [args: ReadonlyArray<string>, said: RegExp]> = [
        [["runs", "lst"], /Unknown subcommand "lst".*list\n.*See `makegood runs --help`/],
        [["runs", "show"], /Missing required argument: run/],
        [["runs", "list", "--bogus"], /Unrecognized flag: --bogus/],
        [["runs", "list", "--limit", "-3"], /-3 is less than 0/],
        [["runs", "list", "--state", "asleep"], /--state.*"asleep"/],
        [["gc", "--older-than", "3 q"], /3 q is no length of time/],
        [["gc"], /Missing required flag: --older-than/],
        [["runs", "list"], /No database was named.*DATABASE_URL/],
        [["import", "/no/such/file"], /does not exist/],
        [["worker", "./no-such-module.ts"], /cannot be loaded.*Nothing was started/],
        [["worker", "test/cli/bench.ts"], /no layer as its default export\. It exports .*claim/],
        [["resolve", "abcd1234", "A"], /What became of the call was not said/],
        [["resolve", "abcd1234", "A", "--happened", "1", "--did-not-happen"], /and not both/]
      ]
      const ended = yield* Effect.forEach(
        wrong,
        ([args]) => run(args[0] === "resolve" ? nowhere : undefined, ...args),
        {
          concurrency: 3
        }
      )
      for (const [index, [args, said]] of wrong.entries()) {
        const { code, err, out } = ended[index]!
        const expected = args[0] === "resolve" ? 3 : 2
        assert.deepStrictEqual([args.join(" "), out, code], [args.join(" "), "", expected])
        if (expected === 2) assert.match(err, said, args.join(" "))
      }
    })
  )

  live("refuses a URL that is none of Postgres, and repeats no password", () =>
    Effect.gen(function* () {
      for (const url of ["mysql://a:hidden@b/c", "hidden", "postgres//hidden"]) {
        const { code, err } = yield* run(Redacted.make(url), "runs", "list")
        assert.strictEqual(code, 2)
        assert.notInclude(err, "hidden")
      }
      const { code, err } = yield* run(undefined, "runs", "list", "--database-url", "mysql://a:hidden@b/c")
      assert.strictEqual(code, 2)
      assert.notInclude(err, "hidden")
    })
  )
})

describe("makegood, without a database as it should be", () => {
  live("says that it is away, and ends with 3", () =>
    Effect.gen(function* () {
      for (const args of [
        ["runs", "list"],
        ["doctor"],
        ["migrate", "--yes"],
        ["worker", app],
        ["gc", "--older-than", "1d"]
      ]) {
        const { code, err, out } = yield* run(nowhere, ...args)
        assert.deepStrictEqual([code, out], [3, ""], args.join(" "))
        assert.match(
          err,
          /^The database cannot be reached: .*ECONNREFUSED.*\. Nothing was done\. Check.*DATABASE_URL.*\n$/
        )
        assert.notInclude(err, "secret")
      }
      const { err } = yield* run(nowhere, "runs", "list", "--json")
      assert.deepInclude(JSON.parse(err), { code: 3 })
    })
  )

  claim("says that it has no tables, asks before it makes them, and makes them once", (url) =>
    Effect.gen(function* () {
      const without = yield* run(url, "runs", "list")
      assert.strictEqual(without.code, 3)
      assert.match(without.err, /has no tables of makegood.*`makegood migrate`/)
      const unasked = yield* run(url, "migrate")
      assert.strictEqual(unasked.code, 6)
      assert.match(unasked.err, /^Make the tables of makegood in .*\? Nothing was done: this is no terminal.*--yes/)
      assert.strictEqual((yield* run(url, "runs", "list")).code, 3)
      const made = yield* run(url, "migrate", "--yes", "--json")
      assert.strictEqual(made.code, 0)
      assert.deepInclude(made.json()[0], { migrated: true, from: 0 })
      const again = yield* run(url, "migrate")
      assert.strictEqual(again.code, 0)
      assert.match(again.out, /is at migration \d+ already/)
      assert.deepStrictEqual((yield* run(url, "runs", "list")).out, "There are no such runs.\n")
    })
  )

  claim("says that it is newer than the program, and changes nothing", (url) =>
    Effect.gen(function* () {
      yield* migrate(url)
      yield* withRuns(
        url,
        Effect.flatMap(
          PgClient.PgClient,
          (sql) => sql`insert into makegood.migration (migration_id, name) values (99, 'x')`
        )
      )
      for (const args of [["runs", "list"], ["migrate", "--yes"], ["doctor"]]) {
        const { code, err } = yield* run(url, ...args)
        assert.strictEqual(code, 3, args.join(" "))
        assert.match(err, /at migration 99, newer than this program.*Use a newer makegood/)
      }
    })
  )
})

describe("makegood, with runs", () => {
  claim("lists, shows and watches them, for people and for scripts", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [poor, good, doubt] = yield* begin(url, "poor-1", "good-1", "doubt-1")
      assert.deepStrictEqual(yield* atRest(url, poor!, good!, doubt!), ["rolled_back", "completed", "stuck"])

      const listed = yield* run(url, "runs", "list")
      assert.strictEqual(
        same(listed.out),
        [
          "run       saga  key      state          age",
          "<run>  Trip  doubt-1  stuck <span>",
          "<run>  Trip  good-1   completed <span>",
          "<run>  Trip  poor-1   rolled back <span>",
          ""
        ].join("\n")
      )
      const ids = (args: ReadonlyArray<string>) =>
        Effect.map(run(url, "runs", "list", "--json", ...args), (ended) => ended.json().map(({ key }) => key))
      assert.deepStrictEqual(yield* ids([]), ["doubt-1", "good-1", "poor-1"])
      assert.deepStrictEqual(yield* ids(["--state", "rolled_back"]), ["poor-1"])
      assert.deepStrictEqual(yield* ids(["--attribute", "customer=good-1"]), ["good-1"])
      assert.deepStrictEqual(yield* ids(["--limit", "1"]), ["doubt-1"])
      assert.deepStrictEqual(yield* ids(["--saga", "Other"]), [])

      const shown = yield* run(url, "runs", "show", poor!.slice(0, 8))
      assert.strictEqual(shown.code, 0)
      for (const line of shown.out.split("\n")) assert.isAtMost(line.length, 80)
      const text = same(shown.out)
      for (const line of [
        /^state +rolled back after <span>$/m,
        /^customer +poor-1$/m,
        /^failure +{"_tag":"NoMoney"}$/m
      ]) {
        assert.match(text, line)
      }
      assert.match(text, /^HoldSeat {2,}.*█.* taken back +<span>$/m)
      assert.match(text, /^ChargeCard +█+·+█+ .*failed +2x <span>$/m)
      assert.match(text, /^HoldSeat!compensate +▒+ .*done <span>$/m)
      assert.match(text, /<span> {2}goes back: failed$/m)
      const [details] = (yield* run(url, "runs", "show", "Trip/good-1", "--json")).json()
      assert.deepInclude(details, { runId: good, state: "completed", result: { chargeId: "ch_1" } })
      const entries = details?.["entries"] as ReadonlyArray<{ readonly entry: { readonly _tag: string } }> | undefined
      assert.strictEqual(entries?.at(-1)?.entry._tag, "ended")

      const watched = yield* run(url, "runs", "watch", "Trip/good-1")
      assert.strictEqual(watched.code, 0)
      assert.match(same(watched.out), /^ <span> {2}taken by a worker\n <span> {2}HoldSeat is called\n/)
      assert.match(watched.out, /ended: completed: {"chargeId":"ch_1"}\n$/)
      const rolledBack = yield* run(url, "runs", "watch", "Trip/poor-1", "--json")
      assert.strictEqual(rolledBack.code, 7)
      assert.deepStrictEqual(rolledBack.json().length, (yield* withRuns(url, Runs.history(poor!))).length)

      const calls = yield* run(url, "calls", "--tool", "ChargeCard", "--json")
      assert.deepStrictEqual(
        calls.json().map(({ runKey, state }) => [runKey, state]),
        [
          ["doubt-1", "in_doubt"],
          ["good-1", "succeeded"],
          ["poor-1", "failed"]
        ]
      )
      assert.match((yield* run(url, "calls", "Trip/doubt-1", "--state", "in_doubt")).out, /ChargeCard {2}in doubt +1/)
      const stuck = yield* run(url, "stuck")
      assert.match(stuck.out, /^[0-9a-f]{8} {2}Trip +in doubt +[\d.]+ m?s +ChargeCard +Nobody knows/m)
      const [waits] = (yield* run(url, "stuck", "--json")).json()
      assert.include(JSON.stringify(waits?.["remedies"]), "--did-not-happen")
    })
  )

  claim("records what a person decided, with who and why, and only when told to", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [doubt, bug, waits] = yield* begin(url, "doubt-1", "bug-1", "waits-1")
      assert.deepStrictEqual(yield* atRest(url, doubt!, bug!, waits!), ["stuck", "stuck", "waiting"])
      const unasked = yield* run(url, "runs", "cancel", "Trip/bug-1")
      assert.strictEqual(unasked.code, 6)
      assert.match(
        unasked.err,
        /^Take back the run [0-9a-f]{8} \(Trip\/bug-1\)\? Nothing was done: this is no terminal/
      )
      assert.match((yield* run(url, "runs", "cancel", "Trip/bug-1", "--json")).err, /with --json nobody is asked/)
      assert.strictEqual((yield* withRuns(url, Runs.get(bug!))).state, "stuck")

      const cancelled = yield* run(
        url,
        "runs",
        "cancel",
        "Trip/bug-1",
        "--yes",
        "--by",
        "ann",
        "--why",
        "ordered twice"
      )
      assert.deepStrictEqual([cancelled.code, cancelled.out], [0, "It is told to go back. Said by ann.\n"])
      const back = yield* run(url, "runs", "watch", bug!)
      assert.strictEqual(back.code, 7)
      assert.include(back.out, "ann said cancel: ordered twice")

      const resolved = yield* run(
        url,
        "resolve",
        "Trip/doubt-1",
        "ChargeCard",
        "--happened",
        '{"chargeId":"ch_9"}',
        "--yes"
      )
      assert.strictEqual(resolved.code, 0)
      assert.match((yield* run(url, "runs", "watch", doubt!)).out, /ended: completed: {"chargeId":"ch_9"}/)

      for (const [args, code] of [
        [["runs", "hold", "Trip/waits-1"], 0],
        [["signal", "Trip/waits-1", "paid", '{"cents":5}', "--id", "evt_1", "--by", "bank"], 0],
        [["runs", "release", "Trip/waits-1"], 0]
      ] as const) {
        assert.strictEqual((yield* run(url, ...args, "-y")).code, code, args.join(" "))
      }
      const went = yield* run(url, "runs", "watch", waits!)
      assert.strictEqual(went.code, 0)
      assert.include(went.out, "bank said signal paid")

      const [undoing] = (yield* run(url, "runs", "undo", "Trip/waits-1", "-y", "--json", "--by", "ann")).json()
      assert.deepInclude(undoing, { runId: waits, by: "ann" })
      const undone = yield* run(url, "runs", "watch", String(undoing?.["undoing"]))
      assert.include(undone.out, "ChargeCard!compensate done")

      for (const [args, code, said] of [
        [["runs", "undo", "Trip/bug-1"], 5, /Trip|undone|completed/],
        [["runs", "cancel", "Trip/bug-1"], 5, /has ended \(rolled back\).*ends are final/],
        [["runs", "resume", "Trip/none"], 4, /There is no run "Trip\/none"/],
        [["runs", "resume", "00000000-0000-8000-8000-000000000000"], 4, /There is no run/],
        [["runs", "resume", "ab"], 2, /too short/],
        [["signal", "Trip/waits-1", "paid", "{cents"], 2, /not JSON: {cents/],
        [["skip", "zz", "A"], 4, /There is no run "zz"/]
      ] as const) {
        const ended = yield* run(url, ...args, "-y")
        assert.deepStrictEqual([args.join(" "), ended.code, ended.out], [args.join(" "), code, ""])
        assert.match(ended.err, said)
      }
    })
  )

  claim("shows what runs ask people for, and takes decisions on exactly what was seen (G13)", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [one, two] = yield* begin(url, "asks-1", "asks-2")
      assert.deepStrictEqual(yield* atRest(url, one!, two!), ["waiting", "waiting"])
      const listed = yield* run(url, "approvals", "list")
      assert.match(listed.out, /^[0-9a-f]{8} {2}boss  managers +[\d.]+ m?s +[0-9a-f]{8} {2}{"id":"asks-1"}$/m)
      const requests = (yield* run(url, "approvals", "list", "--to", "managers", "--json")).json()
      const digestOf = (runId: string) => String(requests.find((request) => request["runId"] === runId)?.["digest"])
      assert.deepStrictEqual((yield* run(url, "approvals", "list", "--to", "others", "--json")).json(), [])

      const [approve, reject] = [
        ["approvals", "approve", "Trip/asks-1", "boss"],
        ["approvals", "reject", "Trip/asks-2", "boss"]
      ]
      const unseen = yield* run(url, ...approve!, "--yes")
      assert.deepStrictEqual([unseen.code, unseen.out], [2, ""])
      assert.match(unseen.err, /Nobody is shown what is decided.*--digest/)
      const other = yield* run(url, ...approve!, "--yes", "--digest", digestOf(two!).slice(0, 8))
      assert.deepStrictEqual([other.code, other.out], [5, ""])
      assert.strictEqual((yield* run(url, "approvals", "approve", "Trip/asks-1", "nobody", "-y")).code, 4)
      assert.strictEqual((yield* run(url, ...reject!, "--digest", digestOf(two!))).code, 2, "a no needs a reason")
      assert.deepStrictEqual(yield* atRest(url, one!, two!), ["waiting", "waiting"])

      const yes = yield* run(url, ...approve!, "--yes", "--by", "ann", "--digest", digestOf(one!).slice(0, 8))
      assert.deepStrictEqual([yes.code, yes.out], [0, "Approved by ann.\n"])
      assert.strictEqual((yield* run(url, "runs", "watch", one!)).code, 0)
      const no = yield* run(url, ...reject!, "--yes", "--by", "bob", "--why", "too dear", "--digest", digestOf(two!))
      assert.strictEqual(no.code, 0)
      const back = yield* run(url, "runs", "watch", two!)
      assert.strictEqual(back.code, 7)
      assert.match(back.out, /bob said decide .*too dear/)
      const preview = (yield* run(url, "runs", "preview", one!, "--json")).json()
      assert.deepStrictEqual(
        preview.map(({ fate, path }) => [path, fate]),
        [
          ["ChargeCard", "to_take_back"],
          ["HoldSeat", "to_take_back"]
        ]
      )
    })
  )

  claim("removes old ones, archived first, and takes them over elsewhere", (url) =>
    Effect.gen(function* () {
      const worker = yield* working(url)
      const [good, sleeps] = yield* begin(url, "good-1", "sleeps-1")
      yield* atRest(url, good!, sleeps!)
      const folder = yield* Database.temporaryDirectory
      const old = ["gc", "--older-than", "1ms", "--archive", join(folder, "archive")]
      assert.deepStrictEqual((yield* run(url, ...old, "--dry-run", "--json")).json(), [{ found: 1, removed: 0 }])
      assert.strictEqual((yield* run(url, ...old)).code, 6)
      assert.deepStrictEqual(
        (yield* run(url, "gc", "--older-than", "1d", "--yes")).out,
        "There are no runs that old.\n"
      )
      const file = join(folder, "open.json.gz")
      assert.strictEqual((yield* run(url, "export", "Trip/sleeps-1", "--to", file)).code, 0)
      const [exported] = (yield* run(url, "export", "Trip/good-1")).json()
      const [removed] = (yield* run(url, ...old, "--yes", "--json")).json()
      assert.deepInclude(removed, { found: 1, removed: 1 })
      const archive = String(removed?.["archive"])
      assert.strictEqual(fs.statSync(archive).mode & 0o077, 0, "others cannot read it")

      const gone = yield* run(url, "runs", "show", "Trip/good-1")
      assert.strictEqual(gone.code, 4)
      assert.match(gone.err, /its record was removed/)
      assert.strictEqual((yield* run(url, "export", good!)).code, 4)
      assert.deepStrictEqual(
        (yield* run(url, "runs", "list", "--json")).json().map(({ key }) => key),
        ["sleeps-1"]
      )
      yield* worker.stop

      const other = yield* Database.fresh
      yield* migrate(other)
      for (const from of [archive, file]) assert.strictEqual((yield* run(other, "import", from, "--yes")).code, 0)
      assert.match((yield* run(other, "import", archive, "--yes")).out, /^0 runs imported, 1 there already/)
      const [there] = (yield* run(other, "export", good!)).json()
      assert.deepStrictEqual(there, exported)
      const elsewhere = yield* run(other, "runs", "show", sleeps!)
      assert.match(elsewhere.out, /stuck, blocked: It was imported while it was under way/)
      fs.writeFileSync(join(folder, "none.json"), '{"makegood":7}\n')
      assert.strictEqual((yield* run(other, "import", join(folder, "none.json"), "--yes")).code, 2)
      assert.strictEqual((yield* run(other, "import", archive, "--run", "ffff", "--yes")).code, 4)
    })
  )

  claim("says whether all is well, and whether a build could go on with every open run", (url) =>
    Effect.gen(function* () {
      const worker = yield* working(url)
      const [waits] = yield* begin(url, "waits-1")
      yield* atRest(url, waits!)
      const well = yield* run(url, "doctor", app)
      assert.strictEqual(well.code, 0)
      assert.match(well.out, /^workers +ok +1 alive$/m)
      assert.match(well.out, /^handlers +ok +every one of 1 open run can go on$/m)
      assert.strictEqual(yield* worker.stop, 130)
      yield* withRuns(
        url,
        Effect.flatMap(
          PgClient.PgClient,
          (sql) => sql`update makegood.run set version = 7 where run_id = ${waits!}::uuid`
        )
      )
      const unwell = yield* run(url, "doctor", app)
      assert.strictEqual(unwell.code, 7)
      assert.match(unwell.out, /^workers +look +none is alive$/m)
      assert.match(unwell.out, /^handlers +wrong +1 of 1 open run could not go on$/m)
      assert.match(unwell.out, /Trip@7 +no handler +no saga Trip, version 7, is registered, only ver/)
      const json = (yield* run(url, "doctor", app, "--json")).json()
      assert.deepInclude(json.at(-1), { runId: waits, problem: "no_handler" })
      assert.strictEqual((yield* run(url, "doctor")).code, 0)
    })
  )
})

describe("makegood dev", () => {
  live("runs an application with a database of its own, and tells every run", () =>
    Effect.gen(function* () {
      const directory = yield* Database.temporaryDirectory
      fs.chmodSync(directory, 0o755)
      const dev = yield* start(undefined, ["dev", app, "--directory", join(directory, "data")], {
        TRIPS: "good-1 poor-1"
      })
      yield* dev.until(/Trip\/good-1 +ended: completed/)
      yield* dev.until(/Trip\/poor-1 +ended: rolled back/)
      for (const line of dev.said.out.split("\n"))
        assert.isTrue(line.length <= 80 || /DATABASE_URL|Ctrl-C/.test(line), line)
      const url = /postgres:\/\/[^']+/.exec(dev.said.out)?.[0] ?? ""
      assert.match((yield* run(Redacted.make(url), "runs", "list")).out, /good-1 +completed/)
      assert.strictEqual(yield* dev.stop, 130)
    })
  )
})
