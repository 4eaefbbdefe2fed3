/**
 * A world of its own: a process with its own storage, that acts, takes back, and keeps a book of every request.
 *
 * It honours idempotency keys where its target is said to, can be told to answer late, to refuse, or to act and lose the
 * reply, and reads its book again when it is started again. Says where it listens in its first line of output.
 */
import { appendFileSync, existsSync, readFileSync } from "node:fs"
import { createServer } from "node:http"
import type { IncomingMessage, ServerResponse } from "node:http"
import { setTimeout } from "node:timers/promises"
import type { Came, Line, Order, Request } from "./Ledger.ts"

const file = process.argv[2]!
const lines = new Map<string, Array<Line>>()
const orders = new Map<string, Array<Order>>()
const counts = new Map<string, number>()

const linesOf = (run: string): Array<Line> => {
  let found = lines.get(run)
  if (found === undefined) lines.set(run, (found = []))
  return found
}

/** Whether the act under this key stands: done, and not taken back. */
const standing = (run: string, key: string): boolean => {
  let acts = 0
  for (const line of linesOf(run)) {
    if (line.came !== "done") continue
    if (line.kind === "act" && line.key === key) acts++
    if (line.kind === "undo" && line.of === key) acts = 0
  }
  return acts > 0
}

const judge = (request: Request, order: Order | undefined): Came => {
  const { key, kind, of = "", run, target } = request
  if (kind === "find") return standing(run, of) ? "known" : "nothing"
  const before = linesOf(run).find((line) => line.kind === kind && line.key === key)
  if (before !== undefined && (kind === "undo" || target !== "plain")) {
    return before.came === "done" ? "known" : before.came
  }
  if (order?.refuse === true) return "refused"
  return kind === "act" || standing(run, of) ? "done" : "nothing"
}

const orderFor = ({ kind, run, step }: Request): Order | undefined => {
  const name = `${run}/${kind}/${step}`
  const nth = (counts.get(name) ?? 0) + 1
  counts.set(name, nth)
  return orders
    .get(run)
    ?.findLast(
      (order) =>
        order.kind === kind &&
        (order.step === undefined || order.step === step) &&
        (order.nth === undefined || order.nth === nth)
    )
}

const enter = (line: Line): void => {
  linesOf(line.run).push(line)
  appendFileSync(file, `${JSON.stringify(line)}\n`)
}

const answer = async (request: Request, response: ServerResponse): Promise<void> => {
  const at = Date.now()
  const order = orderFor(request)
  const came = judge(request, order)
  const lost = order?.lose === true
  enter({ ...request, at, came, lost })
  if (order?.delayMillis !== undefined) await setTimeout(order.delayMillis)
  if (lost) response.destroy()
  else response.end(JSON.stringify({ came }))
}

const bodyOf = async (incoming: IncomingMessage): Promise<string> => {
  let body = ""
  for await (const chunk of incoming.setEncoding("utf8")) body += String(chunk)
  return body
}

const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
  const { pathname, searchParams } = new URL(incoming.url ?? "/", "http://world")
  const body = await bodyOf(incoming)
  if (pathname === "/book") {
    response.end(JSON.stringify(linesOf(searchParams.get("run") ?? "")))
  } else if (pathname === "/orders") {
    for (const order of JSON.parse(body) as ReadonlyArray<Order>) {
      const own = orders.get(order.run)
      if (own === undefined) orders.set(order.run, [order])
      else own.push(order)
    }
    response.end("{}")
  } else {
    await answer(JSON.parse(body) as Request, response)
  }
}

if (existsSync(file)) {
  for (const text of readFileSync(file, "utf8").split("\n")) {
    if (text !== "") linesOf((JSON.parse(text) as Line).run).push(JSON.parse(text) as Line)
  }
}
const server = createServer((incoming, response) => {
  handle(incoming, response).catch((cause: unknown) => response.destroy(cause as Error))
})
server.keepAliveTimeout = 60_000
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  console.log(typeof address === "object" && address !== null ? `http://127.0.0.1:${address.port}` : "")
})
