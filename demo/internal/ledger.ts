/** What the provider keeps of what it did: a file of JSON lines, and the answer to `GET /ledger`. */

/** One line of the provider's ledger. */
export interface Line {
  /** Milliseconds since 1970, by the provider's clock. */
  readonly at: number
  /**
   * - `act`: it did what was asked
   * - `takeBack`: it took an earlier act back
   * - `refusal`: it did nothing and said so
   * - `repeat`: the key was known; it did nothing and gave the answer of the first time
   */
  readonly kind: "act" | "takeBack" | "refusal" | "repeat"
  /** The idempotency key it was asked with. */
  readonly key: string
  /** In a person's words: "seat held". */
  readonly what: string
  /** Of what was made; for a taking-back of what was taken back. */
  readonly id?: string
  readonly cents?: number
}
