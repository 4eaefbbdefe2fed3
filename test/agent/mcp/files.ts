/** The reference file server from npm, how what it does is taken back, and an agent that works on files. */
import { NodeServices } from "@effect/platform-node"
import { type Duration, Effect, Option, type Scope } from "effect"
import { McpClient, type McpClientError, McpProtocol } from "effect/ai"
import { ChildProcess } from "effect/process"
import { lstatSync, readdirSync, readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { Agent, McpTools, ScriptedModel } from "makegood/agent"
import { Tool } from "makegood"

const require = createRequire(import.meta.url)

/** The program of a server that is installed from npm. */
export const programOf = (server: "server-filesystem" | "server-memory"): string =>
  require.resolve(`@modelcontextprotocol/${server}/dist/index.js`)

/** A client of a server over standard input and output, which starts it again when it is gone. */
export const connect = (
  program: ReadonlyArray<string>,
  env: Record<string, string> = {}
): Effect.Effect<Required<McpTools.Client>, McpClientError.McpClientError, Scope.Scope> =>
  McpTools.reconnecting(
    McpClient.layerStdio({
      name: "test",
      version: "1",
      command: ChildProcess.make(process.execPath, [...program], { env, extendEnv: true }),
      protocol: McpProtocol.v2025_11_25
    })
  ).pipe(Effect.provide(NodeServices.layer))

const content = (given: unknown) => (given as { readonly content: string }).content

/** Whether there is something at a path. The server refuses a look at what is not there. */
const isThere = (path: string, ask: McpTools.Ask) =>
  Effect.map(McpTools.nullIfRefused(ask("get_file_info", { path })), (info) => info !== null)

/** The text of a file, `null` where there is none; refused where it could not be put back as it was. */
const read = Effect.fnUntraced(function* (path: string, ask: McpTools.Ask) {
  if (!(yield* isThere(path, ask))) return null
  const text = content(yield* ask("read_text_file", { path }))
  if (!text.includes("\uFFFD")) return text
  return yield* new McpTools.McpFailed({ tool: "read_text_file", means: "refused", why: `${path} is no text` })
})

/** The server deletes nothing: what was made is moved out of sight, once. */
const discard = Effect.fnUntraced(function* (path: string, as: string, ask: McpTools.Ask) {
  if (yield* isThere(path, ask)) yield* ask("move_file", { source: path, destination: as })
})

/** How each of its tools is taken back. `trash`: a folder of the server for what was made and is not wanted any more. */
export const declarations = (trash: string): Readonly<Record<string, McpTools.Declaration>> => {
  const write: McpTools.Declaration = McpTools.reversible({
    before: ({ path }, ask) => read(path as string, ask),
    compensate: ({ before, key, parameters: { path } }, ask) =>
      before === null
        ? discard(path as string, join(trash, key), ask)
        : ask("write_file", { path: path!, content: before }),
    inDoubt: Tool.idempotent
  })
  return {
    write_file: write,
    edit_file: McpTools.reversible({
      before: ({ path }, ask) => read(path as string, ask),
      compensate: ({ before, parameters: { path } }, ask) => ask("write_file", { path: path!, content: before }),
      inDoubt: {
        lookup: ({ edits, path }, ask) =>
          Effect.map(McpTools.nullIfRefused(ask("read_text_file", { path: path! })), (found) => {
            const all = edits as ReadonlyArray<{ readonly oldText: string; readonly newText: string }>
            const text = found === null ? "" : content(found)
            return text !== "" && all.every(({ newText, oldText }) => text.includes(newText) && !text.includes(oldText))
              ? Option.some("edited")
              : Option.none()
          }),
        settle: 0
      }
    }),
    move_file: McpTools.reversible({
      compensate: Effect.fnUntraced(function* ({ parameters: { destination, source } }, ask) {
        if (yield* isThere(source as string, ask)) return
        yield* ask("move_file", { source: destination!, destination: source! })
      }),
      inDoubt: {
        lookup: ({ source }, ask) =>
          Effect.map(isThere(source as string, ask), (isStill) => (isStill ? Option.none() : Option.some("moved"))),
        settle: 0
      }
    }),
    create_directory: McpTools.reversible({
      // It makes all that is missing on the way: the topmost of that is what is taken back.
      before: Effect.fnUntraced(function* ({ path }, ask) {
        let missing: string | null = null
        for (let one = path as string; one !== "/" && !(yield* isThere(one, ask)); one = join(one, "..")) missing = one
        return missing
      }),
      compensate: ({ before, key }, ask) =>
        before === null ? Effect.void : discard(before as string, join(trash, key), ask),
      inDoubt: Tool.idempotent
    })
  }
}

/** What changes something. */
export const acting: ReadonlySet<string> = new Set(["write_file", "edit_file", "move_file", "create_directory"])

/** The agent of these tests: it is told a folder, and works in it until it gives up. */
export const desk = Effect.fnUntraced(function* (
  client: McpTools.Client,
  trash: string,
  timeout = "3 seconds" as Duration.Input
) {
  const tools = yield* McpTools.fromMcp(client, {
    declare: declarations(trash),
    trustHints: true,
    concurrency: "unbounded",
    timeout
  })
  return Agent.make("Clerk", { version: 1, tools })
})

/** The folder that an agent was told. */
export const folderIn = ({ prompt }: ScriptedModel.Heard): string => {
  const asked = prompt.content.find(({ role }) => role === "user")!
  return (asked.content as ReadonlyArray<{ readonly text: string }>)[0]!.text
}

/** What it does, turn by turn. */
export const script: ReadonlyArray<ScriptedModel.Line> = (
  [
    (at) => [
      ["write_file", { path: at("new.txt"), content: "new" }],
      ["write_file", { path: at("old.txt"), content: "written over" }],
      ["create_directory", { path: at("a/b/c") }]
    ],
    (at) => [
      ["write_file", { path: at("a/b/c/deep.txt"), content: "deep" }],
      ["edit_file", { path: at("doc.md"), edits: [{ oldText: "one line", newText: "another line" }] }],
      ["move_file", { source: at("old.txt"), destination: at("a/moved.txt") }]
    ],
    (at) => [
      ["read_text_file", { path: at("a/moved.txt") }],
      ["edit_file", { path: at("nothing.md"), edits: [{ oldText: "x", newText: "y" }] }],
      ["write_file", { path: at("picture.bin"), content: "no picture" }],
      ["move_file", { source: at("doc.md"), destination: at("new.txt") }]
    ],
    (at) => [
      ["move_file", { source: at("folder"), destination: at("a/folder") }],
      ["write_file", { path: at("new.txt"), content: "newer" }]
    ]
  ] satisfies ReadonlyArray<(at: (name: string) => string) => ReadonlyArray<readonly [string, unknown]>>
)
  .map(
    (turn): ScriptedModel.Line =>
      (heard) =>
        ScriptedModel.calls(...turn((name) => join(folderIn(heard), name)))
  )
  .concat(ScriptedModel.calls(["GiveUp", { why: "It was not to be." }]))

/** All that is under a folder, with what is in it and who may read it. */
export const treeOf = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .toSorted()
      .map((name) => {
        const path = join(folder, name)
        const status = lstatSync(path)
        const what = status.isDirectory() ? "a folder" : readFileSync(path).toString("base64")
        return [name, `${(status.mode & 0o777).toString(8)} ${what}`]
      })
  )
