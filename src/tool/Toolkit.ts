/** A toolkit is a list of tools, and of sagas, under different names, to be listed by sagas as a whole. */
import type { Listable } from "./Tool.ts"

/** `unknown` where all names differ; else a type that nothing fits, whose text is the message. */
export type UniqueNames<T extends ReadonlyArray<Listable>, Seen extends string = never> = T extends readonly [
  infer Head extends Listable,
  ...infer Rest extends ReadonlyArray<Listable>
]
  ? string extends Head["name"]
    ? UniqueNames<Rest, Seen>
    : Head["name"] extends Seen
      ? { readonly "~error": `Two tools are named ${Head["name"]}` }
      : UniqueNames<Rest, Seen | Head["name"]>
  : unknown

/** Tools under different names. Iterable. */
export interface Toolkit<out Tools extends ReadonlyArray<Listable>> extends Iterable<Tools[number]> {
  readonly tools: Tools
}

/** Joins tools into a toolkit. Two tools of one name do not compile. */
export const make = <const T extends ReadonlyArray<Listable>>(...tools: T & UniqueNames<NoInfer<T>>): Toolkit<T> => ({
  tools,
  [Symbol.iterator]: () => (tools as T)[Symbol.iterator]() as Iterator<T[number]>
})
