/** Times, durations and texts, as a person reads and writes them. Pure. */
import { Duration, Option } from "effect"

/** A length of time that fits into seven characters: `12 ms`, `1.2 s`, `3 min`, `2 h`, `14 d`. */
export const span = (millis: number): string => {
  const ms = Math.max(0, millis)
  if (ms < 999.5) return `${Math.round(ms)} ms`
  const seconds = ms / 1000
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  if (seconds < 99.5) return `${Math.round(seconds)} s`
  const minutes = seconds / 60
  if (minutes < 99.5) return `${Math.round(minutes)} min`
  const hours = minutes / 60
  if (hours < 47.5) return `${Math.round(hours)} h`
  return `${Math.round(hours / 24)} d`
}

/** `2026-11-21 10:41:32`, in UTC. */
export const instant = (at: number): string => new Date(at).toISOString().slice(0, 19).replace("T", " ")

/** `10:41:32.123`, in UTC. */
export const timeOfDay = (at: number): string => new Date(at).toISOString().slice(11, 23)

const units = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 }

/** A length of time as people type it: `30d`, `12h`, `90 min`, `1.5 h`, `2 weeks`; none where it is none. */
export const toDuration = (text: string): Option.Option<Duration.Duration> => {
  const short = /^(\d+(?:\.\d+)?) ?(ms|s|min|m|h|d|w)$/.exec(text.trim())
  if (short !== null) return Option.some(Duration.millis(Number(short[1]) * units[short[2] as keyof typeof units]))
  return /^\d+(?:\.\d+)? (?:milli|second|minute|hour|day|week)s?$/.test(text.trim())
    ? Duration.fromInput(text.trim() as Duration.Input)
    : Option.none()
}

/** What a terminal would act on, and not show, made visible: texts come from payloads, keys and other people. */
export const clean = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(/[\r\n\t]+/g, " ")
    // oxlint-disable-next-line no-control-regex -- they are what is looked for
    .replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, "\u00b7")

/** The first eight digits of an id, by which a run can be named. */
export const shortId = (runId: string): string => runId.slice(0, 8)

/** `1 run`, `2 runs`, `12,000 runs`. */
export const count = (many: number, what: string, plural = `${what}s`): string =>
  `${many.toLocaleString("en-US")} ${many === 1 ? what : plural}`
