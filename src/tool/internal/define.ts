/** From the options of a constructor to a tool: defaults, checks at the time of definition, and the callable value. */
import { Duration, Pipeable, Schema } from "effect"
import * as Clearance from "../Clearance.ts"
import * as Failure from "../Failure.ts"
import type * as InDoubt from "../InDoubt.ts"
import * as Limits from "../Limits.ts"
import * as Once from "../Once.ts"
import * as Retry from "../Retry.ts"
import type * as Tool from "../Tool.ts"
import { type Compensation, type Consent, definition, type Definition, type Doubt, type Kind } from "./definition.ts"
import { ask } from "./running.ts"

interface Late {
  readonly after: Duration.Input
  readonly fail: (parameters: unknown) => unknown
}

interface Classifying {
  readonly classify?: unknown
  readonly retry?: Retry.Retry<never>
  readonly timeout?: Duration.Input | Late
  readonly needsApproval?: Clearance.NeedsApproval<never>
  readonly approval?: Clearance.CallTerms
}

interface CompensationOptions extends Classifying {
  readonly run: Compensation["run"]
  readonly inDoubt?: unknown
}

interface Options extends Classifying {
  readonly version?: number
  readonly compatibleWith?: ReadonlyArray<number>
  readonly undoWithin?: Duration.Input
  readonly description?: string
  readonly parameters: Tool.Fields
  readonly success?: Tool.Plain
  readonly failure?: Tool.Plain
  readonly execute: unknown
  readonly inDoubt?: unknown
  readonly compensate?: unknown
  readonly compensateInDoubt?: unknown
  readonly lock?: Clearance.Locks<never>
  readonly once?: Once.Once<never>
  readonly limits?: Limits.Limits
  readonly whenExhausted?: "fail" | "park"
  readonly before?: unknown
  readonly verify?: unknown
  readonly pivot?: boolean
  readonly release?: "atCompletion"
}

const namePattern = /^[A-Za-z][A-Za-z0-9_-]{0,99}$/

/** Refuses a name that could not stand in a path. Thrown where the tool or saga is defined. */
export const checkName = (what: string, name: string): void => {
  if (namePattern.test(name)) return
  throw new TypeError(
    `${what} is named ${JSON.stringify(name).slice(0, 120)}. It was not defined. ` +
      "A name is a letter and then letters, digits, _ and -, 100 characters at most."
  )
}

/** Refuses a version that is not a whole number from 1 up. */
export const checkVersion = (what: string, version: number): void => {
  if (Number.isInteger(version) && version >= 1) return
  throw new TypeError(`${what} has the version ${version}. It was not defined. A version is a whole number from 1 up.`)
}

/** A length of time in milliseconds; `undefined` for ever. */
const finiteMillis = (duration: Duration.Input): number | undefined => {
  const millis = Duration.toMillis(Duration.fromInputUnsafe(duration))
  return Number.isFinite(millis) ? millis : undefined
}

const doubtOf = (inDoubt: unknown): Doubt => {
  const given = inDoubt as InDoubt.Policy | InDoubt.Lookup<never, unknown, unknown, never>
  return "lookup" in given
    ? {
        _tag: "lookup",
        lookup: given.lookup as never,
        settle: given.settle === undefined ? undefined : Duration.fromInputUnsafe(given.settle),
        authoritative: given.authoritative ?? true
      }
    : given
}

const consentOf = (what: string, { approval, needsApproval }: Classifying): Consent | undefined => {
  if (needsApproval === undefined || needsApproval === false) return undefined
  return {
    asks: needsApproval === true ? () => true : needsApproval,
    terms: Clearance.completeUnsafe(what, approval)
  }
}

const onceOf = (name: string, { once, release }: Options): Definition["once"] => {
  const found = Once.complete(once)
  if (found?.scope !== "forever" || release === undefined) return found
  throw new TypeError(
    `The tool ${name} is held until its saga has succeeded, and once forever: other runs would wait for whole sagas, and ` +
      'two of them for each other. It was not defined. Use once with the scope "run", or no release.'
  )
}

/** What the calls of a tool can fail with: what it declares, and what it may be refused. */
const failureOf = ({ failure, lock, needsApproval, once }: Options): Tool.Plain => {
  const refusals = [
    ...(needsApproval === undefined || needsApproval === false ? [] : [Clearance.Refused]),
    ...(lock === undefined ? [] : [Clearance.LockRefused]),
    ...(once === undefined ? [] : [Once.OnceConflict])
  ]
  if (refusals.length === 0) return failure ?? Schema.Never
  return Schema.Union(failure === undefined ? refusals : [failure, ...refusals])
}

const classifierOf = (classify: unknown): Definition["classify"] => {
  if (classify === undefined) return Failure.classifyDefault
  if (typeof classify === "function") return classify as Definition["classify"]
  return Failure.byTag(classify as Failure.ByTag<unknown>)
}

const isLate = (timeout: Duration.Input | Late): timeout is Late => typeof timeout === "object" && "fail" in timeout

const timeoutOf = (timeout: Duration.Input | Late): Pick<Definition, "timeout" | "failLate"> => ({
  timeout: Duration.fromInputUnsafe(isLate(timeout) ? timeout.after : timeout),
  failLate: isLate(timeout) ? timeout.fail : undefined
})

/** What a compensation does about a doubt where it says nothing: a lookup finds the act, not its undoing. */
const inherited = (doubt: Doubt): Doubt => (doubt._tag === "lookup" ? { _tag: "askPerson" } : doubt)

const compensationOf = (compensate: unknown, tool: Omit<Definition, "compensation">): Compensation => {
  const { doubt, classify, retry, timeout } = tool
  // Nothing of a compensation goes to the body: one that cannot be done always waits for a person.
  const manner = { failLate: undefined, whenExhausted: "park" } as const
  if (typeof compensate === "function") {
    return { run: compensate as Compensation["run"], doubt: inherited(doubt), classify, retry, timeout, ...manner }
  }
  const own = compensate as CompensationOptions
  return {
    run: own.run,
    doubt: own.inDoubt === undefined ? inherited(doubt) : doubtOf(own.inDoubt),
    classify: own.classify === undefined ? classify : classifierOf(own.classify),
    retry: own.retry === undefined ? retry : Retry.withDefaults(own.retry),
    timeout: own.timeout === undefined ? timeout : timeoutOf(own.timeout).timeout,
    consent: consentOf(`The compensation of ${tool.name}`, own),
    ...manner
  }
}

const Proto = Object.assign(Object.create(Function.prototype), {
  ...Pipeable.Prototype,
  toJSON(this: Tool.Any) {
    return { _id: "makegood/Tool", name: this.name, kind: this.kind, version: this.version }
  }
})

/** Builds a tool: a function with a name, that is pipeable and carries its definition. */
export const define = <T extends Tool.Any>(name: string, kind: Kind, given: unknown): T => {
  const options = given as Options
  const version = options.version ?? 1
  checkName("A tool", name)
  checkVersion(`The tool ${name}`, version)
  for (const earlier of options.compatibleWith ?? []) {
    checkVersion(`A version that the tool ${name} is compatible with`, earlier)
  }
  const bare: Omit<Definition, "compensation"> = {
    name,
    kind,
    version,
    compatibleWith: new Set(options.compatibleWith),
    undoWithinMillis: options.undoWithin === undefined ? undefined : finiteMillis(options.undoWithin),
    description: options.description,
    parameters: Schema.Struct(options.parameters),
    success: options.success ?? Schema.Void,
    failure: failureOf(options),
    consent: consentOf(`The tool ${name}`, options),
    lock: options.lock,
    once: onceOf(name, options),
    execute: options.execute as Definition["execute"],
    compensateInDoubt: options.compensateInDoubt as Definition["compensateInDoubt"],
    doubt: options.inDoubt === undefined ? { _tag: "idempotent" } : doubtOf(options.inDoubt),
    classify: classifierOf(options.classify),
    retry: Retry.withDefaults(options.retry ?? {}),
    limits: options.limits === undefined ? undefined : Limits.completeUnsafe(name, options.limits),
    whenExhausted: options.whenExhausted ?? "fail",
    before: options.before as Definition["before"],
    verify: options.verify as Definition["verify"],
    pivot: options.pivot,
    isHeld: options.release === "atCompletion",
    ...timeoutOf(options.timeout ?? "30 seconds")
  }
  const tool: Definition = {
    ...bare,
    compensation: options.compensate === undefined ? undefined : compensationOf(options.compensate, bare)
  }
  const what = `The tool ${name}`
  const call = (parameters: unknown) => ask<unknown, unknown, never>(what, { _tag: "call", tool, parameters })
  Object.setPrototypeOf(call, Proto)
  Object.defineProperty(call, "name", { value: name, enumerable: true })
  return Object.assign(call, {
    kind,
    version,
    description: tool.description,
    parametersSchema: tool.parameters,
    successSchema: tool.success,
    failureSchema: tool.failure,
    [definition]: tool
  }) as unknown as T
}
