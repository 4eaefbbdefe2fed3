/** A file of the repository as text, and the same text without what is only said in it. */

export interface File {
  /** From the repository's root, with slashes. */
  readonly path: string
  readonly text: string
}

const blank = (text: string) => text.replaceAll(/[^\n]/g, " ")
const beforeRegex = /(?:^|[(,=:[!&|?{};+\n]|\breturn|=>)[ \t]*$/

/** TypeScript with comments blanked, and strings and regular expressions too where asked; places stay the same. */
export const code = (text: string, options: { readonly strings: boolean }): string => {
  let out = ""
  let at = 0
  const take = (end: number, keep: boolean) => {
    out += keep ? text.slice(at, end) : blank(text.slice(at, end))
    at = end
  }
  const after = (mark: string, from: number) => {
    const end = text.indexOf(mark, from)
    return end < 0 ? text.length : end + mark.length
  }
  while (at < text.length) {
    const char = text[at]!
    if (text.startsWith("//", at)) take(after("\n", at) - 1, false)
    else if (text.startsWith("/*", at)) take(after("*/", at + 2), false)
    else if (char === '"' || char === "'") take(endOfString(text, at, char), options.strings)
    else if (char === "`") take(endOfTemplate(text, at), options.strings)
    else if (char === "/" && beforeRegex.test(out.slice(-20))) take(endOfRegex(text, at), options.strings)
    else take(at + 1, true)
    if (out.length < at) break
  }
  return out
}

const endOfString = (text: string, start: number, quote: string): number => {
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === "\\") at++
    else if (text[at] === quote || text[at] === "\n") return at + 1
  }
  return text.length
}

/** With the expressions in it, which may hold templates again. */
const endOfTemplate = (text: string, start: number): number => {
  let at = start + 1
  while (at < text.length) {
    if (text[at] === "\\") at += 2
    else if (text[at] === "`") return at + 1
    else if (text.startsWith("${", at)) at = endOfHole(text, at + 2)
    else at++
  }
  return text.length
}

const endOfHole = (text: string, start: number): number => {
  let depth = 1
  let at = start
  while (at < text.length && depth > 0) {
    const char = text[at]!
    if (char === "`") at = endOfTemplate(text, at)
    else if (char === '"' || char === "'") at = endOfString(text, at, char)
    else {
      depth += char === "{" ? 1 : char === "}" ? -1 : 0
      at++
    }
  }
  return at
}

const endOfRegex = (text: string, start: number): number => {
  let inClass = false
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]
    if (char === "\\") at++
    else if (char === "\n") return start + 1
    else if (char === "[") inClass = true
    else if (char === "]") inClass = false
    else if (char === "/" && !inClass) return at + 1
  }
  return text.length
}

const clause = String.raw`(?:\*(?:\s*as\s+\w+)?|(?:\w+\s*,\s*)?\{[^}]*\}|\w+)`
const declared = new RegExp(String.raw`^(?:import|export)\s+(?:type\s+)?${clause}\s*from\s*"([^"]+)"`, "gm")

/** What a file imports: the specifiers of its imports, re-exports and dynamic imports. */
export const imports = ({ text }: File): ReadonlyArray<string> => {
  const source = code(text, { strings: true })
  const found = [declared, /^import\s*"([^"]+)"/gm, /\bimport\(\s*"([^"]+)"/g].flatMap((pattern) =>
    Array.from(source.matchAll(pattern), (match) => match[1]!)
  )
  return found
}

/** The line a place of a text is on, counted from 1. */
export const lineAt = (text: string, place: number): number => text.slice(0, place).split("\n").length
