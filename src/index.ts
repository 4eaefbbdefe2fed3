/**
 * makegood: every side effect either happens or is made good.
 *
 * Tools say what may be done to the world and how it is taken back; sagas are ordinary Effect code over tools; a worker
 * runs them, and an outbox in Postgres keeps every intended call, its key and its outcome.
 */
export * as Approval from "./wait/Approval.ts"
export * as Archive from "./outbox/Archive.ts"
export * as Doctor from "./worker/Doctor.ts"
export * as Failure from "./tool/Failure.ts"
export * as Limits from "./tool/Limits.ts"
export * as Outbox from "./outbox/Outbox.ts"
export * as Retention from "./outbox/Retention.ts"
export * as Retry from "./tool/Retry.ts"
export * as Runs from "./saga/Runs.ts"
export * as Saga from "./saga/Saga.ts"
export * as Signal from "./wait/Signal.ts"
export * as Timer from "./wait/Timer.ts"
export * as Tool from "./tool/Tool.ts"
export * as Toolkit from "./tool/Toolkit.ts"
export * as Tools from "./saga/Tools.ts"
export * as Worker from "./worker/Worker.ts"
