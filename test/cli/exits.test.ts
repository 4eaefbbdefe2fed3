import { assert, describe, it } from "@effect/vitest"
import { Cause } from "effect"
import { Completions } from "effect/cli"
import * as fs from "node:fs"
import { join } from "node:path"
import { command } from "../../src/cli/Cli.ts"
import { codes, ending, stop } from "../../src/cli/internal/exits.ts"
import { NotMigrated, OutboxError, Unavailable } from "../../src/outbox/OutboxError.ts"
import { remedies } from "../../src/cli/internal/remedies.ts"
import { StuckReason } from "../../src/outbox/Entry.ts"
import * as Runs from "../../src/saga/Runs.ts"

const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), { code: "ECONNREFUSED" })

describe("how the command ends", () => {
  it.each([
    ["database", new OutboxError({ reason: new Unavailable({ cause: refused }) })],
    ["database", new OutboxError({ reason: new NotMigrated({ needed: 2 }) })],
    ["missing", new Runs.RunsError({ reason: new Runs.RunNotFound({ runId: "x" }) })],
    ["refused", new Runs.RunsError({ reason: new Runs.RunEnded({ runId: "x", state: "completed" }) })],
    ["usage", new Runs.RunsError({ reason: new Runs.InvalidInput({ what: "The reason", why: "is empty" }) })],
    ["unconfirmed", stop("unconfirmed", "Nothing was done.")],
    ["failed", new Error("who knows")]
  ] as const)("has the code of %s", (code, error) => {
    const found = ending(Cause.fail(error))
    assert.strictEqual(found.code, codes[code])
    assert.isString(found.sentence)
    assert.notInclude(found.sentence ?? "", "\n")
  })

  it("says in one sentence what is the matter with the database, and what to do", () => {
    const said = (reason: Unavailable | NotMigrated) => ending(Cause.fail(new OutboxError({ reason }))).sentence ?? ""
    assert.match(
      said(new Unavailable({ cause: refused })),
      /cannot be reached: connect ECONNREFUSED 127.0.0.1:1\. Nothing/
    )
    assert.match(said(new NotMigrated({ needed: 2 })), /has no tables of makegood.*makegood migrate/)
    assert.match(
      said(new NotMigrated({ found: 1, needed: 2 })),
      /at migration 1 and this program needs 2.*makegood migrate/
    )
    assert.match(
      said(new NotMigrated({ found: 9, needed: 2 })),
      /at migration 9, newer than this program.*newer makegood/
    )
  })

  it("tells bugs, which are to be reported, from interruptions, of which nothing is said", () => {
    const bug = ending(Cause.die(new TypeError("undefined is not a function")))
    assert.deepInclude(bug, { code: codes.failed, name: "Bug" })
    assert.include(bug.sentence ?? "", "undefined is not a function")
    assert.deepInclude(ending(Cause.interrupt()), { code: codes.interrupted, sentence: undefined })
  })

  it("has a code of its own for each way", () => {
    const all = Object.values(codes)
    assert.strictEqual(new Set(all).size, all.length)
  })
})

describe("what can be done about a stuck run", () => {
  it.each(StuckReason.literals)("is said for %s, as commands that name the run", (reason) => {
    const [what, ...commands] = remedies("3f2c81aa-0000", { reason, path: "A" }, new Set("A"))
    assert.match(what ?? "", /^[A-Z].*:$/)
    assert.isNotEmpty(commands)
    for (const command of commands) assert.match(command, /^ {2}makegood .*3f2c81aa/)
  })

  it("asks what became of a call only where that is not known", () => {
    const texts = (reason: (typeof StuckReason.literals)[number]) =>
      remedies("3f2c81aa", { reason, path: "A" }, new Set("A")).join("\n")
    assert.include(texts("in_doubt"), "--did-not-happen")
    assert.notInclude(texts("undecodable"), "--did-not-happen")
    assert.notInclude(texts("blocked"), "resolve")
    assert.include(texts("undecodable"), "makegood resolve 3f2c81aa 'A' --happened")
    const ofWait = remedies("3f2c81aa", { reason: "undecodable", path: "paid" }, new Set("A")).join("\n")
    assert.notInclude(ofWait, "resolve", "what a signal carried is not a person's to say")
    assert.include(texts("compensation_failed"), "makegood skip 3f2c81aa 'A'")
  })
})

describe("docs/cli.md", () => {
  const page = fs.readFileSync(join(import.meta.dirname, "..", "..", "docs", "cli.md"), "utf8")
  const rows = (pattern: RegExp) => Array.from(page.matchAll(pattern), (match) => match[1]!)

  it("lists every exit code, and no other", () => {
    const listed = rows(/^\| (\d+) \|/gm).map(Number)
    assert.sameMembers(listed, [...new Set(Object.values(codes))])
  })

  it("lists every command, and none that is not there", () => {
    const { subcommands } = Completions.fromCommand(command)
    const there = subcommands.flatMap(({ name, subcommands }) =>
      subcommands.length === 0 ? [name] : subcommands.map((below) => `${name} ${below.name}`)
    )
    const also = ["runs resolve", "runs skip"]
    const listed = rows(/^\| `makegood ((?:(?:runs|approvals|tools) )?[a-z]+)/gm)
    assert.sameMembers([...listed, ...also], there)
  })
})
