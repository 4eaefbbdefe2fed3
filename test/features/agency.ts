/** What the tests of agents' features begin with: a task, and models that give up where something went wrong. */
import { ScriptedModel } from "makegood/agent"

export const task = { id: "1", prompt: "Do it." }

export const giveUp = ScriptedModel.calls(["GiveUp", { why: "It cannot be done." }])

/** Goes on where all went well, and gives up where something did not. */
export const orGiveUp =
  (line: ScriptedModel.Turn): ScriptedModel.Line =>
  ({ results }) =>
    results.some(({ isFailure }) => isFailure) ? giveUp : line
