/** Rules about what is written for people: docs of exports, guarantees, examples. */
import { code, type File } from "./source.ts"

const textOf = (files: ReadonlyArray<File>, path: string) => files.find((file) => file.path === path)?.text ?? ""

const isPublicModule = (path: string) =>
  path.endsWith(".ts") && /^(?:src|tools|sagas)\//.test(path) && !/\/(?:internal|migrations|queries)\//.test(path)

/**
 * Every export of a public module has a doc comment. What is only passed on has it where it comes from, and the type of
 * a schema (`export type A = typeof A.Type`) has the schema's.
 */
export const documentExports = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files
    .filter(({ path }) => isPublicModule(path))
    .flatMap(({ path, text }) => {
      const lines = text.split("\n")
      const bare = code(text, { strings: false }).split("\n")
      return bare.flatMap((line, index) => {
        if (!line.startsWith("export ")) return []
        const rest = bare.slice(index).join("\n")
        const passedOn = /^export\s+(?:type\s+)?(?:\*(?:\s*as\s+\w+)?|\{[^}]*\})\s*from\b/.test(rest)
        const list = /^export\s+(?:type\s+)?\{([^}]*)\}/.exec(lines.slice(index).join("\n"))
        const ofSchema = /^export type (\w+) = typeof \1\.Type$/.exec(line)
        if (ofSchema !== null && text.includes(`\nexport const ${ofSchema[1]} =`)) return []
        const documented = list === null ? /\*\/\s*$/.test(lines[index - 1] ?? "") : list[1]!.includes("/**")
        return passedOn || documented ? [] : [`${path}:${index + 1}: no doc comment: ${lines[index]!.slice(0, 60)}`]
      })
    })

/** The ids in the first column of the tables of src/README.md. */
export const guarantees = (files: ReadonlyArray<File>): ReadonlyArray<string> => {
  const rows = textOf(files, "src/README.md").matchAll(/^\|\s*[*`]*([GL]\d+)[*`]*\s*\|/gm)
  return Array.from(new Set(Array.from(rows, (match) => match[1]!)))
}

const mentions = (texts: ReadonlyArray<string>, id: string) =>
  texts.some((text) => new RegExp(`\\b${id}\\b`).test(text))

/** Every guarantee that is listed names the module that upholds it, in its header, and a test, in its title. */
export const keepGuarantees = (files: ReadonlyArray<File>): ReadonlyArray<string> => {
  const listed = guarantees(files)
  const sources = files.filter(({ path }) => /^src\/(?!testing\/).*\.ts$/.test(path))
  const tests = files.filter(({ path }) => /^test\/.*\.test\.ts$|^src\/testing\/.*\.ts$/.test(path))
  const headers = sources.map(({ text }) => /^\s*\/\*\*[\s\S]*?\*\//.exec(text)?.[0] ?? "")
  const titles = tests.flatMap(({ text }) =>
    Array.from(
      code(text, { strings: true }).matchAll(/\(\s*(?:"((?:\\.|[^"\\])*)"|`((?:\\.|[^`\\])*)`)/g),
      (match) => match[1] ?? match[2]!
    )
  )
  if (listed.length === 0) return ["src/README.md: lists no guarantees"]
  return listed.flatMap((id) => [
    ...(mentions(headers, id) ? [] : [`${id}: no header in src names it`]),
    ...(mentions(titles, id) ? [] : [`${id}: no test names it in its title`])
  ])
}

/** Every example is in the README, and a test knows what it prints. */
export const showExamples = (files: ReadonlyArray<File>): ReadonlyArray<string> => {
  const readme = textOf(files, "README.md")
  const tests = files.filter(({ path }) => path.startsWith("test/") && !path.startsWith("test/tidy"))
  return files
    .filter(({ path }) => /^examples\/[^/]+\.ts$/.test(path))
    .flatMap(({ path }) => {
      const name = path.replace(/^examples\/|\.ts$/g, "")
      const isTested = tests.some((test) => test.path.includes(name) || test.text.includes(name))
      const isPrinted = files.some((file) => file.path.startsWith(`examples/${name}.`) && file.path !== path)
      return [
        ...(readme.includes(path) ? [] : [`${path}: README.md does not list it`]),
        ...(isTested || isPrinted ? [] : [`${path}: no test knows what it prints`])
      ]
    })
}
