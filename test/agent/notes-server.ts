/**
 * An MCP server over standard input and output that keeps notes as files of a folder, written by hand from the protocol:
 * `node notes-server.ts <folder>`. It can be told to fail, and to die before it answers.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"

const folder = process.argv[2]!
const file = (name: string) => join(folder, `${name}.txt`)
const name = { type: "string" }

const tools = [
  {
    name: "write_note",
    description: "Writes a note",
    inputSchema: { type: "object", properties: { name, text: { type: "string" } }, required: ["name", "text"] },
    act: (given: Record<string, string>) => {
      writeFileSync(file(given["name"]!), given["text"]!)
      if (given["text"] === "die") process.exit(1)
      return { content: [{ type: "text", text: "written" }] }
    }
  },
  {
    name: "read_note",
    inputSchema: { type: "object", properties: { name }, required: ["name"] },
    annotations: { readOnlyHint: true },
    act: (given: Record<string, string>) => {
      if (!existsSync(file(given["name"]!))) {
        return { isError: true, content: [{ type: "text", text: "there is no such note" }] }
      }
      const text = readFileSync(file(given["name"]!), "utf8")
      return { content: [{ type: "text", text }], structuredContent: { text } }
    }
  },
  {
    name: "delete.note",
    inputSchema: { type: "object", properties: { name }, required: ["name"], additionalProperties: false },
    annotations: { idempotentHint: true },
    act: (given: Record<string, string>) => {
      rmSync(file(given["name"]!), { force: true })
      return { content: [{ type: "text", text: "deleted" }] }
    }
  },
  {
    name: "count",
    inputSchema: { type: "object" },
    act: () => ({ content: [{ type: "text", text: "2" }] })
  },
  {
    name: "odd",
    inputSchema: { type: "object", properties: { x: { not: { type: "string" } } } },
    act: (given: Record<string, string>) => ({ content: [{ type: "text", text: JSON.stringify(given) }] })
  }
]

interface Request {
  readonly id?: number
  readonly method: string
  readonly params?: {
    readonly name?: string
    readonly arguments?: Record<string, string>
    readonly protocolVersion?: string
  }
}

const answer = ({ method, params }: Request): object => {
  if (method === "initialize") {
    const serverInfo = { name: "notes", version: "1" }
    return { protocolVersion: params?.protocolVersion, capabilities: { tools: {} }, serverInfo }
  }
  if (method === "tools/list") return { tools: tools.map(({ act: _, ...tool }) => tool) }
  const tool = tools.find((one) => one.name === params?.name)
  return tool === undefined ? {} : tool.act(params?.arguments ?? {})
}

createInterface(process.stdin).on("line", (line) => {
  const request = JSON.parse(line) as Request
  if (request.id === undefined) return
  process.stdout.write(`${JSON.stringify({ jsonrpc: "2.0", id: request.id, result: answer(request) })}\n`)
})
