/**
 * The outbox in this process' memory, for tests: the record is lost with the process.
 *
 * Its database's clock is the `Clock` that was there when the layer was built, so that a `TestClock` drives leases and
 * wake times. Each operation is one step that nothing else can come between, and what it refuses it refuses before it
 * changes anything. Entries are kept as the rows a database would keep (G4, G11).
 */
import { Clock, Effect, Option } from "effect"
import * as Entry from "../Entry.ts"
import type {
  Append,
  Change,
  Claim,
  Expired,
  ExpiredRequest,
  Hint,
  Message,
  NewRun,
  Outbox,
  Restored,
  Run,
  State
} from "../Outbox.ts"
import { OutboxError, Refused, Unavailable } from "../OutboxError.ts"
import * as Bindings from "./bindings.ts"
import * as Gate from "./gate.ts"

type Mutable<A> = { -readonly [K in keyof A]: A[K] }

interface Row {
  readonly epoch: number
  /** Absent on claims. */
  readonly appendId: number | undefined
  readonly at: number
  readonly row: Entry.Row
}

interface Kept {
  readonly run: Mutable<Run>
  /** By `seq`. */
  readonly rows: Array<Row>
  /** Messages on their way by id, oldest first. */
  readonly inbox: Map<string, Entry.Row>
  /** The decisions among them, those taken too. */
  readonly decisions: Array<Entry.Row>
  /** The ids of the messages that were consumed: one that is sent again is known. */
  readonly taken: Set<string>
}

interface Worker {
  leaseUntil: number
  readonly leaseMillis: number
  dead: boolean
}

const ends: ReadonlySet<State> = new Set<State>(["completed", "rolled_back", "partly_rolled_back"])

/** Makes an empty outbox. */
export const make: Effect.Effect<Outbox["Service"]> = Effect.gen(function* () {
  const clock = yield* Clock.Clock
  const runs = new Map<string, Kept>()
  /** By saga and key, then by generation. */
  const named = new Map<string, Map<number, Kept>>()
  const workers = new Map<string, Worker>()
  const listeners = new Set<(hint: Hint) => void>()
  const hints: Array<Hint> = []
  let delivering = false

  // Hints go out once the operation is done; those that a listener causes wait for the one being delivered.
  const deliver = () => {
    if (delivering) return
    delivering = true
    try {
      for (let hint = hints.shift(); hint !== undefined; hint = hints.shift()) {
        for (const listener of listeners) listener(hint)
      }
    } finally {
      delivering = false
    }
  }

  const operation = <A>(step: (now: number) => A): Effect.Effect<A, OutboxError> =>
    Effect.suspend(() => {
      try {
        return Effect.succeed(step(clock.currentTimeMillisUnsafe()))
      } catch (error) {
        if (error instanceof OutboxError) return Effect.fail(error)
        throw error
      } finally {
        deliver()
      }
    })

  const isLive = (worker: string, now: number): boolean => {
    const known = workers.get(worker)
    return known !== undefined && !known.dead && now < known.leaseUntil
  }

  const write = (kept: Kept, entries: ReadonlyArray<Entry.Row>, appendId: number | undefined, now: number) => {
    for (const row of entries) kept.rows.push({ epoch: kept.run.epoch, appendId, at: now, row })
  }

  const take = (kept: Kept, worker: string, from: Entry.ClaimedFrom, now: number): Claim => {
    const { run } = kept
    run.epoch++
    run.owner = worker
    run.state = "running"
    run.stuckReason = undefined
    run.wakeAt = undefined
    run.changedAt = now
    write(kept, [Entry.toRow({ _tag: "claimed", worker, from })], undefined, now)
    return { run: copy(run), epoch: run.epoch, seq: kept.rows.length, at: now }
  }

  const letGo = (run: Mutable<Run>, now: number) => {
    run.owner = undefined
    run.changedAt = now
    hints.push({ _tag: "ready" })
  }

  const start = (run: NewRun, now: number) => {
    const { deadlineMillis, first, parent, undoes, worker, ...rest } = run
    const found = runs.get(run.runId)
    if (found !== undefined) return { _tag: "exists", run: copy(found.run) } as const
    const undone = undoes === undefined ? undefined : runs.get(undoes)
    if (undoes !== undefined && (undone === undefined || undone.run.removedAt !== undefined)) {
      const cause = new Error("the run was removed while it was started")
      throw new OutboxError({ reason: new Unavailable({ cause }) })
    }
    refuseUnlessText(run.runId, run.saga, run.key, run.payloadDigest, ...Object.entries(run.attributes).flat())
    refuseUnlessJson(run.payload)
    const kept: Kept = {
      run: {
        ...rest,
        attributes: { ...run.attributes },
        state: "pending",
        phase: "forward",
        stuckReason: undefined,
        epoch: 0,
        owner: undefined,
        createdAt: now,
        changedAt: now,
        wakeAt: undefined,
        deadline: deadlineMillis === undefined ? undefined : now + deadlineMillis,
        parent,
        undoes,
        result: undefined
      },
      rows: [],
      inbox: new Map(),
      decisions: [],
      taken: new Set()
    }
    const generations = named.get(nameOf(run)) ?? new Map<number, Kept>()
    if (generations.has(run.generation)) throw refused("another run has this saga, key and generation")
    named.set(nameOf(run), generations.set(run.generation, kept))
    runs.set(run.runId, kept)
    const held = worker !== undefined && isLive(worker, now)
    const began = held && first !== undefined
    if (held) take(kept, worker, "start", now)
    else hints.push({ _tag: "ready" })
    if (began) write(kept, first.map(Entry.toRow), 1, now)
    return { _tag: "started", held, began, at: now } as const
  }

  // Where a claim would find this run, if it may be claimed.
  const claimable = ({ run, inbox }: Kept, now: number): Entry.ClaimedFrom | undefined => {
    if (ends.has(run.state)) return undefined
    if (run.owner !== undefined) return workers.get(run.owner)?.dead === false ? undefined : "dead"
    if (inbox.size > 0) return "inbox"
    if (run.state === "pending" || run.state === "running") return "queue"
    return run.wakeAt !== undefined && run.wakeAt <= now ? "queue" : undefined
  }

  const apply = (run: Mutable<Run>, change: Change, now: number) => {
    run.changedAt = now
    run.state = change.state
    run.phase = change.phase
    run.stuckReason = change.stuckReason
    run.wakeAt = change.state === "running" ? undefined : change.wakeAt
    run.result = change.result
    if (change.state !== "running") letGo(run, now)
    if (!ends.has(change.state)) return
    hints.push({ _tag: "ended", runId: run.runId })
    if (run.parent === undefined) return
    const { result, runId, state } = run
    const told = { message: "child", by: runId, happened: state === "completed", name: state } as const
    send(
      {
        id: `child:${runId}`,
        runId: run.parent,
        told: { ...told, ...(result === undefined ? {} : { value: result }) }
      },
      now
    )
  }

  const append = (request: Append, now: number) => {
    if (request.entries.length === 0) throw refused("an append without entries")
    const kept = runs.get(request.runId)
    const standing = kept?.rows[request.seq]
    // Ours from an earlier sending, whatever became of the run since.
    if (standing?.epoch === request.epoch && standing.appendId === request.appendId) {
      return { _tag: "appended", at: standing.at } as const
    }
    if (
      kept === undefined ||
      request.seq !== kept.rows.length ||
      request.epoch !== kept.run.epoch ||
      request.worker !== kept.run.owner ||
      !isLive(request.worker, now)
    )
      return { _tag: "fenced" } as const
    const entries = request.entries.map(Entry.toRow)
    for (const row of entries) {
      refuseUnlessText(row.path, row.tool, row.key, row.digest)
      refuseUnlessJson(row.value)
    }
    if (request.change !== undefined) refuseUnlessSound(request.change)
    const first = kept.rows.length
    write(kept, entries, request.appendId, now)
    request.entries.forEach((entry, i) => gatekeeper.written(request.runId, first + i, entry, now, request.atGate))
    for (const id of request.consumed) if (kept.inbox.delete(id)) kept.taken.add(id)
    if (request.change !== undefined) apply(kept.run, request.change, now)
    return { _tag: "appended", at: now } as const
  }

  const send = (message: Message, now: number): boolean => {
    const kept = runs.get(message.runId)
    if (kept === undefined) return false
    if (kept.inbox.has(message.id) || kept.taken.has(message.id)) return true
    if (ends.has(kept.run.state)) return false
    const { told } = message
    const sent = told.message === "decide" ? { ...told, sentAt: gatekeeper.sentAt(message, now) } : told
    const row = Entry.toRow({ _tag: "told", id: message.id, ...sent })
    refuseUnlessText(message.id, row.path)
    refuseUnlessJson(row.value)
    kept.inbox.set(message.id, row)
    if (told.message === "decide") kept.decisions.push(row)
    hints.push({ _tag: "inbox", runId: message.runId })
    if (claimable(kept, now) !== undefined) hints.push({ _tag: "ready" })
    return true
  }

  /** A run and all that it has to do with: parents, children, undone runs and their undoing, however far apart. */
  const familyOf = (kept: Kept): ReadonlySet<Kept> => {
    const family = new Set([kept])
    for (const { run } of family) {
      for (const other of runs.values()) {
        const { parent, runId, undoes } = other.run
        if (parent === run.runId || undoes === run.runId || runId === run.parent || runId === run.undoes) {
          family.add(other)
        }
      }
    }
    return family
  }

  const isOld = ({ run }: Kept, { olderThanMillis }: Expired, now: number): boolean =>
    run.removedAt !== undefined || (ends.has(run.state) && run.changedAt < now - olderThanMillis)

  const isExpired = (kept: Kept, asked: Expired, now: number): boolean =>
    kept.run.removedAt === undefined &&
    (asked.saga === undefined || kept.run.saga === asked.saga) &&
    isOld(kept, asked, now) &&
    [...familyOf(kept)].every((other) => isOld(other, asked, now))

  const expired = ({ after, entries, limit, ...asked }: ExpiredRequest, now: number) => {
    const found = [...runs.values()]
      .filter((kept) => isExpired(kept, asked, now) && (after === undefined || newestFirst(after, kept.run) > 0))
      .toSorted((left, right) => newestFirst(right.run, left.run))
    const page: Array<Run> = []
    let room = entries
    for (const { rows, run } of found) {
      room -= rows.length
      if (page.length >= limit || (page.length > 0 && room < 0)) break
      page.push(copy(run))
    }
    const last = page.at(-1)
    const isAll = last === undefined || page.length === found.length
    return { runs: page, next: isAll ? undefined : { createdAt: last.createdAt, runId: last.runId } }
  }

  const remove = (kept: Kept, now: number) => {
    Object.assign(kept.run, { payload: "null", attributes: {}, result: undefined, removedAt: now })
    kept.rows.length = 0
    kept.inbox.clear()
    kept.decisions.length = 0
    kept.taken.clear()
  }

  const restore = ({ entries, run }: Restored): boolean => {
    const generations = named.get(nameOf(run)) ?? new Map<number, Kept>()
    if (runs.has(run.runId) || generations.has(run.generation)) return false
    if (run.owner !== undefined || !(ends.has(run.state) || run.state === "stuck")) throw refused("a run under way")
    const rows = entries.map(({ at, entry, epoch, seq }, index) => {
      if (seq !== index) throw refused("a record with a gap")
      return { epoch, appendId: undefined, at, row: Entry.toRow(entry) }
    })
    refuseUnlessText(run.runId, run.saga, run.key, run.payloadDigest, ...Object.entries(run.attributes).flat())
    refuseUnlessJson(run.payload)
    refuseUnlessSound(run)
    const kept: Kept = { run: { ...copy(run) }, rows, inbox: new Map(), decisions: [], taken: new Set() }
    named.set(nameOf(run), generations.set(run.generation, kept))
    runs.set(run.runId, kept)
    for (const { at, entry, seq } of entries) gatekeeper.written(run.runId, seq, entry, at, true)
    return true
  }

  const { gate, ...gatekeeper } = Gate.make({
    operation,
    find: (runId) => runs.get(runId)?.run,
    isOpen: (runId) => !ends.has(runs.get(runId)?.run.state ?? "completed"),
    send,
    decisions: (runId) => (runs.get(runId)?.decisions ?? []).map((row) => Entry.fromRowUnsafe(row) as Entry.Told),
    hint: (hint) => hints.push(hint)
  })

  return {
    start: (run) => operation((now) => start(run, now)),
    afterCommit: (effect) => effect,
    inTransaction: Effect.succeed(false),

    get: (runId) => operation(() => Option.map(Option.fromUndefinedOr(runs.get(runId)), ({ run }) => copy(run))),
    find: (saga, key) =>
      operation(() => {
        const generations = named.get(nameOf({ saga, key }))
        const latest = generations?.get(Math.max(...generations.keys()))
        return latest === undefined ? Option.none() : Option.some(copy(latest.run))
      }),
    list: ({ attributes = {}, before, limit, saga, state }) =>
      operation(() =>
        [...runs.values()]
          .map(({ run }) => run)
          .filter(
            (run) =>
              (saga === undefined || run.saga === saga) &&
              (state === undefined || run.state === state) &&
              Object.entries(attributes).every(([name, value]) => run.attributes[name] === value) &&
              run.removedAt === undefined &&
              (before === undefined || newestFirst(before, run) < 0)
          )
          .toSorted(newestFirst)
          .slice(0, limit)
          .map(copy)
      ),
    startingWith: (prefix, limit) =>
      operation(() =>
        [...runs.values()]
          .filter(({ run }) => run.runId.startsWith(prefix))
          .map(({ run }) => copy(run))
          .toSorted((left, right) => (left.runId < right.runId ? -1 : 1))
          .slice(0, limit)
      ),
    entries: (runId, { from, limit }) =>
      operation(() =>
        (runs.get(runId)?.rows ?? [])
          .slice(from, limit === undefined ? undefined : from + limit)
          .map(({ at, epoch, row }, index) => ({ seq: from + index, epoch, at, entry: Entry.fromRowUnsafe(row) }))
      ),

    send: (message) => operation((now) => send(message, now)),
    inbox: (worker) =>
      operation(() => [...runs.values()].filter(({ run }) => run.owner === worker).flatMap(messagesOf)),
    inboxOf: (runId) =>
      operation(() => {
        const kept = runs.get(runId)
        return kept === undefined ? [] : messagesOf(kept)
      }),

    register: ({ id, leaseMillis }) =>
      operation((now) => {
        if (!workers.has(id)) workers.set(id, { leaseUntil: now + leaseMillis, leaseMillis, dead: false })
        return { at: now }
      }),
    heartbeat: ({ id, leaseMillis }) =>
      operation((now) => {
        const worker = workers.get(id)
        if (worker === undefined || worker.dead) return { _tag: "dead" } as const
        worker.leaseUntil = now + leaseMillis
        const held = [...runs.values()]
          .filter(({ run }) => run.owner === id)
          .map(({ run: { epoch, runId } }) => ({ runId, epoch }))
        return { _tag: "alive", at: now, held } as const
      }),
    bury: operation((now) => {
      let buried = 0
      for (const worker of workers.values()) {
        worker.leaseUntil = Math.min(worker.leaseUntil, now + worker.leaseMillis)
        if (worker.dead || now < worker.leaseUntil) continue
        worker.dead = true
        buried++
      }
      if (buried > 0) hints.push({ _tag: "ready" })
      return buried
    }),
    retire: (id) =>
      operation((now) => {
        const worker = workers.get(id)
        if (worker !== undefined) worker.dead = true
        for (const { run } of runs.values()) if (run.owner === id) letGo(run, now)
      }),

    claim: ({ limit, sagas, worker }) =>
      operation((now) => {
        const claims: Array<Claim> = []
        if (!isLive(worker, now)) return claims
        const offered = [...runs.values()]
          .filter(({ run }) => sagas.some(({ name, version }) => name === run.saga && version === run.version))
          .toSorted((left, right) => left.run.changedAt - right.run.changedAt)
        for (const kept of offered) {
          if (claims.length >= limit) break
          const from = claimable(kept, now)
          if (from !== undefined) claims.push(take(kept, worker, from, now))
        }
        return claims
      }),
    reclaim: (worker, { epoch, runId }) =>
      operation((now) => {
        const kept = runs.get(runId)
        return kept !== undefined && kept.run.owner === worker && kept.run.epoch === epoch && isLive(worker, now)
          ? Option.some(take(kept, worker, "own", now))
          : Option.none()
      }),
    append: (request) => operation((now) => append(request, now)),
    release: (worker, held) =>
      operation((now) => {
        for (const { epoch, runId } of held) {
          const run = runs.get(runId)?.run
          if (run?.owner === worker && run.epoch === epoch) letGo(run, now)
        }
      }),

    expired: (request) => operation((now) => expired(request, now)),
    remove: (runIds, asked) =>
      operation((now) =>
        runIds.filter((runId) => {
          const kept = runs.get(runId)
          if (kept === undefined || !isExpired(kept, asked, now)) return false
          remove(kept, now)
          return true
        })
      ),
    restore: (restored) => operation(() => restore(restored)),

    bind: Bindings.make(() => clock.currentTimeMillisUnsafe()),
    gate,

    listen: (listener) => {
      const entry = (hint: Hint) => listener(hint)
      return Effect.asVoid(
        Effect.acquireRelease(
          Effect.sync(() => listeners.add(entry)),
          () => Effect.sync(() => listeners.delete(entry))
        )
      )
    }
  }
})

const copy = (run: Run): Run => ({ ...run, attributes: { ...run.attributes } })

const nameOf = ({ key, saga }: Pick<Run, "key" | "saga">) => JSON.stringify([saga, key])

const newestFirst = (left: Pick<Run, "createdAt" | "runId">, right: Pick<Run, "createdAt" | "runId">): number =>
  right.createdAt - left.createdAt || (left.runId < right.runId ? 1 : left.runId > right.runId ? -1 : 0)

const messagesOf = ({ inbox, run }: Kept): ReadonlyArray<Message> =>
  [...inbox.values()].map((row) => {
    const { _tag, id, ...told } = Entry.fromRowUnsafe(row) as Entry.Told
    return { id, runId: run.runId, told }
  })

const refused = (what: string) => new OutboxError({ reason: new Refused({ cause: new Error(what) }) })

// What Postgres refuses, or could not keep as it is.
const refuseUnlessText = (...texts: ReadonlyArray<string | null>) => {
  for (const text of texts) {
    if (text !== null && /\0|\p{Surrogate}/u.test(text)) throw refused("a text with NUL or half a surrogate pair")
  }
}

const refuseUnlessJson = (text: string | null | undefined) => {
  if (text === null || text === undefined) return
  refuseUnlessText(text)
  try {
    JSON.parse(text)
  } catch {
    throw refused("a value that is no JSON")
  }
}

const refuseUnlessSound = ({ result, state, stuckReason, wakeAt }: Change) => {
  refuseUnlessJson(result)
  if (state === "pending") throw refused("a run that was claimed and is pending")
  if ((state === "stuck") !== (stuckReason !== undefined))
    throw refused("a stuck run without reason, or a reason alone")
  if (result !== undefined && !ends.has(state)) throw refused("a result of a run that has not ended")
  if (wakeAt !== undefined && ends.has(state)) throw refused("a wake time of a run that has ended")
}
