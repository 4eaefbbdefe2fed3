/** Rules about single files: their length, their names, and words that may not stand in them. */
import { code, type File, lineAt } from "./source.ts"

const isCode = ({ path }: File) => path.endsWith(".ts")
const longest = 500

/** No file has more than 500 lines. */
export const stayShort = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files
    .filter(isCode)
    .map(({ path, text }) => ({ path, lines: text.replace(/\n$/, "").split("\n").length }))
    .filter(({ lines }) => lines > longest)
    .map(({ lines, path }) => `${path}: has ${lines} lines, over ${longest}`)

const drawers = ["util", "utils", "helper", "helpers", "common", "types", "interfaces"]

/** No file or folder is named after nothing in particular; test/types, which tests types, is. */
export const haveNames = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files.flatMap(({ path }) =>
    path
      .replace(/^test\/types\//, "")
      .split("/")
      .map((part) => part.replace(/\..*$/, "").toLowerCase())
      .filter((part) => drawers.includes(part))
      .map((part) => `${path}: "${part}" names nothing`)
  )

const found = (file: File, text: string, pattern: RegExp, why: string): ReadonlyArray<string> =>
  Array.from(text.matchAll(pattern), (match) => `${file.path}:${lineAt(text, match.index)}: ${match[0].trim()} ${why}`)

/** The library takes time and chance from Effect; adapters and the embedded Postgres talk to processes. */
export const leaveTimeToEffect = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files
    .filter((file) => isCode(file) && /^src\/(?!adapters\/|embedded\/)/.test(file.path))
    .flatMap((file) =>
      found(
        file,
        code(file.text, { strings: false }),
        /\bDate\.now\b|\bMath\.random\b|\bset(?:Timeout|Interval|Immediate)\b|\bnew Date\(\)/g,
        "is not Effect's"
      )
    )

/** Every test that is written is run, and run with the others. */
export const runEveryTest = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files
    .filter((file) => isCode(file) && file.path.startsWith("test/"))
    .flatMap((file) =>
      found(
        file,
        code(file.text, { strings: false }),
        /\b(?:it|describe|test|suite)(?:\s*\.\s*\w+)*?\s*\.\s*(?:only|skip|todo)\b/g,
        "leaves tests out"
      )
    )

// In pieces, so that this file does not hold what it forbids.
const machines = ["work", "root", "farm", "home/\\w+", "Users/\\w+"].join("|")
const hosts = [`"resolved": "https?:`, `https?://[^\\s"'<>]*regist${""}ry`, `_auth${""}Token`].join("|")

/** Nothing tracked says where it was made: no folder of one machine, no host that packages came from. */
export const comeFromNowhere = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files.flatMap((file) => [
    ...found(file, file.text, new RegExp(`(?<![\\w.~})-])/(?:${machines})/`, "g"), "is a path of one machine"),
    ...found(file, file.text, new RegExp(hosts, "g"), "names where packages came from")
  ])
