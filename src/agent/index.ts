/** makegood/agent: a model chooses the calls, and everything it did can be taken back. */
export * as Agent from "./Agent.ts"
export * as AiTools from "./AiTools.ts"
export * as Budget from "./Budget.ts"
export * as McpSagas from "./McpSagas.ts"
export * as McpTools from "./McpTools.ts"
export * as ScriptedModel from "./ScriptedModel.ts"
export * as Thread from "./Thread.ts"
export * as Transcript from "./Transcript.ts"
