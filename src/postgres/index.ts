/** The record, kept in Postgres. */
export * as Postgres from "./Postgres.ts"
