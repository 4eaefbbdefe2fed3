/**
 * Values on their way into the record and back out of it.
 *
 * A value becomes canonical JSON text through its schema's JSON codec (`Schema.toCodecJson`: dates, big integers, bytes,
 * maps, options, tagged errors ...), and is read back at once from that very text. What user code gets to see, live as
 * on replay, is the value read back. What would come back as something else is refused before anything is written
 * (upholds G14):
 *
 * - what reads back must encode to the same text again, and
 * - where both are plain data, it must equal what was given: no `null` for an `undefined`, no other number or string.
 *
 * A schema under which value and JSON are the same (texts, finite numbers, structs and lists of such) copies both ways; there
 * the copy is what would be read back, and is taken for it.
 *
 * What the schema does not speak of (further properties of an object, a result where there is none) is no part of the
 * value and is left out.
 */
import { Cause, Result, Schema } from "effect"
import type { SchemaAST } from "effect"
import { at, canonical, isPlain, NotCanonical } from "./canonical.ts"

/** The largest text of one value, in bytes of UTF-8, where no other limit is given: 4 MiB. */
export const defaultMaxBytes = 4 * 1024 * 1024

/** A schema that needs no services: whoever reads the record can always decode. */
export interface Plain<out A = unknown> extends Schema.ConstraintCodec<A, unknown> {}

/** A value that was refused on its way into the record. Trying again with the same value cannot help. */
export class Unencodable extends Schema.TaggedError<Unencodable>()("Unencodable", {
  /** What the value is to the reader: "the parameters of ChargeCard". */
  where: Schema.String,
  /**
   * - `DoesNotFit`: it is not what its schema describes
   * - `NotJson`: its encoded form has no JSON
   * - `NotExact`: it would come back as something else
   * - `TooDeep`: it is cyclic, or nested deeper than 256 levels
   * - `TooLarge`: its text is over the limit
   * - `Threw`: a getter, a proxy or the schema's own code threw
   */
  reason: Schema.Literals(["DoesNotFit", "NotJson", "NotExact", "TooDeep", "TooLarge", "Threw"]),
  why: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly retryable = false
  override get message() {
    return (
      `${sentence(this.where)} cannot be recorded: ${this.why}. It was refused before it was written. ` +
      "Change the value, or the schema that describes it."
    )
  }
}

/** A recorded value that cannot be read by today's schema. Trying again cannot help, another schema can. */
export class Undecodable extends Schema.TaggedError<Undecodable>()("Undecodable", {
  /** What the value is to the reader: "the parameters of ChargeCard". */
  where: Schema.String,
  /**
   * - `NotJson`: the recorded text is no JSON
   * - `DoesNotFit`: it is not what today's schema describes
   * - `Threw`: the schema's own code threw
   */
  reason: Schema.Literals(["NotJson", "DoesNotFit", "Threw"]),
  why: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  readonly retryable = false
  override get message() {
    return (
      `${sentence(this.where)} cannot be read from the record: ${this.why}. The record was left as it is. ` +
      "Give the schema a form that also reads what was recorded, and deploy it."
    )
  }
}

/** A value in the form in which it is recorded. */
export interface Encoded<out A> {
  /** Canonical JSON; well-formed Unicode without NUL, so that every text type keeps it as it is. */
  readonly text: string
  /** The value as read back from `text`: the one user code is to see. */
  readonly value: A
}

/** The two directions of one schema, compiled once. */
export interface Codec<out A> {
  /** Refuses a text of more than `maxBytes` bytes (default 4 MiB). Never throws. */
  readonly encode: (
    value: unknown,
    where: string,
    options?: { readonly maxBytes?: number | undefined }
  ) => Result.Result<Encoded<A>, Unencodable>
  /** Reads what `encode` wrote. Never throws. */
  readonly decode: (text: string, where: string) => Result.Result<A, Undecodable>
}

const codecs = new WeakMap<object, Codec<unknown>>()

/** The codec of a schema: made at its first use, the same one ever after. */
export const codec = <A>(schema: Plain<A>): Codec<A> => {
  let found = codecs.get(schema)
  if (found === undefined) {
    found = make(schema)
    codecs.set(schema, found)
  }
  return found as Codec<A>
}

/** Encodes a value through its schema; see `Codec.encode`. */
export const encode = <A>(
  schema: Plain<A>,
  value: NoInfer<A>,
  where: string,
  options?: { readonly maxBytes?: number | undefined }
): Result.Result<Encoded<A>, Unencodable> => codec(schema).encode(value, where, options)

/** Decodes a recorded text through its schema; see `Codec.decode`. */
export const decode = <A>(schema: Plain<A>, text: string, where: string): Result.Result<A, Undecodable> =>
  codec(schema).decode(text, where)

const make = <A>(schema: Plain<A>): Codec<A> => {
  // Deriving can throw (a symbol as a key), so it waits for the first value and becomes that value's refusal.
  let derived: ReturnType<typeof derive<A>> | undefined
  const parsers = () => (derived ??= derive(schema))
  const isVoid = schema.ast._tag === "Void"

  return {
    encode: (value, where, options) => {
      let step: "schema" | "text" = "schema"
      const refuse = (reason: Unencodable["reason"], why: string, cause?: unknown) =>
        Result.fail(new Unencodable({ where, reason, why, ...(cause === undefined ? undefined : { cause }) }))
      try {
        const { fromJson, isCopied, toJson } = parsers()
        const encoded = toJson(value)
        if (Result.isFailure(encoded)) return refuse("DoesNotFit", cut(encoded.failure.message))
        const maxBytes = options?.maxBytes ?? defaultMaxBytes
        step = "text"
        const text = canonical(encoded.success, maxBytes)
        if (text.length * 3 > maxBytes && Buffer.byteLength(text, "utf8") > maxBytes) {
          return refuse("TooLarge", `it is longer than ${maxBytes} bytes`)
        }
        if (isCopied) return Result.succeed({ text, value: encoded.success as A })
        step = "schema"
        const decoded = fromJson(JSON.parse(text))
        if (Result.isFailure(decoded)) {
          return refuse("NotExact", `it would not be read back: ${cut(decoded.failure.message)}`)
        }
        if (!isVoid) {
          const path: Array<string | number> = []
          const verdict = compare(value, decoded.success, path)
          if (verdict === "lost" && !turnsUnknown(schema.ast)) {
            return refuse("NotExact", `it would come back as another value${at(path)}`)
          }
          if (verdict !== "same") {
            const again = toJson(decoded.success)
            if (Result.isFailure(again) || canonical(again.success, maxBytes) !== text) {
              return refuse("NotExact", "what is read back does not encode to the same text again")
            }
          }
        }
        return Result.succeed({ text, value: decoded.success })
      } catch (thrown) {
        const error = thrownBy(thrown)
        if (error instanceof NotCanonical) return refuse(error.reason, cut(error.message))
        // The engine's own limits: the stack while encoding, the longest string while writing.
        if (error instanceof RangeError) {
          return step === "schema"
            ? refuse("TooDeep", "it is nested too deeply for its schema, or out of a range of its schema's code", error)
            : refuse("TooLarge", "it is longer than the longest string", error)
        }
        return refuse("Threw", "a getter, a proxy or the schema's own code threw", error)
      }
    },
    decode: (text, where) => {
      const refuse = (reason: Undecodable["reason"], why: string, cause?: unknown) =>
        Result.fail(new Undecodable({ where, reason, why, ...(cause === undefined ? undefined : { cause }) }))
      let json: unknown
      try {
        json = JSON.parse(text)
      } catch {
        return refuse("NotJson", "the text is no JSON")
      }
      try {
        const decoded = parsers().fromJson(json)
        return Result.isFailure(decoded)
          ? refuse("DoesNotFit", cut(decoded.failure.message))
          : Result.succeed(decoded.success)
      } catch (thrown) {
        return refuse("Threw", "the schema's own code threw", thrownBy(thrown))
      }
    }
  }
}

const derive = <A>(schema: Plain<A>) => {
  const json = Schema.toCodecJson(schema)
  const lenient = Schema.encodeUnknownResult(json)
  const lenientBack = Schema.decodeUnknownResult(json)
  if (!hasChoice(json.ast)) return { toJson: lenient, fromJson: lenientBack, isCopied: copies(json.ast) }
  const strict = Schema.encodeUnknownResult(json, { onExcessProperty: "error" })
  const strictBack = Schema.decodeUnknownResult(json, { onExcessProperty: "error" })
  // Strictly first, so that of a union the member is taken that speaks of all that is there: with the lenient ones
  // alone, { a, b } under [{ a }, { a, b }] would lose b and look the same ever after. Not where there is nothing to
  // choose: to look for excess takes several times as long.
  return {
    toJson: (value: unknown) => {
      const encoded = strict(value)
      return Result.isSuccess(encoded) ? encoded : lenient(value)
    },
    fromJson: (value: unknown) => {
      const decoded = strictBack(value)
      return Result.isSuccess(decoded) ? decoded : lenientBack(value)
    },
    isCopied: false
  }
}

/**
 * Whether a schema without choice makes the same copy of a value on its way to JSON as on its way back, property by
 * property. Not of a record, whose keys keep the order in which they came; nor under a struct or a tuple that speaks of
 * nothing, which pass on all that they get.
 */
const copies = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding !== undefined) return false
  switch (ast._tag) {
    case "String":
    case "Number":
    case "Boolean":
    case "Literal":
    case "Null":
      return true
    case "Objects":
      return (
        ast.propertySignatures.length > 0 &&
        ast.indexSignatures.length === 0 &&
        ast.propertySignatures.every(({ type }) => copies(type))
      )
    case "Arrays":
      return ast.elements.length + ast.rest.length > 0 && [...ast.elements, ...ast.rest].every(copies)
    case "Union":
      return ast.types.every(copies)
    default:
      return false
  }
}

/** Whether what a value has in excess may decide how it is read: unions of more than one thing that is no scalar. */
const hasChoice = (ast: SchemaAST.AST): boolean => {
  if (ast.encoding?.some(({ to }) => hasChoice(to)) === true) return true
  switch (ast._tag) {
    case "Objects":
      return [...ast.propertySignatures, ...ast.indexSignatures].some(({ type }) => hasChoice(type))
    case "Arrays":
      return [...ast.elements, ...ast.rest].some(hasChoice)
    case "Union":
      return ast.types.filter((type) => !isScalar(type)).length > 1 || ast.types.some(hasChoice)
    // What cannot be looked into.
    case "Declaration":
    case "Suspend":
      return true
    default:
      return false
  }
}

const isScalar = (ast: SchemaAST.AST): boolean =>
  ast.encoding === undefined && !["Objects", "Arrays", "Union", "Declaration", "Suspend"].includes(ast._tag)

/**
 * Whether what came back is what was given; `path` then leads to what was lost. `unsure` where that cannot be seen from
 * outside: instances of classes, and properties the schema left out.
 */
const compare = (given: unknown, back: unknown, path: Array<string | number>): "same" | "lost" | "unsure" => {
  if (Object.is(given, back)) return "same"
  if (!isObject(given) || !isObject(back)) {
    if (isObject(given) || isObject(back)) return "unsure"
    const bothEmpty = (given === undefined || given === null) && (back === undefined || back === null)
    return bothEmpty || typeof given === typeof back ? "lost" : "unsure"
  }
  if (Array.isArray(given)) {
    if (!Array.isArray(back)) return "unsure"
    if (given.length !== back.length) return "lost"
    let verdict: "same" | "unsure" = "same"
    for (let index = 0; index < given.length; index++) {
      path.push(index)
      const found = compare(given[index], back[index], path)
      if (found === "lost") return found
      if (found === "unsure") verdict = found
      path.pop()
    }
    return verdict
  }
  if (given instanceof Date && back instanceof Date) return given.getTime() === back.getTime() ? "same" : "lost"
  if (given instanceof Uint8Array && back instanceof Uint8Array)
    return Buffer.compare(given, back) === 0 ? "same" : "lost"
  if (!isPlain(given) || !isPlain(back)) return "unsure"
  const keys = Object.keys(back)
  let verdict: "same" | "unsure" = Object.keys(given).length === keys.length ? "same" : "unsure"
  for (const key of keys) {
    if (!Object.hasOwn(given, key)) {
      verdict = "unsure"
      continue
    }
    path.push(key)
    const found = compare((given as Record<string, unknown>)[key], (back as Record<string, unknown>)[key], path)
    if (found === "lost") return found
    if (found === "unsure") verdict = found
    path.pop()
  }
  return verdict
}

/**
 * Whether the schema has a place like `Schema.Defect`, which takes anything and turns it into what JSON can say, on
 * purpose: there a difference is no loss.
 */
const turnsUnknown = (ast: SchemaAST.AST, seen: Set<SchemaAST.AST> = new Set()): boolean => {
  if (seen.has(ast)) return false
  seen.add(ast)
  const some = (asts: ReadonlyArray<SchemaAST.AST>) => asts.some((inner) => turnsUnknown(inner, seen))
  switch (ast._tag) {
    case "Unknown":
      return ast.encoding !== undefined
    case "Declaration":
      return some(ast.typeParameters)
    case "Objects":
      return some([...ast.propertySignatures, ...ast.indexSignatures].map((signature) => signature.type))
    case "Arrays":
      return some([...ast.elements, ...ast.rest])
    case "Union":
      return some(ast.types)
    case "Suspend":
      return turnsUnknown(ast.thunk(), seen)
    default:
      return false
  }
}

const isObject = (value: unknown): value is object =>
  (typeof value === "object" && value !== null) || typeof value === "function"

/**
 * What was thrown, as an error that can be looked at. Inside a schema's code it comes out wrapped in an error whose
 * cause is Effect's `Cause`; and what throws may itself be a proxy that throws.
 */
const thrownBy = (thrown: unknown): Error => {
  try {
    const cause = thrown instanceof Error ? thrown.cause : undefined
    const died = Cause.isCause(cause) ? cause.reasons.find(Cause.isDieReason) : undefined
    const error = died === undefined ? thrown : died.defect
    return error instanceof Error ? error : new Error("What was thrown is no error", { cause: error })
  } catch {
    return new Error("What was thrown cannot be looked at")
  }
}

const cut = (text: string): string => {
  const line = text.replaceAll(/\s*\n\s*/g, " ")
  return line.length <= 1_000 ? line : `${line.slice(0, 1_000)}...`
}

const sentence = (where: string): string => where.slice(0, 1).toUpperCase() + where.slice(1)
