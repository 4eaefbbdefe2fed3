/** An engine that is measured: how it is opened on an empty database, and how it does one saga. */

/** How many steps a saga has, one after the other, each recorded before the next. */
export const steps = 10

/** What each step results in: 100 bytes of JSON. */
export const receipt = { id: "0190a7c4-6e1f-7cc1-9d3b-2f1d7c1b6a55", note: "x".repeat(44) }

/** How many sagas are under way where many are. */
export const atOnce = 64

export interface Peer {
  /** From the start of a new saga to its answer. */
  readonly saga: () => Promise<unknown>
  /**
   * Whether it has a queue of its own. Then all sagas are put there at once and it works on 64 of them; else 64 are
   * started, and one more whenever one has ended.
   */
  readonly queues: boolean
  readonly close: () => Promise<unknown>
}

/** Where the engine keeps its record. `directory` is for those that do not keep it in Postgres. */
export interface Place {
  readonly url: string
  readonly directory: string
}

/** What a module in `engines/` exports. */
export interface Engine {
  readonly open: (place: Place) => Promise<Peer>
}
