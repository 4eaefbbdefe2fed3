/**
 * What is left of a rate: pure steps from one state to the next, as Effect's own store in memory makes them.
 *
 * A step gives no next state where nothing has changed that the time of day would not say by itself.
 */
import { Duration } from "effect"
import type { RateLimiter } from "effect/persistence"

/** The result of a step, and the state after it. */
export interface Step<A, S> {
  readonly result: A
  readonly next?: S & { readonly expiresAt: number }
}

type Store = RateLimiter.RateLimiterStore["Service"]
type Options<K extends keyof Store> = Parameters<Store[K]>[0]

export interface Window {
  readonly count: number
  readonly expiresAt: number
}

export const fixedWindow = (
  window: Window | undefined,
  now: number,
  options: Options<"fixedWindow">
): Step<readonly [count: number, ttl: number], Window> => {
  const { limit, tokens } = options
  const { count, expiresAt } = window !== undefined && window.expiresAt > now ? window : { count: 0, expiresAt: now }
  if (limit !== undefined && count + tokens > limit) return { result: [count + tokens, expiresAt - now] }
  const next = { count: count + tokens, expiresAt: expiresAt + Duration.toMillis(options.refillRate) * tokens }
  return { result: [next.count, next.expiresAt - now], next }
}

export interface Bucket {
  readonly tokens: number
  readonly lastRefill: number
}

export const tokenBucket = (
  bucket: Bucket | undefined,
  now: number,
  options: Options<"tokenBucket">
): Step<readonly [remaining: number, elapsedMillis: number], Bucket> => {
  const { allowOverflow, limit } = options
  const refillMillis = Duration.toMillis(options.refillRate)
  let { lastRefill, tokens } = bucket ?? { tokens: limit, lastRefill: now }
  const added = Math.floor((now - lastRefill) / refillMillis)
  if (added > 0) {
    tokens = Math.min(limit, tokens + added)
    lastRefill += added * refillMillis
  }
  if (tokens >= limit) lastRefill = now
  const left = tokens - options.tokens
  const result = [left, Math.max(0, now - lastRefill)] as const
  if (left < 0 && !allowOverflow) return { result }
  // Full again, it is as if it had never been.
  return { result, next: { tokens: left, lastRefill, expiresAt: lastRefill + Math.ceil(limit - left) * refillMillis } }
}

export interface Learned {
  readonly phase: "cooldown" | "learning" | "learned"
  readonly epoch: number
  readonly cooldownUntil: number
  readonly learningStartedAt: number
  readonly observedTokens: number
  readonly learnedLimit: number
  readonly learnedWindowMillis: number
  readonly expiresAt: number
}

const graceMillis = 60_000
const longestWindowMillis = 60 * 60 * 1_000

const clamped = (millis: number) => (Number.isNaN(millis) || millis <= 0 ? 1 : Math.min(millis, longestWindowMillis))

const current = (learned: Learned | undefined, now: number) =>
  learned !== undefined && learned.expiresAt > now ? learned : undefined

export const adaptiveConsume = (
  learned: Learned | undefined,
  now: number,
  options: Options<"adaptiveConsume">
): Step<RateLimiter.AdaptiveConsumeResult, Learned> => {
  const state = current(learned, now)
  if (state === undefined) return { result: { delay: Duration.zero, epoch: 0, phase: "inactive" } }
  const { phase } = state
  if (phase === "cooldown" && state.cooldownUntil > now) {
    return { result: { delay: Duration.millis(state.cooldownUntil - now), epoch: state.epoch, phase } }
  }
  if (phase === "cooldown") {
    const epoch = state.epoch + 1
    return {
      result: { delay: Duration.zero, epoch, phase: "learning" },
      next: {
        ...state,
        phase: "learning",
        epoch,
        learningStartedAt: now,
        observedTokens: options.tokens,
        expiresAt: now + Duration.toMillis(options.fallbackWindow) + graceMillis
      }
    }
  }
  if (phase === "learning") {
    return {
      result: { delay: Duration.zero, epoch: state.epoch, phase },
      next: { ...state, observedTokens: state.observedTokens + options.tokens }
    }
  }
  const refillMillis = state.learnedWindowMillis / state.learnedLimit
  const isOver = state.cooldownUntil <= now
  const observedTokens = (isOver ? 0 : state.observedTokens) + options.tokens
  const cooldownUntil = (isOver ? now : state.cooldownUntil) + refillMillis * options.tokens
  const elapsed = observedTokens * refillMillis - (cooldownUntil - now)
  const remaining = Math.floor((observedTokens - 1) / state.learnedLimit) * state.learnedWindowMillis - elapsed
  return {
    result: { delay: remaining <= 0 ? Duration.zero : Duration.millis(remaining), epoch: state.epoch, phase },
    next: { ...state, observedTokens, cooldownUntil }
  }
}

export const adaptiveFeedback = (
  learned: Learned | undefined,
  now: number,
  options: Options<"adaptiveFeedback">
): Step<void, Learned> => {
  if (options.status !== 429 || options.retryAfter === undefined) return { result: undefined }
  const retryAfterMillis = clamped(Duration.toMillis(options.retryAfter))
  const state = current(learned, now)
  if (state === undefined ? options.epoch !== 0 : state.epoch !== options.epoch) return { result: undefined }
  const cooled = (from: Partial<Learned>, until: number): Step<void, Learned> => ({
    result: undefined,
    next: {
      epoch: options.epoch,
      learningStartedAt: 0,
      observedTokens: 0,
      learnedLimit: 0,
      learnedWindowMillis: 0,
      ...from,
      phase: "cooldown",
      cooldownUntil: until,
      expiresAt: until + graceMillis
    }
  })
  const cooldownUntil = now + retryAfterMillis
  if (state === undefined || state.phase === "learned") return cooled({}, cooldownUntil)
  if (state.phase === "cooldown") return cooled(state, Math.max(state.cooldownUntil, cooldownUntil))
  const accepted = state.observedTokens - options.tokens
  if (accepted <= 0) return cooled({}, cooldownUntil)
  const learnedWindowMillis = clamped(now - state.learningStartedAt + retryAfterMillis)
  return {
    result: undefined,
    next: {
      ...state,
      phase: "learned",
      epoch: state.epoch + 1,
      cooldownUntil: state.learningStartedAt + learnedWindowMillis,
      observedTokens: accepted,
      learnedLimit: accepted,
      learnedWindowMillis,
      expiresAt: now + learnedWindowMillis + graceMillis
    }
  }
}
