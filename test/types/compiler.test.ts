/**
 * What the compiler says about the programs beside this file.
 *
 * They are copied to a folder that git does not see, with the comments taken away that expect an error, and compiled
 * once: `mistakes.ts` for its messages, `program.ts` for the types an editor shows.
 */
import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import { execFile } from "node:child_process"
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const root = join(import.meta.dirname, "..", "..")
const expectsError = "// @ts-expect-error "
const source = (file: string) => readFileSync(join(import.meta.dirname, file), "utf8")

interface Mistake {
  readonly line: number
  readonly title: string
  readonly words: ReadonlyArray<string>
}

const mistakes = source("mistakes.ts")
  .split("\n")
  .flatMap((text, index): ReadonlyArray<Mistake> => {
    const title = text.trim().startsWith(expectsError) ? text.trim().slice(expectsError.length) : undefined
    const words = Array.from(title?.matchAll(/`([^`]+)`/g) ?? [], (match) => match[1]!)
    return title === undefined ? [] : [{ line: index + 2, title: `line ${index + 2}: ${title}`, words }]
  })

let folder: string
let messages: ReadonlyMap<string, string>
let shown: string

const compile = (project: string): Promise<string> =>
  new Promise((resolve) => {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc")
    const options = { cwd: project, env: { ...process.env, NO_COLOR: "1" }, maxBuffer: 1 << 26 }
    execFile(process.execPath, [tsc, "--project", project, "--pretty", "false"], options, (_, stdout) =>
      resolve(stdout)
    )
  })

/** The messages with all their lines, by `file:line`. */
const parse = (output: string): ReadonlyMap<string, string> => {
  const found = new Map<string, string>()
  let place = "elsewhere"
  for (const line of output.split("\n").filter((line) => line !== "")) {
    const match = /^([^\s(]+)\((\d+),\d+\): (error .*)$/.exec(line)
    if (match !== null) place = `${match[1]}:${match[2]}`
    else if (!line.startsWith(" ")) place = "elsewhere"
    found.set(place, `${found.get(place) ?? ""}${match === null ? line : match[3]}\n`)
  }
  return found
}

beforeAll(async () => {
  mkdirSync(join(root, ".makegood"), { recursive: true })
  folder = mkdtempSync(join(root, ".makegood", "compiler-"))
  writeFileSync(join(folder, "program.ts"), source("program.ts"))
  writeFileSync(join(folder, "mistakes.ts"), source("mistakes.ts").replaceAll(expectsError, "// "))
  const compilerOptions = { noEmit: false, emitDeclarationOnly: true, declaration: true, rootDir: root, outDir: "out" }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: "../../tsconfig.json", include: ["*.ts"], exclude: ["out"], compilerOptions })
  )
  messages = parse(await compile(folder))
  const relative = folder.slice(root.length + 1)
  shown = readFileSync(join(folder, "out", relative, "program.d.ts"), "utf8").replaceAll(/\s+/g, " ")
})

afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe("a program that uses the whole public surface", () => {
  it("compiles, and nothing fails to but the mistakes", () => {
    const places = new Set(mistakes.map(({ line }) => `mistakes.ts:${line}`))
    assert.deepStrictEqual(
      Array.from(messages).filter(([place]) => !places.has(place)),
      []
    )
  })

  it.each([
    [
      "ChargeCard",
      'Tool.Tool<"ChargeCard", { readonly customerId: string; readonly cents: number; }, ' +
        "{ readonly chargeId: string; }, CardDeclined | PaymentsUnavailable, Payments>"
    ],
    [
      "ReserveHotel",
      'Tool.Tool<"ReserveHotel", { readonly tripId: string; readonly from?: DateTime.Utc | undefined; }, ' +
        "{ readonly reservation: string; readonly cents: number; }, HotelFull, never>"
    ],
    ["SendItinerary", 'Tool.Tool<"SendItinerary", { readonly tripId: string; }, void, never, Mailer>'],
    [
      "FindFlights",
      'Tool.Tool<"FindFlights", { readonly from: string; }, ' +
        "readonly { readonly flight: string; readonly cents: number; }[], never, never>"
    ],
    [
      "BookTrip",
      'Saga.Saga<"BookTrip", { readonly tripId: string; readonly customerId: string; ' +
        "readonly cities: readonly string[]; }, { readonly chargeId: string; }, " +
        "NoSeats | CardDeclined | PaymentsUnavailable, " +
        '"ChargeCard" | "HoldSeat" | "ReserveHotel" | "SendItinerary" | "FindFlights", ' +
        "Payments | Airline | Mailer>"
    ],
    ["BookTripLive", "Layer.Layer<never, never, Payments | Airline | Mailer | Exchange | Worker.Worker>"]
  ])("shows the type of %s with decoded types and without schemas", (name, type) => {
    const declared = new RegExp(`export declare const ${name}: (.*?);(?= export | declare |$)`).exec(shown)?.[1]
    assert.deepStrictEqual(sorted(declared ?? "nothing"), sorted(type))
  })
})

/** The order of a union's members is the compiler's own affair. */
const sorted = (type: string): ReadonlyArray<string> =>
  type
    .replace(/>$/, "")
    .split(/ \| |, /)
    .sort()

describe("the compiler refuses, and its message says why", () => {
  it.each(mistakes)("$title", ({ line, words }) => {
    const message = messages.get(`mistakes.ts:${line}`)
    assert.isDefined(message, "it compiles")
    for (const word of words) assert.include(message, word)
  })

  it("names what is wrong in every comment that expects an error", () => {
    assert.deepStrictEqual(
      mistakes.filter(({ words }) => words.length === 0),
      []
    )
    assert.isAbove(mistakes.length, 40)
  })
})
