/** A graph of ten nodes in a line, a thread a saga; each checkpoint is in Postgres before the next node (`sync`). */
import { Annotation, END, START, StateGraph } from "@langchain/langgraph"
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres"
import type { Engine } from "../Peer.ts"
import { receipt, steps } from "../Peer.ts"

// The last receipt alone is kept: a list of them would be written again with each checkpoint.
const State = Annotation.Root({ order: Annotation<string>, receipt: Annotation<typeof receipt> })

export const open: Engine["open"] = async ({ url }) => {
  const saver = PostgresSaver.fromConnString(url)
  await saver.setup()
  const act = () => Promise.resolve({ receipt })
  const nodes = Array.from({ length: steps }, (_, step): [string, typeof act] => [`act-${step}`, act])
  const graph = new StateGraph(State).addSequence(nodes).addEdge(START, nodes[0]![0]).addEdge(nodes.at(-1)![0], END)
  const compiled = graph.compile({ checkpointer: saver })
  return {
    saga: () => {
      const order = crypto.randomUUID()
      return compiled.invoke({ order }, { configurable: { thread_id: order }, durability: "sync" })
    },
    queues: false,
    close: () => saver.end()
  }
}
