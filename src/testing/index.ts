/** Break things on purpose, and see whether what must hold holds. */
export * as Cancel from "./Cancel.ts"
export * as Crash from "./Crash.ts"
export * as FakeWorld from "./FakeWorld.ts"
export * as Fault from "./Fault.ts"
export * as OutboxSuite from "./OutboxSuite.ts"
export * as SagaTest from "./SagaTest.ts"
