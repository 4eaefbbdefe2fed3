/** The gate in this process' memory: what the tables and triggers of `postgres/migrations/gate.ts` do. */
import { Option } from "effect"
import type { Effect } from "effect"
import type * as Entry from "../Entry.ts"
import type { FoundLink, Gate, Link, Lock, Locked, LockRequest, Pause, Request, RequestFilter } from "../Gate.ts"
import type { Hint, Message, Run } from "../Outbox.ts"
import type { OutboxError } from "../OutboxError.ts"

/** What the gate needs of the outbox it belongs to. */
export interface Grounds {
  readonly operation: <A>(step: (now: number) => A) => Effect.Effect<A, OutboxError>
  readonly find: (runId: string) => Run | undefined
  readonly isOpen: (runId: string) => boolean
  readonly send: (message: Message, now: number) => boolean
  /** The decisions that were sent to a run, taken or not. */
  readonly decisions: (runId: string) => ReadonlyArray<Entry.Told>
  readonly hint: (hint: Hint) => void
}

interface Asked extends Omit<Request, "decisions" | "key" | "saga"> {
  told: number
  tellingUntil: number
  notices: number
}

interface Place extends Lock {
  granted: boolean
}

/** Stands between the outbox's memory and its port; `written` is to be called for every entry that is written. */
export const make = (grounds: Grounds) => {
  const { find, isOpen, operation, send } = grounds
  const asked = new Map<string, Asked>()
  const links = new Map<string, FoundLink & { readonly until: number; used: boolean }>()
  /** By key, in the order of the line. */
  const lines = new Map<string, Array<Place>>()
  const inLine = new Map<string, { readonly request: LockRequest; readonly root: string }>()
  const pauses = new Map<string, Pause>()
  const forTools = new Map<string, { readonly tool: string; readonly runId: string; readonly path: string }>()
  let grants = 0

  const at = (runId: string, path: string) => `${runId} ${path}`

  const rootOf = (runId: string): string => {
    const parent = find(runId)?.parent
    return parent === undefined ? runId : rootOf(parent)
  }

  const grant = (runId: string, path: string, by: string, now: number) =>
    send({ id: `grant:${++grants}:${path}`, runId, told: { message: "grant", by, path } }, now)

  // ---- locks

  const placeOf = (key: string, root: string) => lines.get(key)?.find(({ holder }) => holder === root)

  const holds = (root: string, keys: ReadonlyArray<string>) => keys.every((key) => placeOf(key, root)?.granted === true)

  /** Those whom a run waits for, and whom they wait for. */
  const aheadOf = (root: string): ReadonlySet<string> => {
    const found = new Set<string>()
    const look = (waiter: string) => {
      for (const line of lines.values()) {
        const place = line.findIndex(({ granted, holder }) => holder === waiter && !granted)
        for (const { holder } of line.slice(0, Math.max(0, place))) {
          if (found.has(holder)) continue
          found.add(holder)
          look(holder)
        }
      }
    }
    look(root)
    return found
  }

  const leaveLine = (root: string, isLeaving: (place: Place) => boolean): ReadonlyArray<string> => {
    const freed: Array<string> = []
    for (const [key, line] of lines) {
      const left = line.filter((place) => place.holder === root && isLeaving(place))
      if (left.length === 0) continue
      const rest = line.filter((place) => !left.includes(place))
      if (rest.length === 0) lines.delete(key)
      else lines.set(key, rest)
      if (left.some(({ granted }) => granted)) freed.push(key)
    }
    return freed
  }

  const lock = (request: LockRequest): Locked => {
    const root = rootOf(request.runId)
    if (!isOpen(root)) return { _tag: "over" }
    const wanted = [...new Set(request.keys)].toSorted().filter((key) => placeOf(key, root)?.granted !== true)
    if (wanted.length === 0) return { _tag: "granted" }
    if (!request.waits && wanted.some((key) => lines.has(key))) return { _tag: "busy" }
    const added = wanted.filter((key) => placeOf(key, root) === undefined)
    for (const key of added) {
      const line = lines.get(key) ?? []
      lines.set(key, [...line, { key, holder: root, granted: line.length === 0 }])
    }
    if (holds(root, wanted)) return { _tag: "granted" }
    const ahead = aheadOf(root)
    if (ahead.has(root)) {
      const other = [...ahead].find((other) => other !== root && aheadOf(other).has(root))
      leaveLine(root, ({ key }) => added.includes(key))
      return { _tag: "circle", other: other ?? root }
    }
    inLine.set(at(request.runId, request.path), { request, root })
    const waitsFor = wanted.map((key) => lines.get(key)?.[0]?.holder).find((holder) => holder !== root)
    return { _tag: "waits", other: waitsFor ?? root }
  }

  const serve = (keys: ReadonlyArray<string>, by: string, now: number) => {
    for (const key of keys) {
      const first = lines.get(key)?.[0]
      if (first !== undefined) first.granted = true
    }
    for (const [name, { request, root }] of inLine) {
      if (!holds(root, request.keys)) continue
      inLine.delete(name)
      grant(request.runId, request.path, by, now)
    }
  }

  /** The runs' waits at these paths are over, or nobody wants to know their ends. */
  const withdraw = (isOver: (wait: { readonly runId: string; readonly path: string }) => boolean) => {
    for (const [name, wait] of forTools) if (isOver(wait)) forTools.delete(name)
    for (const [name, { request, root }] of inLine) {
      if (!isOver(request)) continue
      inLine.delete(name)
      const needed = [...inLine.values()].filter((other) => other.root === root).flatMap((other) => other.request.keys)
      leaveLine(root, ({ granted, key }) => !granted && !needed.includes(key))
    }
  }

  // ---- what entries do

  const written = (runId: string, seq: number, entry: Entry.Entry, now: number, atGate: boolean) => {
    switch (entry._tag) {
      case "awaited":
        if (entry.wait !== "approval") return
        asked.set(at(runId, entry.path), {
          runId,
          path: entry.path,
          seq,
          name: entry.name,
          digest: entry.digest ?? "",
          asked: entry.value ?? "null",
          askedAt: now,
          until: entry.until,
          notices: 0,
          told: -1,
          tellingUntil: now
        })
        return
      case "reminded": {
        const request = asked.get(at(runId, entry.path))
        if (request !== undefined) request.notices = entry.nth
        return
      }
      case "answered":
        asked.delete(at(runId, entry.path))
        return withdraw((wait) => wait.runId === runId && wait.path === entry.path)
      case "rollback_began":
      case "ended":
        if (!atGate) return
        for (const [name, request] of asked) if (request.runId === runId) asked.delete(name)
        withdraw((wait) => wait.runId === runId)
        if (entry._tag === "rollback_began") return
        for (const [hash, link] of links) if (link.runId === runId) links.delete(hash)
        for (const [name, wait] of inLine) if (wait.root === runId) inLine.delete(name)
        return serve(
          leaveLine(runId, () => true),
          runId,
          now
        )
      default:
        return
    }
  }

  /** When a decision is sent: what is asked now was asked before, though the clock was set back since. */
  const sentAt = ({ runId, told }: Message, now: number) =>
    Math.max(now, asked.get(at(runId, told.path ?? ""))?.askedAt ?? now)

  // ---- the port

  const shown = ({ told, tellingUntil, ...request }: Asked): Request => {
    const run = find(request.runId)!
    const decisions = grounds.decisions(request.runId).filter(({ path }) => path === request.path)
    return { ...request, saga: run.saga, key: run.key, decisions }
  }

  const inOrder = (left: Pick<Request, "askedAt" | "path" | "runId">, right: typeof left) =>
    left.askedAt - right.askedAt || compare(left.runId, right.runId) || compare(left.path, right.path)

  const requests = ({ after, limit, path, runId }: RequestFilter) =>
    [...asked.values()]
      .filter(
        (request) =>
          (runId === undefined || request.runId === runId) &&
          (path === undefined || request.path === path) &&
          (after === undefined || inOrder(after, request) < 0)
      )
      .toSorted(inOrder)
      .slice(0, limit)
      .map(shown)

  const gate: Gate = {
    requests: (filter) => operation((now) => ({ at: now, requests: requests(filter) })),
    untold: ({ forMillis, limit }) =>
      operation((now) => {
        const found = [...asked.values()]
          .filter(({ notices, tellingUntil, told }) => told < notices && tellingUntil <= now)
          .toSorted(inOrder)
          .slice(0, limit)
        for (const request of found) request.tellingUntil = now + forMillis
        return found.map(shown)
      }),
    told: ({ notices, path, runId, seq }) =>
      operation((now) => {
        const request = asked.get(at(runId, path))
        if (request === undefined || request.seq !== seq || request.told >= notices) return
        request.told = notices
        request.tellingUntil = now
      }),

    link: ({ forMillis, ...link }: Link) =>
      operation((now) => {
        if (!links.has(link.hash))
          links.set(link.hash, { ...link, used: false, expired: false, until: now + forMillis })
      }),
    findLink: (hash) =>
      operation((now) =>
        Option.map(Option.fromUndefinedOr(links.get(hash)), ({ until, ...link }) => ({
          ...link,
          expired: now >= until
        }))
      ),
    useLink: (hash, message) =>
      operation((now) => {
        const link = links.get(hash)
        if (link === undefined || link.used || now >= link.until) return false
        const request = asked.get(at(link.runId, link.path))
        if (request === undefined || request.digest !== link.digest) return false
        if (request.until !== undefined && now >= request.until) return false
        link.used = send(message, now)
        return link.used
      }),

    lock: (request) => operation(() => lock(request)),
    lines: (keys) => operation(() => keys.flatMap((key) => (lines.get(key) ?? []).map((place) => ({ ...place })))),

    pause: (pause) =>
      operation((now) => {
        if (pauses.has(pause.tool)) return false
        pauses.set(pause.tool, { ...pause, since: now })
        grounds.hint({ _tag: "ready" })
        return true
      }),
    unpause: (tool, { by }) =>
      operation((now) => {
        if (!pauses.delete(tool)) return false
        for (const [name, wait] of forTools) {
          if (wait.tool !== tool) continue
          forTools.delete(name)
          grant(wait.runId, wait.path, by, now)
        }
        grounds.hint({ _tag: "ready" })
        return true
      }),
    pauses: operation(() => [...pauses.values()].toSorted((left, right) => compare(left.tool, right.tool))),
    awaitTool: ({ compensation, path, runId, tool }) =>
      operation(() => {
        const pause = pauses.get(tool)
        if (pause === undefined || (compensation && !pause.compensations)) return false
        forTools.set(at(runId, path), { tool, runId, path })
        return true
      })
  }
  return { gate, sentAt, written }
}

const compare = (left: string, right: string) => (left < right ? -1 : left > right ? 1 : 0)
