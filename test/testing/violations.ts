/** The memory outbox with a violation planted: its own source, with one thing changed in it. */
import { Clock, Effect, Layer, Option } from "effect"
import * as fs from "node:fs"
import { stripTypeScriptTypes } from "node:module"
import { compileFunction } from "node:vm"
import * as Entry from "../../src/outbox/Entry.ts"
import * as Bindings from "../../src/outbox/internal/bindings.ts"
import * as Gate from "../../src/outbox/internal/gate.ts"
import { Outbox, OutboxError, Refused } from "../../src/outbox/Outbox.ts"

const sourceOf = (name: string) =>
  fs.readFileSync(new URL(`../../src/outbox/internal/${name}.ts`, import.meta.url), "utf8")

const source = sourceOf("memory")
const gateSource = sourceOf("gate")
const bindingsSource = sourceOf("bindings")

/** A violation: what it does wrong, and the text of the source that it changes, which has to occur once. */
export type Violation = readonly [what: string, from: string, to: string]

/** The memory outbox as it is after the change. */
export const layer = ([what, from, to]: Violation): Layer.Layer<Outbox> => {
  const isGates = gateSource.includes(from)
  const isBindings = bindingsSource.includes(from)
  const found = isGates ? gateSource : isBindings ? bindingsSource : source
  if (found.split(from).length !== 2) throw new Error(`"${what}" no longer finds its place in memory.ts: ${from}`)
  const changed = found.replace(from, () => to)
  const gate = isGates ? { make: made<typeof Gate.make>(changed, { Option }) } : Gate
  const bindings = isBindings ? { make: made<typeof Bindings.make>(changed, { Effect }) } : Bindings
  const scope = { Bindings: bindings, Clock, Effect, Entry, Gate: gate, Option, OutboxError, Refused }
  const isElsewhere = isGates || isBindings
  return Layer.effect(Outbox, made<Effect.Effect<Outbox["Service"]>>(isElsewhere ? source : changed, scope))
}

/** What a module exports as `make`. */
const made = <A>(source: string, scope: object): A => {
  const code = stripTypeScriptTypes(source)
    .replace(/^import .*$/gm, "")
    .replace("export const make", "const make")
  return compileFunction(`${wellFormed}\n${code}\nreturn make`, Object.keys(scope))(...Object.values(scope))
}

const wellFormed = `const wellFormed = (texts) => Object.fromEntries(
  Object.entries(texts).map((pair) => pair.map((text) => typeof text === "string" ? text.toWellFormed() : text)))`

const ofBindings: ReadonlyArray<Violation> = [
  ["binds a key to the last call that asks", "if (found !== undefined && !isTakenOver) return { ...found, at }", ""],
  ["says that a key is bound since now", "return { ...found, at }", "return { ...found, boundAt: at, at }"],
  ["binds a key for all tools", "JSON.stringify([binding.tool, binding.key])", "binding.key"],
  ["lets a key be taken over from any call of a run", "&& found.path === over.path", ""],
  ["lets no key be taken over", "if (found !== undefined && !isTakenOver)", "if (found !== undefined)"]
]

const ofTheGate: ReadonlyArray<Violation> = [
  ["lists whatever is waited for as requests", 'if (entry.wait !== "approval") return', ""],
  ["asks for what was answered", "asked.delete(at(runId, entry.path))\n        return", "return"],
  ["asks on for a run that goes back", "if (request.runId === runId) asked.delete(name)", "0"],
  ["gives a page again", "inOrder(after, request) < 0", "true"],
  ["lists the youngest first", "left.askedAt - right.askedAt ||", "right.askedAt - left.askedAt ||"],
  [
    "believes a sender when it was sent",
    "{ ...told, sentAt: gatekeeper.sentAt(message, now) } : told",
    "{ sentAt: now, ...told } : told"
  ],
  ["shows all decisions with each request", ".filter(({ path }) => path === request.path)", ""],
  ["has everybody tell of a request", "request.tellingUntil = now + forMillis", "0"],
  ["marks another asking as told", "request.seq !== seq || ", ""],
  ["uses a link twice", "link.used || now >= link.until", "now >= link.until"],
  ["uses a link too late", "link.used || now >= link.until", "link.used"],
  ["uses a link for what is shown now", "|| request.digest !== link.digest", ""],
  ["keeps links of ended runs", "if (link.runId === runId) links.delete(hash)", "0"],
  ["gives a lock to all", "granted: line.length === 0", "granted: true"],
  ["gives a lock to the last", "lines.get(key)?.[0]\n      if (first", "lines.get(key)?.at(-1)\n      if (first"],
  ["keeps the locks of ended runs", "leaveLine(runId, () => true)", "leaveLine(runId, () => false)"],
  ["gives locks to ended runs", 'if (!isOpen(root)) return { _tag: "over" }', ""],
  ["tells of half the locks", "if (!holds(root, request.keys)) continue", ""],
  ["takes what it can without waiting", "if (!request.waits && wanted.some", "if (!request.waits && wanted.every"],
  ["lets runs wait for each other", "if (ahead.has(root)) {", "if (false) {"],
  ["gives locks to children", "return parent === undefined ? runId : rootOf(parent)", "return runId"],
  [
    "keeps places that nobody wants",
    "leaveLine(root, ({ granted, key }) => !granted &&",
    "leaveLine(root, () => false &&"
  ],
  ["pauses what is paused", "if (pauses.has(pause.tool)) return false", ""],
  ["stops compensations too", "(compensation && !pause.compensations)", "false"],
  ["wakes nobody when a tool is let go", "grant(wait.runId, wait.path, by, now)", "0"],
  ["wakes those who wait no more", "if (isOver(wait)) forTools.delete(name)", "0"]
]

const live = "return known !== undefined && !known.dead && now < known.leaseUntil"
const ours = "if (standing?.epoch === request.epoch && standing.appendId === request.appendId) {"
const owned = 'if (run.owner !== undefined) return workers.get(run.owner)?.dead === false ? undefined : "dead"'
const ended = "if (ends.has(run.state)) return undefined"
const known = "if (kept.inbox.has(message.id) || kept.taken.has(message.id)) return true"
const wake = 'return run.wakeAt !== undefined && run.wakeAt <= now ? "queue" : undefined'
const consume = "for (const id of request.consumed) if (kept.inbox.delete(id)) kept.taken.add(id)"
const releasable = "if (run?.owner === worker && run.epoch === epoch) letGo(run, now)"
const reclaimable = "kept.run.owner === worker && kept.run.epoch === epoch && isLive(worker, now)"
const ready = 'if (run.state === "pending" || run.state === "running") return "queue"'
const nothing = "// Nothing."
const given = "const { deadlineMillis, first, parent, undoes, worker, ...rest } = run"
const entries = "request.entries.map(Entry.toRow)"

const zombieOverwrites = `
    if (kept !== undefined && kept.rows.length > request.seq && request.entries.length > 1 && !ends.has(kept.run.state)) {
      write(kept, request.entries.slice(1).map(Entry.toRow), request.appendId, now)
    }`

/** What the suite has to catch. */
export const violations: ReadonlyArray<Violation> = [
  ...ofBindings,
  ...ofTheGate,
  ["starts a run anew that is there", "if (found !== undefined) return", "if (false) return"],
  [
    "answers with the run as it is asked for",
    "run: copy(found.run) } as const",
    "run: { ...found.run, ...rest } } as const"
  ],
  [
    "gives the run to whoever starts it again",
    "if (found !== undefined) return",
    "if (found !== undefined && worker) found.run.owner = worker\nif (found !== undefined) return"
  ],
  ["lets any worker hold what it starts", "worker !== undefined && isLive(worker, now)", "worker !== undefined"],
  ["lets nobody hold what it starts", "worker !== undefined && isLive(worker, now)", "false"],
  ["forgets attributes", "attributes: { ...run.attributes },\n        state", "attributes: {},\n        state"],
  ["finds the first generation", "Math.max(...generations", "Math.min(...generations"],
  ["finds any saga's key", "JSON.stringify([saga, key])", "key"],
  ["lists oldest first", "right.createdAt - left.createdAt ||", "left.createdAt - right.createdAt ||"],
  ["pages by time alone", "(left.runId < right.runId ? 1 : left.runId > right.runId ? -1 : 0)", "0"],
  ["lists any state", "(state === undefined || run.state === state) &&", nothing],
  [
    "lists for one attribute of several",
    "Object.entries(attributes).every(",
    "!Object.keys(attributes).length || Object.entries(attributes).some("
  ],
  ["numbers entries from the page on", "seq: from + index,", "seq: index,"],
  ["gives all entries for a page", ".slice(from, limit === undefined ? undefined : from + limit)", ".slice(from)"],
  [
    "invents entries for unknown runs",
    "(runs.get(runId)?.rows ?? [])",
    "(runs.get(runId)?.rows ?? [{ epoch: 1, at: 0, row: Entry.toRow({ _tag: 'ended', state: 'completed' }) }])"
  ],
  ["waits for a commit that never comes", "afterCommit: (effect) => effect,", "afterCommit: () => Effect.void,"],
  [
    "keeps values parsed",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && JSON.stringify(JSON.parse(row.value)) } })"
  ],
  [
    "drops NUL",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && row.value.replaceAll('\\\\u0000', '') } })"
  ],
  [
    "keeps surrogates as question marks",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && row.value.replace(/\\\\u(d[89a-f]..)/g, '\\\\ufffd') } })"
  ],
  [
    "truncates values",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && row.value.slice(0, 100_000) } })"
  ],
  [
    "takes null and empty texts for zero",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: ['null', '\"\"'].includes(row.value) ? '0' : row.value } })"
  ],
  [
    "keeps one byte a character",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && Buffer.from(row.value, 'latin1').toString('latin1') } })"
  ],
  [
    "unescapes quotes",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && row.value.replaceAll('\\\\\\\\', '\\\\') } })"
  ],
  [
    "gives up at 200 levels",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: /[\\[{]{200}/.test((row.value ?? '').replace(/\"a\":/g, '')) ? '1' : row.value } })"
  ],
  [
    "loses __proto__",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, value: row.value && row.value.replace('\"__proto__\":{\"a\":1},', '') } })"
  ],
  [
    "loses details",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })",
    "kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row: { ...row, stamp: row.stamp && Math.floor(row.stamp) } })"
  ],
  [
    "keeps keys up to NUL",
    given,
    `run = { ...run, key: run.key.split("\0")[0] }
${given}`
  ],
  [
    "keeps attributes with another character for half a pair",
    given,
    `run = { ...run, attributes: wellFormed(run.attributes) }
${given}`
  ],
  ["keeps paths with another character for half a pair", entries, `${entries}.map(wellFormed)`],
  ["takes what is no JSON", 'throw refused("a value that is no JSON")', nothing],
  [
    "writes part of what it refuses",
    "const entries = request.entries.map(Entry.toRow)",
    "write(kept, [Entry.toRow(request.entries[0])], request.appendId, now)\nconst entries = request.entries.map(Entry.toRow)"
  ],
  ["writes wherever there is room", "request.seq !== kept.rows.length ||", "request.seq < kept.rows.length ||"],
  ["writes at the next place, whichever is named", "request.seq !== kept.rows.length ||", nothing],
  ["ignores the epoch", "request.epoch !== kept.run.epoch ||", nothing],
  ["ignores newer epochs", "request.epoch !== kept.run.epoch ||", "request.epoch < kept.run.epoch ||"],
  ["ignores who writes", "request.worker !== kept.run.owner ||", nothing],
  ["ignores leases and deaths", live, "return known !== undefined"],
  ["ignores leases", live, "return known !== undefined && !known.dead"],
  ["ignores deaths", live, "return known !== undefined && (known.dead || now < known.leaseUntil)"],
  [
    "lets workers live that it does not know",
    live,
    "return known === undefined || !known.dead && now < known.leaseUntil"
  ],
  ["does not know an append again", ours, "if (false) {"],
  ["knows an append by its epoch alone", ours, "if (standing?.epoch === request.epoch) {"],
  ["knows an append by its id alone", ours, "if (standing !== undefined && standing.appendId === request.appendId) {"],
  [
    "knows an append again only from a live worker",
    ours,
    "if (isLive(request.worker, now) && standing?.epoch === request.epoch && standing.appendId === request.appendId) {"
  ],
  [
    "knows an append again only while the run is held",
    ours,
    "if (kept?.run.owner === request.worker && standing?.epoch === request.epoch && standing.appendId === request.appendId) {"
  ],
  [
    "applies the change of an append once more",
    ours,
    "if (standing?.epoch === request.epoch && standing.appendId === request.appendId) { if (request.change && !ends.has(kept.run.state)) apply(kept.run, request.change, now)"
  ],
  [
    "writes the rest of an append whose first place is taken",
    "const standing = kept?.rows[request.seq]",
    `const standing = kept?.rows[request.seq]
    if (!(standing?.epoch === request.epoch && standing?.appendId === request.appendId)) {${zombieOverwrites} }`
  ],
  [
    "tells another time of an append sent again",
    'return { _tag: "appended", at: standing.at } as const',
    'return { _tag: "appended", at: standing.at + 1 } as const'
  ],
  [
    "tells another time than it writes",
    'return { _tag: "appended", at: now } as const',
    'return { _tag: "appended", at: now + 1 } as const'
  ],
  ["applies no change", "if (request.change !== undefined) apply(", "if (false) apply("],
  [
    "applies the change first",
    "const standing = kept?.rows[request.seq]",
    "if (kept !== undefined && request.change !== undefined) apply(kept.run, request.change, now)\nconst standing = kept?.rows[request.seq]"
  ],
  [
    "starts the phase anew with each append",
    "write(kept, entries, request.appendId, now)",
    "write(kept, entries, request.appendId, now); if (request.change === undefined) kept.run.phase = 'forward'"
  ],
  ["keeps what is put down", 'if (change.state !== "running") letGo(run, now)', nothing],
  ["lets go of what runs", 'if (change.state !== "running") letGo(run, now)', "letGo(run, now)"],
  ["claims runs that have ended", ended, nothing],
  [
    "lets a release free what has ended",
    releasable,
    "if (run !== undefined) { letGo(run, now); run.state = 'running' }"
  ],
  [
    "reopens a run that has ended for a message",
    "if (ends.has(kept.run.state)) return false",
    "if (ends.has(kept.run.state)) kept.run.state = 'waiting'"
  ],
  [
    "lets the last worker write after the end",
    "request.worker !== kept.run.owner ||",
    "(request.worker !== kept.run.owner && !ends.has(kept.run.state)) ||"
  ],
  ["takes messages for runs that have ended", "if (ends.has(kept.run.state)) return false", nothing],
  ["takes messages for runs unknown", "if (kept === undefined) return false", "if (kept === undefined) return true"],
  ["takes messages only for runs that are held", known, `${known}\nif (kept.run.owner === undefined) return false`],
  [
    "takes a message again",
    known,
    "if (kept.inbox.has(message.id)) kept.inbox.set(message.id + '-', kept.inbox.get(message.id))"
  ],
  ["takes a message again that was used", known, "if (kept.inbox.has(message.id)) return true"],
  ["takes the last word for the first", known, "if (kept.taken.has(message.id)) return true"],
  ["shows the newest message first", "[...inbox.values()].map(", "[...inbox.values()].reverse().map("],
  ["shows a worker all messages", "filter(({ run }) => run.owner === worker).flatMap", "flatMap"],
  ["consumes nothing", consume, nothing],
  ["consumes everything", consume, "kept.inbox.clear()"],
  [
    "consumes for other runs",
    consume,
    "for (const id of request.consumed) for (const other of runs.values()) if (other.inbox.delete(id)) other.taken.add(id)"
  ],
  [
    "consumes before it looks",
    "const standing = kept?.rows[request.seq]",
    "for (const id of request.consumed) kept?.inbox.delete(id)\nconst standing = kept?.rows[request.seq]"
  ],
  [
    "loses messages when a run goes to waiting",
    'if (change.state !== "running") letGo(run, now)',
    "if (change.state === 'waiting') runs.get(run.runId).inbox.clear()\nif (change.state !== \"running\") letGo(run, now)"
  ],
  ["loses messages with a claim", "run.epoch++", "run.epoch++; kept.inbox.clear()"],
  ["wakes nobody for a message", 'if (inbox.size > 0) return "inbox"', nothing],
  ["wakes held runs for a message", owned, `if (inbox.size > 0) return "inbox"\n${owned}`],
  ["claims from live workers", owned, "if (run.owner !== undefined) return 'dead'"],
  [
    "claims from workers whose lease is over",
    owned,
    "if (run.owner !== undefined) return isLive(run.owner, now) ? undefined : 'dead'"
  ],
  ["claims from nobody", owned, "if (run.owner !== undefined) return undefined"],
  [
    "calls it a death whenever it claims",
    ready,
    'if (run.state === "pending" || run.state === "running") return "dead"'
  ],
  ["claims nothing that was let go", ready, 'if (run.state === "pending") return "queue"'],
  ["wakes stuck and waiting runs at once", wake, 'return "queue"'],
  ["wakes before the time", wake, 'return run.wakeAt !== undefined && run.wakeAt <= now + 100 ? "queue" : undefined'],
  ["never wakes", wake, "return undefined"],
  ["does not raise the epoch", "run.epoch++", nothing],
  [
    "writes no entry for a claim",
    'write(kept, [Entry.toRow({ _tag: "claimed", worker, from })], undefined, now)',
    nothing
  ],
  [
    "names the wrong place with a claim",
    "epoch: run.epoch, seq: kept.rows.length, at: now",
    "epoch: run.epoch, seq: kept.rows.length + 1, at: now"
  ],
  ["keeps the reason of a stuck run that goes on", "run.stuckReason = undefined\n", "\n"],
  [
    "goes forward with each claim",
    "run.stuckReason = undefined\n",
    "run.stuckReason = undefined; run.phase = 'forward'\n"
  ],
  ["claims without limit", "if (claims.length >= limit) break", nothing],
  ["claims any version", "name === run.saga && version === run.version", "name === run.saga"],
  ["claims for workers that are not live", "if (!isLive(worker, now)) return claims", nothing],
  ["releases at any epoch", releasable, "if (run?.owner === worker) letGo(run, now)"],
  [
    "releases for anybody",
    releasable,
    "if (run !== undefined && run.epoch === epoch && run.owner !== undefined) letGo(run, now)"
  ],
  ["releases nothing", releasable, nothing],
  ["reclaims for anybody", reclaimable, "kept.run.epoch === epoch && isLive(worker, now)"],
  ["reclaims at any epoch", reclaimable, "kept.run.owner === worker && isLive(worker, now)"],
  ["reclaims for the dead", reclaimable, "kept.run.owner === worker && kept.run.epoch === epoch"],
  ["reclaims nothing", reclaimable, "false"],
  [
    "reclaims and keeps the epoch",
    'take(kept, worker, "own", now)',
    '(kept.run.epoch--, take(kept, worker, "own", now))'
  ],
  [
    "tells the time of the start",
    'return { _tag: "alive", at: now, held } as const',
    'return { _tag: "alive", at: 0, held } as const'
  ],
  ["lets a heartbeat hold more than it does", ".filter(({ run }) => run.owner === id)\n", "\n"],
  [
    "saves the dead",
    "if (worker === undefined || worker.dead) return",
    "if (worker !== undefined) worker.dead = false\nif (worker === undefined || worker.dead) return"
  ],
  [
    "welcomes whoever beats",
    "if (worker === undefined || worker.dead) return",
    "if (worker === undefined) return { _tag: 'alive', at: now, held: [] }\nif (worker.dead) return"
  ],
  [
    "saves nobody whose lease is over",
    "if (worker === undefined || worker.dead) return",
    "if (worker === undefined || worker.dead || now >= worker.leaseUntil) return"
  ],
  [
    "prolongs no lease",
    "worker.leaseUntil = now + leaseMillis",
    "worker.leaseUntil = Math.min(worker.leaseUntil, now + leaseMillis)"
  ],
  ["buries the living", "if (worker.dead || now < worker.leaseUntil) continue", "if (worker.dead) continue"],
  [
    "buries the dead again",
    "if (worker.dead || now < worker.leaseUntil) continue",
    "if (now < worker.leaseUntil) continue"
  ],
  ["buries one at a time", "buried++", "return 1"],
  ["registers the dead anew", "if (!workers.has(id)) workers.set(", "workers.set("],
  ["retires a worker that goes on", "if (worker !== undefined) worker.dead = true", nothing],
  [
    "retires a worker with its runs",
    "for (const { run } of runs.values()) if (run.owner === id) letGo(run, now)",
    nothing
  ],
  ["frees everybody's runs when one retires", "if (run.owner === id) letGo(run, now)", "letGo(run, now)"],
  ["finds runs that have not ended", "(ends.has(run.state) && run.changedAt <", "(run.changedAt <"],
  ["finds runs that ended just now", "run.changedAt < now - olderThanMillis", "true"],
  ["finds tombstones", "kept.run.removedAt === undefined &&\n", ""],
  ["finds children of open parents", "runId === run.parent || ", ""],
  ["finds parents of open children", "if (parent === run.runId || ", "if ("],
  ["finds runs that are being undone", "undoes === run.runId || ", ""],
  ["looks at near relations alone", "family.add(other)", "if (family.size === 1) family.add(other)"],
  ["finds the youngest first", "newestFirst(right.run, left.run)", "newestFirst(left.run, right.run)"],
  ["finds all at once", "page.length >= limit ||", ""],
  ["counts no entries of what it finds", "(page.length > 0 && room < 0)", "false"],
  ["begins at the end of a page again", "newestFirst(after, kept.run) > 0", "newestFirst(after, kept.run) >= 0"],
  ["removes whatever it is asked to", "|| !isExpired(kept, asked, now)) return false", ") return false"],
  ["keeps what a removed run was asked", '{ payload: "null", attributes: {}, result: undefined', "{ result: undefined"],
  ["keeps the record of a removed run", "kept.rows.length = 0", nothing],
  ["removes a run with its key", "Object.assign(kept.run, {", "runs.delete(kept.run.runId), Object.assign(kept.run, {"],
  ["lists tombstones", "              run.removedAt === undefined &&\n", ""],
  ["finds ids by any part of them", "run.runId.startsWith(prefix)", "run.runId.includes(prefix)"],
  ["finds ids in no order", ".toSorted((left, right) => (left.runId < right.runId ? -1 : 1))", ""],
  ["takes a run over twice", "if (runs.has(run.runId) || generations.has(run.generation)) return false", nothing],
  [
    "takes a run over without its record",
    "{ run: { ...copy(run) }, rows, inbox",
    "{ run: { ...copy(run) }, rows: [], inbox"
  ],
  ["takes over runs under way", 'throw refused("a run under way")', "0"],
  ["takes over half a record", 'if (seq !== index) throw refused("a record with a gap")', nothing],
  ["takes a result that is no JSON", "request.change !== undefined) refuseUnlessSound(request.change)", "false) 0"]
]
