/**
 * The world outside: a travel desk with seats, rooms, cards and letters, in a process of its own.
 *
 * It knows nothing of makegood. It is asked over HTTP, honours `Idempotency-Key` (the same key gives the same answer and
 * no second act; the same key with another request is refused with 422), and keeps a ledger on disk of all it did.
 *
 * - `LEDGER_FILE` is that ledger; what is in it when the provider starts is remembered.
 * - `HOLD_REPLY_MILLIS` is how long it keeps back the reply to the first charge it makes, so that there is time to kill who
 *   waits for it; with `HOLD_REPLY_TO` that to the first act of another path.
 * - `FORGET_KEYS=1` makes it a bad provider, which acts again on a key it knows: to see the demo fail.
 *
 * Its standard output is a line with its port, and then each line of the ledger as it is written.
 */
import { appendFileSync, closeSync, existsSync, fsyncSync, openSync, readFileSync } from "node:fs"
import { createServer, type IncomingMessage } from "node:http"
import type { AddressInfo } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import type { Line } from "./internal/ledger.ts"

interface Answer {
  readonly status: number
  readonly body: unknown
}

/** How the ledger is kept: a line for people, and what it takes to give the same answer again. */
interface Kept {
  readonly line: Line
  readonly asked: string
  readonly answer: Answer
}

interface Asked {
  readonly key: string
  readonly id: string
  readonly body: Readonly<Record<string, unknown>>
}

const file = process.env["LEDGER_FILE"] ?? "ledger.jsonl"
const forgetful = process.env["FORGET_KEYS"] === "1"
const heldPath = process.env["HOLD_REPLY_TO"] ?? "/charges"
let holdReplyMillis = Number(process.env["HOLD_REPLY_MILLIS"] ?? "0")

const ledger: Array<Line> = []
const answers = new Map<string, Kept>()
const standing = new Map<string, Line>()

const remember = (kept: Kept) => {
  const { line } = kept
  ledger.push(line)
  if (line.kind !== "repeat") answers.set(line.key, kept)
  if (line.kind === "act") standing.set(line.id!, line)
  if (line.kind === "takeBack") standing.delete(line.id!)
}

if (existsSync(file)) {
  for (const text of readFileSync(file, "utf8").split("\n")) if (text !== "") remember(JSON.parse(text) as Kept)
}
const disk = openSync(file, "a")

/** On disk before anybody is told. */
const write = (line: Line, asked: string, answer: Answer): Answer => {
  appendFileSync(disk, `${JSON.stringify({ line, asked, answer } satisfies Kept)}\n`)
  fsyncSync(disk)
  remember({ line, asked, answer })
  process.stdout.write(`${JSON.stringify(line)}\n`)
  return answer
}

type Outcome = { readonly line: Omit<Line, "at" | "key">; readonly answer: Answer }

const did = (kind: string, what: string, cents?: number): Outcome => {
  const id = `${kind}-${1 + ledger.filter((line) => line.kind === "act" && line.id?.startsWith(`${kind}-`)).length}`
  const price = cents === undefined ? {} : { cents }
  return { line: { kind: "act", what, id, ...price }, answer: { status: 201, body: { id, ...price } } }
}

const refused = (what: string, status: number, body: object): Outcome => ({
  line: { kind: "refusal", what },
  answer: { status, body }
})

const tookBack = (id: string, what: string): Outcome => {
  const line = standing.get(id)
  return line === undefined
    ? refused(`nothing known as ${id}`, 404, { error: `there is no ${id}` })
    : { line: { ...line, kind: "takeBack", what }, answer: { status: 200, body: { id } } }
}

const routes: ReadonlyArray<readonly [method: string, path: RegExp, act: (asked: Asked) => Outcome]> = [
  [
    "POST",
    /^\/seats$/,
    ({ body }) =>
      body["flight"] === "MG000" ? refused("no seat left", 409, { flight: "MG000" }) : did("seat", "seat held", 249_00)
  ],
  ["DELETE", /^\/seats\/([^/]+)$/, ({ id }) => tookBack(id, "seat released")],
  [
    "POST",
    /^\/rooms$/,
    ({ body }) =>
      body["hotel"] === "Full House"
        ? refused("no room left", 409, { hotel: "Full House" })
        : did("room", "room reserved", 163_00)
  ],
  ["DELETE", /^\/rooms\/([^/]+)$/, ({ id }) => tookBack(id, "room cancelled")],
  [
    "POST",
    /^\/charges$/,
    ({ body }) =>
      String(body["card"]).endsWith("0002")
        ? refused("card declined", 402, { reason: "insufficient funds" })
        : did("charge", "card charged", Number(body["cents"]))
  ],
  ["POST", /^\/charges\/([^/]+)\/refund$/, ({ id }) => tookBack(id, "charge refunded")],
  ["POST", /^\/itineraries$/, () => did("letter", "itinerary sent")]
]

const answer = async (request: IncomingMessage): Promise<Answer> => {
  const method = request.method ?? "GET"
  const path = request.url ?? "/"
  if (method === "GET" && path === "/ledger") return { status: 200, body: ledger }
  const text = (await request.toArray()).join("")
  const found = routes.find(([routed, pattern]) => routed === method && pattern.test(path))
  if (found === undefined) return { status: 404, body: { error: `there is no ${method} ${path}` } }
  const key = request.headers["idempotency-key"]
  if (typeof key !== "string") return { status: 400, body: { error: "the header Idempotency-Key is missing" } }

  const asked = `${method} ${path} ${text}`
  const known = forgetful ? undefined : answers.get(key)
  if (known !== undefined) {
    if (known.asked !== asked) return { status: 422, body: { error: "this key was used for another request" } }
    return write({ ...known.line, at: Date.now(), kind: "repeat" }, asked, known.answer)
  }
  const id = decodeURIComponent(found[1].exec(path)?.[1] ?? "")
  const outcome = found[2]({ key, id, body: text === "" ? {} : (JSON.parse(text) as Asked["body"]) })
  const given = write({ ...outcome.line, at: Date.now(), key }, asked, outcome.answer)
  if (path === heldPath && outcome.line.kind === "act") {
    const held = holdReplyMillis
    holdReplyMillis = 0
    await sleep(held)
  }
  return given
}

const server = createServer((request, response) => {
  answer(request).then(
    ({ body, status }) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body)),
    (error: unknown) => response.writeHead(400).end(String(error))
  )
})

server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: (server.address() as AddressInfo).port })}\n`)
})

// Whoever started it holds the other end: when that one is gone, so is the provider.
process.stdin.resume().once("close", () => {
  closeSync(disk)
  process.exit(0)
})
