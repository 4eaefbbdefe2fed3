/** A real Postgres from npm, for machines without one. */
export * as Embedded from "./Embedded.ts"
