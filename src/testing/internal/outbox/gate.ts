/** Cases of the outbox suite: requests for approval, links, locks and pauses stand between runs and their acts. */
import { Effect, Option } from "effect"
import * as assert from "node:assert/strict"
import { randomUUID } from "node:crypto"
import type * as Entry from "../../../outbox/Entry.ts"
import type { Locked } from "../../../outbox/Gate.ts"
import type { Message, OutboxError } from "../../../outbox/Outbox.ts"
import type { Draft, Held, Stage } from "./stage.ts"
import { atOnce, draft, present, to } from "./stage.ts"

const asked = (path: string, more: Partial<Entry.Awaited> = {}): Entry.Entry => ({
  _tag: "awaited",
  path,
  wait: "approval",
  name: "Refund",
  digest: "digest",
  value: '{"cents":3}',
  ...more
})

const answered = (path: string): Entry.Entry => ({ _tag: "answered", path, how: "approved", stamp: 0 })
const ended: Entry.Entry = { _tag: "ended", state: "completed" }

const decision = (runId: string, path: string, id: string = randomUUID()): Message => ({
  id,
  runId,
  told: { message: "decide", by: "ada", path, digest: "digest", happened: true, value: "{}" }
})

/** The next append of a run, whatever was written before. */
const write = (stage: Stage, held: Held, entries: ReadonlyArray<Entry.Entry>, completes = false) =>
  Effect.flatMap(stage.entries(held.runId), ({ length }) =>
    stage.write(held, {
      seq: length,
      appendId: length,
      entries,
      change: completes ? to("completed") : undefined
    })
  )

const requestsOf = (stage: Stage, runId: string) =>
  Effect.map(stage.outbox.gate.requests({ runId, limit: 10 }), ({ requests }) => requests)

const pathsOf = (stage: Stage, runId: string) =>
  Effect.map(requestsOf(stage, runId), (requests) => requests.map(({ path }) => path))

const grantsOf = (stage: Stage, runId: string) =>
  Effect.map(stage.outbox.inboxOf(runId), (messages) =>
    messages.flatMap(({ told }) => (told.message === "grant" ? [told.path] : []))
  )

const lock = (stage: Stage, { runId }: Pick<Held, "runId">, keys: ReadonlyArray<string>, path = "A!lock") =>
  stage.outbox.gate.lock({ runId, path, keys, waits: true })

const tagOf = (effect: Effect.Effect<Locked, OutboxError>) => Effect.map(effect, ({ _tag }) => _tag)

const keyed = () => ({ a: randomUUID(), b: randomUUID() })

export const gate: ReadonlyArray<Draft> = [
  draft("lists a request for approval from its asking to its answer", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      assert.deepEqual(yield* pathsOf(stage, held.runId), [])
      const at = yield* write(stage, held, [asked("A", { until: 9_000_000_000_000 }), asked("B!approval")])
      yield* write(stage, held, [asked("C", { wait: "signal" })])
      const [first] = yield* requestsOf(stage, held.runId)
      const { decisions, ...request } = present(first)
      const run = yield* stage.run(held.runId)
      assert.deepEqual(request, {
        runId: held.runId,
        saga: stage.saga,
        key: run.key,
        path: "A",
        seq: 1,
        name: "Refund",
        digest: "digest",
        asked: '{"cents":3}',
        askedAt: at,
        until: 9_000_000_000_000,
        notices: 0
      })
      assert.deepEqual(yield* pathsOf(stage, held.runId), ["A", "B!approval"])
      yield* write(stage, held, [answered("A")])
      assert.deepEqual(yield* pathsOf(stage, held.runId), ["B!approval"])
      const of = stage.outbox.gate.requests({ runId: held.runId, path: "A", limit: 10 })
      assert.deepEqual((yield* of).requests, [])
    })
  ),

  draft("asks for nothing any more once a run goes back, or has ended", (stage) =>
    Effect.gen(function* () {
      const [back, end] = [yield* stage.held(), yield* stage.held()]
      for (const held of [back, end]) yield* write(stage, held, [asked("A")])
      yield* write(stage, back, [{ _tag: "rollback_began", cause: "cancelled" }, asked("A!compensate!approval")])
      assert.deepEqual(yield* pathsOf(stage, back.runId), ["A!compensate!approval"])
      yield* write(stage, end, [ended], true)
      assert.deepEqual(yield* pathsOf(stage, end.runId), [])
    })
  ),

  draft("does not look at the gate at the end of a run that says it left nothing there", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* write(stage, held, [asked("A")])
      yield* stage.write(held, { seq: 2, appendId: 2, entries: [ended], change: to("completed"), atGate: false })
      assert.deepEqual(yield* pathsOf(stage, held.runId), ["A"])
    })
  ),

  draft("lists the requests of all runs in pages, oldest first", (stage) =>
    Effect.gen(function* () {
      const runs: Array<string> = []
      for (let index = 0; index < 3; index++) {
        const held = yield* stage.held()
        yield* write(stage, held, [asked("A")])
        runs.push(held.runId)
        yield* stage.pass(2)
      }
      const found: Array<string> = []
      let after: Parameters<typeof stage.outbox.gate.requests>[0]["after"]
      while (true) {
        const { requests } = yield* stage.outbox.gate.requests({ after, limit: 2 })
        found.push(...requests.map(({ runId }) => runId))
        assert.ok(requests.length <= 2 && new Set(found).size === found.length)
        after = requests.at(-1)
        if (after === undefined) break
      }
      assert.deepEqual(
        found.filter((runId) => runs.includes(runId)),
        runs
      )
    })
  ),

  draft("says with a decision when it was sent, and shows it with its request, taken or not (G13)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const at = yield* write(stage, held, [asked("A")])
      yield* stage.pass(2)
      const message = decision(held.runId, "A")
      yield* stage.outbox.send({ ...message, told: { ...message.told, sentAt: 1 } })
      yield* stage.outbox.send(decision(held.runId, "B"))
      const [sent] = yield* stage.outbox.inboxOf(held.runId)
      const { sentAt, ...told } = present(sent).told
      assert.deepEqual(told, message.told)
      assert.ok(present(sentAt) > at, "the outbox says when")
      const shown = Effect.map(requestsOf(stage, held.runId), ([first]) =>
        present(first).decisions.map(({ by, id, path }) => [by, id, path])
      )
      assert.deepEqual(yield* shown, [["ada", message.id, "A"]])
      yield* stage.write(held, { seq: 2, appendId: 9, consumed: [message.id] })
      assert.deepEqual(yield* shown, [["ada", message.id, "A"]])
    })
  ),

  draft("has one at a time tell of a request, until it was told, and again after a notice", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      yield* write(stage, held, [asked("A")])
      const { gate } = stage.outbox
      const untold = Effect.map(gate.untold({ limit: 1_000, forMillis: 500 }), (found) =>
        found.filter(({ runId }) => runId === held.runId)
      )
      const [first] = yield* untold
      assert.equal(present(first).notices, 0)
      assert.deepEqual(yield* untold, [])
      yield* stage.pass(600)
      const [again] = yield* untold
      yield* gate.told(present(again))
      yield* stage.pass(600)
      assert.deepEqual(yield* untold, [])
      yield* write(stage, held, [{ _tag: "reminded", path: "A", nth: 1 }])
      const [reminder] = yield* untold
      assert.equal(present(reminder).notices, 1)
      yield* gate.told(present(reminder))
      yield* write(stage, held, [answered("A"), asked("A")])
      const [anew] = yield* untold
      yield* gate.told(present(reminder))
      yield* stage.pass(600)
      assert.deepEqual(
        (yield* untold).map(({ notices, seq }) => [notices, seq]),
        [[0, present(anew).seq]]
      )
    })
  ),

  draft("lets a link decide once, and only while what it was made for is asked (G13)", (stage) =>
    Effect.gen(function* () {
      const held = yield* stage.held()
      const { gate } = stage.outbox
      yield* write(stage, held, [asked("A")])
      const link = (digest = "digest", forMillis = 1_000_000) => {
        const made = { hash: randomUUID(), runId: held.runId, path: "A", digest, principal: '{"by":"ada"}', forMillis }
        return Effect.as(gate.link(made), made)
      }
      const made = yield* link()
      const { forMillis, ...kept } = made
      assert.deepEqual(Option.getOrUndefined(yield* gate.findLink(made.hash)), { ...kept, used: false, expired: false })
      assert.equal(Option.isNone(yield* gate.findLink(randomUUID())), true)
      const other = yield* link("another digest")
      assert.equal(yield* gate.useLink(other.hash, decision(held.runId, "A")), false)
      const brief = yield* link("digest", 20)
      yield* stage.pass(60)
      assert.equal(Option.getOrUndefined(yield* gate.findLink(brief.hash))?.expired, true)
      assert.equal(yield* gate.useLink(brief.hash, decision(held.runId, "A")), false)
      assert.deepEqual(yield* stage.outbox.inboxOf(held.runId), [])
      const messages = [decision(held.runId, "A"), decision(held.runId, "A")]
      const used = [yield* gate.useLink(made.hash, messages[0]!), yield* gate.useLink(made.hash, messages[1]!)]
      assert.deepEqual(used, [true, false])
      assert.deepEqual(
        (yield* stage.outbox.inboxOf(held.runId)).map(({ id, told: { sentAt } }) => [id, sentAt !== undefined]),
        [[messages[0]!.id, true]]
      )
      assert.equal(Option.getOrUndefined(yield* gate.findLink(made.hash))?.used, true)
      const late = yield* link()
      yield* write(stage, held, [answered("A")])
      assert.equal(yield* gate.useLink(late.hash, decision(held.runId, "A")), false)
      yield* write(stage, held, [ended], true)
      assert.equal(Option.isNone(yield* gate.findLink(late.hash)), true)
    })
  ),

  draft("gives a lock to one run at a time, in the order of the line, until that run ends", (stage) =>
    Effect.gen(function* () {
      const { a } = keyed()
      const runs = [yield* stage.held(), yield* stage.held(), yield* stage.held()] as const
      assert.equal(yield* tagOf(lock(stage, runs[0], [a])), "granted")
      assert.equal(yield* tagOf(lock(stage, runs[0], [a])), "granted")
      const busy = stage.outbox.gate.lock({ runId: runs[1].runId, path: "A!lock", keys: [a], waits: false })
      assert.equal(yield* tagOf(busy), "busy")
      for (const next of [runs[1], runs[2]]) {
        assert.deepEqual(yield* lock(stage, next, [a]), { _tag: "waits", other: runs[0].runId })
      }
      assert.equal(yield* tagOf(lock(stage, runs[1], [a])), "waits")
      const line = Effect.map(stage.outbox.gate.lines([a]), (places) =>
        places.map(({ granted, holder }) => [runs.findIndex(({ runId }) => runId === holder), granted])
      )
      assert.deepEqual(yield* line, [
        [0, true],
        [1, false],
        [2, false]
      ])
      yield* write(stage, runs[0], [ended], true)
      assert.deepEqual(yield* grantsOf(stage, runs[1].runId), ["A!lock"])
      assert.deepEqual(yield* grantsOf(stage, runs[2].runId), [])
      assert.equal(yield* tagOf(lock(stage, runs[1], [a])), "granted")
      yield* write(stage, runs[1], [ended], true)
      assert.deepEqual(yield* grantsOf(stage, runs[2].runId), ["A!lock"])
      yield* write(stage, runs[2], [ended], true)
      assert.deepEqual(yield* line, [])
      assert.equal(yield* tagOf(lock(stage, runs[2], [a])), "over")
    })
  ),

  draft("gives several locks together, and says so once they are all there", (stage) =>
    Effect.gen(function* () {
      const { a, b } = keyed()
      const [first, second, both] = [yield* stage.held(), yield* stage.held(), yield* stage.held()]
      yield* lock(stage, first, [a])
      yield* lock(stage, second, [b])
      assert.equal(yield* tagOf(lock(stage, both, [b, a])), "waits")
      yield* write(stage, second, [ended], true)
      assert.deepEqual(yield* grantsOf(stage, both.runId), [])
      yield* write(stage, first, [ended], true)
      assert.deepEqual(yield* grantsOf(stage, both.runId), ["A!lock"])
      assert.equal(yield* tagOf(lock(stage, both, [a, b])), "granted")
      yield* write(stage, both, [ended], true)
    })
  ),

  draft("takes nothing where not all locks are free and it is not to wait", (stage) =>
    Effect.gen(function* () {
      const { a, b } = keyed()
      const [first, second, third] = [yield* stage.held(), yield* stage.held(), yield* stage.held()]
      yield* lock(stage, first, [b])
      const tried = stage.outbox.gate.lock({ runId: second.runId, path: "A!lock", keys: [a, b], waits: false })
      assert.equal(yield* tagOf(tried), "busy")
      assert.equal(yield* tagOf(lock(stage, third, [a])), "granted")
      for (const held of [first, third]) yield* write(stage, held, [ended], true)
    })
  ),

  draft("refuses a lock that would have two runs wait for each other, and names the other", (stage) =>
    Effect.gen(function* () {
      const { a, b } = keyed()
      const c = randomUUID()
      const [first, second, third] = [yield* stage.held(), yield* stage.held(), yield* stage.held()]
      yield* lock(stage, first, [a])
      yield* lock(stage, second, [b])
      yield* lock(stage, third, [c])
      assert.equal(yield* tagOf(lock(stage, first, [b])), "waits")
      assert.deepEqual(yield* lock(stage, second, [a]), { _tag: "circle", other: first.runId })
      assert.equal(yield* tagOf(lock(stage, second, [c])), "waits")
      const around = yield* lock(stage, third, [a], "B!lock")
      assert.equal(around._tag, "circle")
      assert.ok("other" in around && [first.runId, second.runId].includes(around.other))
      yield* write(stage, third, [ended], true)
      assert.deepEqual(yield* grantsOf(stage, second.runId), ["A!lock"])
      yield* write(stage, second, [ended], true)
      assert.deepEqual(yield* grantsOf(stage, first.runId), ["A!lock"])
      yield* write(stage, first, [ended], true)
      assert.deepEqual(yield* stage.outbox.gate.lines([a, b, c]), [])
    })
  ),

  draft("lets children have the locks of their root, until that ends", (stage) =>
    Effect.gen(function* () {
      const { a } = keyed()
      const root = yield* stage.held()
      const child = stage.newRun({ parent: root.runId, worker: root.worker })
      yield* stage.outbox.start(child)
      const stranger = yield* stage.held()
      assert.equal(yield* tagOf(lock(stage, child, [a])), "granted")
      assert.equal(yield* tagOf(lock(stage, root, [a])), "granted")
      assert.equal(yield* tagOf(lock(stage, stranger, [a])), "waits")
      yield* write(stage, { runId: child.runId, worker: root.worker }, [ended], true)
      assert.deepEqual(yield* grantsOf(stage, stranger.runId), [])
      yield* write(stage, root, [ended], true)
      assert.deepEqual(yield* grantsOf(stage, stranger.runId), ["A!lock"])
      yield* write(stage, stranger, [ended], true)
    })
  ),

  draft("forgets the place in line of a run that no longer wants it", (stage) =>
    Effect.gen(function* () {
      const { a } = keyed()
      const runs = [yield* stage.held(), yield* stage.held(), yield* stage.held(), yield* stage.held()] as const
      yield* lock(stage, runs[0], [a])
      for (const next of runs.slice(1)) yield* lock(stage, next, [a])
      yield* write(stage, runs[1], [asked("A!lock", { wait: "lock" }), answered("A!lock")])
      yield* write(stage, runs[2], [{ _tag: "rollback_began", cause: "cancelled" }])
      yield* write(stage, runs[0], [ended], true)
      for (const gone of [runs[1], runs[2]]) assert.deepEqual(yield* grantsOf(stage, gone.runId), [])
      assert.deepEqual(yield* grantsOf(stage, runs[3].runId), ["A!lock"])
      for (const held of runs.slice(1)) yield* write(stage, held, [ended], true)
    })
  ),

  draft("gives each lock to one of many who want it at once, and in the end to all", (stage) =>
    Effect.gen(function* () {
      const { a, b } = keyed()
      let waiting = yield* Effect.all(Array.from({ length: 8 }, () => stage.held()))
      const all = waiting
      yield* atOnce(waiting.map((held, index) => lock(stage, held, index % 2 === 0 ? [a, b] : [b, a])))
      for (let round = 0; round < all.length; round++) {
        const has = yield* Effect.filter(waiting, (held) =>
          Effect.map(
            stage.outbox.gate.lock({ runId: held.runId, path: "A!lock", keys: [a, b], waits: false }),
            ({ _tag }) => _tag === "granted"
          )
        )
        assert.equal(has.length, 1)
        yield* write(stage, present(has[0]), [ended], true)
        waiting = waiting.filter((held) => held !== has[0])
      }
    })
  ),

  draft("pauses a tool once, says by whom and why, and wakes those who wait when it is let go", (stage) =>
    Effect.gen(function* () {
      const { gate } = stage.outbox
      const tool = `T${randomUUID()}`
      const [held, other] = [yield* stage.held(), yield* stage.held()]
      const wait = (compensation: boolean, runId = held.runId) =>
        gate.awaitTool({ tool, compensation, runId, path: "A!pause" })
      const paused = Effect.map(gate.pauses, (pauses) => pauses.filter((pause) => pause.tool === tool))
      assert.equal(yield* wait(false), false)
      assert.equal(yield* gate.pause({ tool, compensations: false, by: "ada", why: "odd" }), true)
      assert.equal(yield* gate.pause({ tool, compensations: true, by: "bob", why: undefined }), false)
      const [pause] = yield* paused
      assert.deepEqual({ ...pause, since: 0 }, { tool, compensations: false, by: "ada", why: "odd", since: 0 })
      assert.equal(yield* wait(true), false)
      assert.deepEqual([yield* wait(false), yield* wait(false), yield* wait(false, other.runId)], [true, true, true])
      yield* write(stage, other, [asked("A!pause", { wait: "pause" }), answered("A!pause")])
      assert.equal(yield* gate.unpause(tool, { by: "ada", why: "fine" }), true)
      assert.equal(yield* gate.unpause(tool, { by: "ada", why: "fine" }), false)
      assert.deepEqual(yield* grantsOf(stage, held.runId), ["A!pause"])
      assert.deepEqual(yield* grantsOf(stage, other.runId), [])
      assert.deepEqual(yield* paused, [])
      assert.equal(yield* gate.pause({ tool, compensations: true, by: "bob", why: undefined }), true)
      assert.equal(yield* wait(true), true)
      yield* gate.unpause(tool, { by: "bob", why: undefined })
      assert.deepEqual(yield* grantsOf(stage, held.runId), ["A!pause", "A!pause"])
    })
  )
]
