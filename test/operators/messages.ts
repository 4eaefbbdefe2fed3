/** What a run says that is stuck on an operator, and the worker of one that waits. `...` stands for what differs from run to run. */
export const messages = {
  time:
    "The body of a saga wanted to wait for ... (Effect.sleep, a timeout or a schedule), but time stands still between its " +
    "steps. The run is stuck and nothing was undone. Use Timer.sleep to wait and Saga.within for a time limit; retries and " +
    "time-outs of calls are options of tools.",
  fiber:
    "... was asked for in ... by another fiber than the scope's own. Nothing was done. Use Saga.all or Saga.forEach, which " +
    "give each branch a scope of its own.",
  died: "The body died: ...",
  astray:
    "The body of the run ... waits for something that is no step, for longer than a heartbeat. Until that ends nothing of " +
    "the run goes on; it can be cancelled. Wait for a tool, Saga.record, Signal or Timer, or for what Saga.all gives.",
  otherwise: "The record has ..., the body ...",
  service: '... NotInABody<..., "use services in a tool, or in Saga.record"> ...',
  outside: '... NotInABody<Runs, "a run is started from outside a saga"> ...',
  unlisted: '... Listed<"Unlisted"> ...',
  undeclared: "... Type '\"not declared\"' is not assignable to type 'never'. ..."
} as const

/** The name of a message. */
export type Message = keyof typeof messages

/** Whether a text is what the message says. */
export const isSaid = (text: string, message: Message): boolean => {
  const pattern = messages[message]
    .split("...")
    .map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"))
    .join("[\\s\\S]*")
  return new RegExp(`^${pattern}$`).test(text.replaceAll(/\s+/g, " ").trim())
}
