/** Rules about who imports whom: the arrows between the folders of src, and what programs on top may know. */
import { posix } from "node:path"
import { type File, imports } from "./source.ts"

interface Folder {
  readonly folders: ReadonlyArray<string>
  /** Files, and folders inside of others, that it may import beside those. */
  readonly parts?: ReadonlyArray<string>
  readonly packages: ReadonlyArray<string>
}

const effect = ["effect", "node:"]
const below = {
  tool: [],
  outbox: [],
  wait: ["tool", "outbox"],
  saga: ["tool", "outbox", "wait"],
  worker: ["tool", "outbox", "wait", "saga"],
  agent: ["tool", "wait", "saga"]
}
const above = Object.keys(below)

/** Who may import whom. A folder of src that is missing here may import nothing. */
const arrows: Record<string, Folder> = {
  ...Object.fromEntries(Object.entries(below).map(([name, folders]) => [name, { folders, packages: effect }])),
  postgres: { folders: ["outbox"], packages: [...effect, "@effect/sql-pg"] },
  embedded: { folders: [], packages: [...effect, "@effect/sql-pg"] },
  telemetry: { folders: ["tool", "outbox", "wait", "saga", "worker"], packages: effect },
  testing: { folders: [...above, "postgres", "embedded", "telemetry"], packages: [...effect, "@effect/sql-pg"] },
  adapters: { folders: ["tool", "wait", "saga", "agent"], packages: effect },
  dashboard: { folders: [...above, "postgres", "telemetry"], packages: effect },
  cli: {
    folders: [...above, "postgres", "embedded", "telemetry", "dashboard"],
    // `doctor --deep` judges records by what the tests judge them by; the rest of testing is no part of the command.
    parts: ["testing/internal/checkers", "testing/internal/evidence.ts"],
    packages: [...effect, "@effect/"]
  },
  "index.ts": { folders: ["tool", "outbox", "wait", "saga", "worker"], packages: [] }
}

const target = (file: File, specifier: string) => posix.normalize(posix.join(posix.dirname(file.path), specifier))
const isOf = (specifier: string, name: string) =>
  specifier === name || specifier.startsWith(/[:/]$/.test(name) ? name : `${name}/`)

/** Holds the arrows between the folders of src. */
export const keepToArrows = (files: ReadonlyArray<File>): ReadonlyArray<string> =>
  files
    .filter(({ path }) => path.startsWith("src/") && path.endsWith(".ts"))
    .flatMap((file) => {
      const folder = file.path.split("/")[1]!
      const allowed = arrows[folder] ?? { folders: [], packages: [] }
      const isAllowed = (specifier: string) => {
        if (!specifier.startsWith(".")) return allowed.packages.some((name) => isOf(specifier, name))
        const path = target(file, specifier)
        const [top, to = ""] = path.split("/")
        const isPart = allowed.parts?.some((part) => isOf(path, `src/${part}`)) === true
        return top === "src" && (to === folder || allowed.folders.includes(to) || isPart)
      }
      return imports(file)
        .filter((specifier) => !isAllowed(specifier))
        .map((specifier) => `${file.path}: src/${folder} may not import ${specifier}`)
    })

/** The names under which the package may be imported, from its `exports`; a star stands for one path. */
const publicNames = (files: ReadonlyArray<File>): ReadonlyArray<RegExp> => {
  const text = files.find(({ path }) => path === "package.json")?.text ?? "{}"
  const { exports = {}, name = "" } = JSON.parse(text) as { exports?: Record<string, unknown>; name?: string }
  const pattern = (key: string) => new RegExp(`^${name}${key.slice(1).replace("*", "[^/]+")}$`)
  return Object.keys(exports)
    .filter((key) => exports[key] !== null)
    .map(pattern)
}

/** Tools, sagas and examples import makegood as a user would: by a public name, and no files but their own. */
export const usePublicNames = (files: ReadonlyArray<File>): ReadonlyArray<string> => {
  const names = publicNames(files)
  return files
    .filter(({ path }) => /^(?:tools|sagas|examples)\/.*\.ts$/.test(path))
    .flatMap((file) => {
      const isFine = (specifier: string) =>
        specifier.startsWith(".")
          ? target(file, specifier).startsWith(`${file.path.split("/")[0]}/`)
          : !isOf(specifier, "makegood") || names.some((name) => name.test(specifier))
      return imports(file)
        .filter((specifier) => !isFine(specifier))
        .map((specifier) => `${file.path}: ${specifier} is no public name of makegood`)
    })
}
