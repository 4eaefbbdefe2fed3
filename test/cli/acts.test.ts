/** What a person tells runs and tools from the command line, each as it is meant, and each where it says nothing. */
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Redacted } from "effect"
import { Runs } from "../../src/index.ts"
import * as Database from "../Database.ts"
import { atRest, begin, claim, migrate, withRuns } from "./bench.ts"
import * as Command from "./Command.ts"
import * as Terminal from "./Terminal.ts"

const { app, run, start } = Command

/** A worker for the trips, as a process; ready. */
const working = Effect.fnUntraced(function* (url: Redacted.Redacted<string>) {
  yield* migrate(url)
  const worker = yield* start(url, ["worker", app, "--name", "test", "--lease", "5s"])
  yield* worker.until("Ctrl-C")
})

type Case = readonly [args: string, code: number, said: RegExp]

/** Says these words one after the other, and compares what comes of each. */
const says = Effect.fnUntraced(function* (url: Redacted.Redacted<string>, cases: ReadonlyArray<Case>) {
  for (const [args, code, said] of cases) {
    const ended = yield* run(url, ...args.split(" ").map((word) => word.replaceAll("_", " ")), "--yes", "--by", "ann")
    assert.deepStrictEqual([args, ended.code], [args, code], ended.out + ended.err)
    assert.match(code === 0 ? ended.out : ended.err, said, args)
    assert.strictEqual(code === 0 ? ended.err : ended.out, "", args)
  }
})

const nothing = "Nothing was done\\."

describe("a run that is stuck at what could not be taken back", () => {
  claim("is tried again, or left as it stands, and says so", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [late, never] = yield* begin(url, "late-1", "never-1")
      assert.deepStrictEqual(yield* atRest(url, late!, never!), ["stuck", "stuck"])
      const shown = yield* run(url, "runs", "show", "Trip/late-1")
      const short = late!.slice(0, 8)
      assert.match(
        shown.out,
        new RegExp(
          `Put right what hindered it and go on, or let the call stand:\n  makegood runs retry ${short}\n` +
            `  makegood skip ${short} 'HoldSeat!compensate'\n$`
        )
      )
      assert.match((yield* run(url, "stuck")).out, /compensation failed +\S+ m?s +HoldSeat!compensate {2}It could not/)
      yield* says(url, [
        ["runs retry Trip/late-1 ChargeCard", 2, /is not HoldSeat!compensate, where the run .* is stuck/],
        ["skip Trip/late-1 Nothing", 2, /names no call/],
        ["skip Trip/late-1 ChargeCard", 5, new RegExp(`has not happened: its state is failed\\. ${nothing}`)],
        ["resolve Trip/late-1 HoldSeat --did-not-happen", 5, /HoldSeat of .* is not in doubt: its state is /],
        ["runs retry Trip/late-1 HoldSeat --why open_again", 0, /^It is told to try again\. Said by ann\.\n$/],
        ["skip Trip/never-1 HoldSeat --why sold", 0, /^HoldSeat will stand, and is listed so\. Said by ann\.\n$/]
      ])
      const back = yield* run(url, "runs", "watch", late!)
      assert.strictEqual(back.code, 7)
      assert.match(
        back.out,
        /ann said resume HoldSeat: open again\n[^]*HoldSeat!compensate done\n[^]*ended: rolled back/
      )
      assert.match(
        (yield* run(url, "runs", "watch", never!)).out,
        /ann said skip HoldSeat: sold\n[^]*partly rolled back/
      )
      assert.match((yield* run(url, "runs", "show", never!)).out, /\n1 call stand[^:]*:\n {2}HoldSeat\n$/)
      yield* says(url, [
        ["runs retry Trip/late-1", 5, /has ended \(rolled back\)/],
        ["skip Trip/never-1 HoldSeat", 5, /has ended \(partly rolled back\)/]
      ])
    })
  )
})

describe("a run that waits", () => {
  claim("is held and released, signalled, and told nothing that means nothing", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [waits, good] = yield* begin(url, "waits-1", "good-1")
      assert.deepStrictEqual(yield* atRest(url, waits!, good!), ["waiting", "completed"])
      yield* says(url, [
        ["runs resume Trip/waits-1", 5, new RegExp(`is not stuck: it is waiting\\. ${nothing}`)],
        ["runs grant Trip/waits-1", 5, new RegExp(`is not stuck: it is waiting\\. ${nothing}`)],
        ["runs retry Trip/waits-1", 5, new RegExp(`is not stuck: it is waiting\\. ${nothing}`)],
        ["runs release Trip/waits-1", 5, new RegExp(`is not held\\. ${nothing}`)],
        ["resolve Trip/waits-1 HoldSeat --did-not-happen", 5, /is not stuck: it is waiting/],
        ["runs undo Trip/waits-1", 5, /only a completed run can be undone/],
        ["runs hold Trip/waits-1 --why asking_the_customer", 0, /^It is told to hold\. Said by ann\.\n$/]
      ])
      assert.match((yield* run(url, "runs", "show", waits!)).out, /^state +\w+, held for /m)
      yield* says(url, [
        ["signal Trip/waits-1 two_words 1", 2, /A name is a letter and then/],
        [`signal Trip/waits-1 paid {"cents":"x"} --module ${app}`, 2, /does not fit: .*cents.* Nothing was sent/],
        [`signal Trip/waits-1 payd 1 --module ${app}`, 2, /exports no signal payd, but paid/],
        [
          `signal Trip/waits-1 paid {"cents":5} --module ${app}`,
          0,
          /^The signal paid is on its way\. Sent by ann\.\n$/
        ],
        ["runs release Trip/waits-1", 0, /^It is told to go on\. Said by ann\.\n$/]
      ])
      assert.strictEqual((yield* run(url, "runs", "watch", waits!)).code, 0)
      yield* says(url, [
        [`signal Trip/waits-1 paid {"cents":5}`, 5, /has ended \(completed\)/],
        ["runs hold Trip/waits-1", 5, /has ended \(completed\)/],
        ["runs undo Trip/waits-1", 0, /^The run [0-9a-f-]{36} takes it back\. Said by ann\.\n$/]
      ])
    })
  )

  claim("for a signal that nobody can read says what can be done, and that can be done", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [waits] = yield* begin(url, "waits-1")
      yield* atRest(url, waits!)
      yield* says(url, [[`signal Trip/waits-1 paid {"cents":"x"}`, 0, /on its way/]])
      yield* withRuns(url, Runs.settled(waits!))
      const shown = yield* run(url, "runs", "show", waits!)
      assert.match(
        shown.out,
        /Deploy a schema that can read it and go on:\n {2}makegood runs resume .*\n {2}makegood runs cancel/
      )
      yield* says(url, [["runs cancel Trip/waits-1", 0, /It is told to go back/]])
      assert.strictEqual((yield* withRuns(url, Runs.await(waits!))).state, "rolled_back")
    })
  )
})

describe("a tool", () => {
  claim("is paused for all runs until it is let go, by whom and why being told", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      assert.strictEqual((yield* run(url, "tools", "list")).out, "No tool is paused.\n")
      const unasked = yield* run(url, "tools", "pause", "ChargeCard")
      assert.strictEqual(unasked.code, 6)
      assert.match(unasked.err, /^Stop the tool ChargeCard for all runs\? Nothing was done/)
      yield* says(url, [
        ["tools unpause ChargeCard", 5, new RegExp(`is not paused\\. ${nothing}`)],
        ["tools pause", 2, /Missing required argument: tool/],
        ["tools pause ChargeCard --why the_bank_is_down", 0, /^The tool ChargeCard is paused.* Said by ann\.\n$/],
        ["tools pause ChargeCard --compensations", 5, new RegExp(`is paused already\\. ${nothing}`)]
      ])
      assert.match((yield* run(url, "tools", "list")).out, /^ChargeCard +calls +[\d.]+ m?s +ann +the bank is down$/m)
      const [listed] = (yield* run(url, "tools", "list", "--json")).json()
      assert.deepInclude(listed, { tool: "ChargeCard", by: "ann", why: "the bank is down", compensations: false })
      const [good] = yield* begin(url, "good-1")
      assert.deepStrictEqual(yield* atRest(url, good!), ["waiting"])
      yield* says(url, [["tools unpause ChargeCard", 0, /^The tool ChargeCard is let go.* Said by ann\.\n$/]])
      assert.strictEqual((yield* withRuns(url, Runs.await(good!))).state, "completed")
    })
  )
})

describe("a link to decide by", () => {
  claim("is a token that decides once, as the person named, what was seen (G13)", (url) =>
    Effect.gen(function* () {
      yield* working(url)
      const [asks] = yield* begin(url, "asks-1")
      yield* atRest(url, asks!)
      const [request] = (yield* run(url, "approvals", "list", "--json")).json()
      const args = ["approvals", "link", "Trip/asks-1", "boss", "--digest", String(request?.["digest"])]
      assert.strictEqual((yield* run(url, ...args, "--for", "bob")).code, 6)
      assert.strictEqual((yield* run(url, ...args, "--yes")).code, 2, "a link is somebody's")
      assert.strictEqual((yield* run(url, ...args, "--yes", "--for", "bob", "--expires", "soon")).code, 2)
      const other = yield* run(url, ...args, "--yes", "--for", "bob", "--group", "clerks")
      assert.deepStrictEqual([other.code, other.out], [5, ""])
      const made = yield* run(url, ...args, "--yes", "--for", "bob", "--expires", "2h")
      assert.match(made.out, /^[\w-]{43}\n$/)
      const token = made.out.trim()
      yield* withRuns(url, Runs.decide(token, { approve: { why: "she is a friend" } }))
      const used = yield* withRuns(url, Effect.flip(Runs.decide(token, { reject: "no" })))
      assert.include(["DecisionRefused", "RunEnded"], used.reason._tag)
      const went = yield* run(url, "runs", "watch", asks!)
      assert.strictEqual(went.code, 0)
      assert.match(went.out, /bob said decide .*she is a friend/)
    })
  )
})

describe.skipIf(!Terminal.canOpen)("a person at a terminal", () => {
  it.live(
    "is asked before a tool is stopped, a call is left as it stands, and a link is made",
    () =>
      Effect.gen(function* () {
        const url = yield* Database.fresh
        yield* working(url)
        const [never, asks] = yield* begin(url, "never-1", "asks-1")
        assert.deepStrictEqual(yield* atRest(url, never!, asks!), ["stuck", "waiting"])
        const answering = Effect.fnUntraced(function* (keys: string, question: string, ...args: ReadonlyArray<string>) {
          const session = yield* Terminal.open(url, ...args)
          yield* session.until(question)
          yield* session.press(keys)
          return { code: yield* session.code, seen: session.seen() }
        })
        const pausing = ["tools", "pause", "ChargeCard", "--compensations"]
        const question = "Stop the tool ChargeCard for all runs, and the taking-back of its calls?"
        assert.strictEqual((yield* answering("n", question, ...pausing)).code, 6)
        assert.strictEqual((yield* run(url, "tools", "list")).out, "No tool is paused.\n")
        const paused = yield* answering("y", question, ...pausing)
        assert.strictEqual(paused.code, 0)
        assert.include(paused.seen, "The tool ChargeCard is paused")
        const leaving = `Let HoldSeat of ${never!.slice(0, 8)} (Trip/never-1) stand, without taking it back?`
        const left = yield* answering("y", leaving, "runs", "skip", "Trip/never-1", "HoldSeat")
        assert.strictEqual(left.code, 0)
        assert.strictEqual((yield* withRuns(url, Runs.await(never!))).state, "partly_rolled_back")
        const link = yield* answering("y", " as bob?", "approvals", "link", "Trip/asks-1", "boss", "--for", "bob")
        assert.strictEqual(link.code, 0)
        assert.match(link.seen, /asks managers: {"id":"asks-1"}[^]*\n[\w-]{43}\n$/)
      }).pipe(Effect.scoped, Effect.timeout("115 seconds")),
    120_000
  )
})
