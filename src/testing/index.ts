/** Break things on purpose, and see whether what must hold holds. */
export * as OutboxSuite from "./OutboxSuite.ts"
