/** The reference memory server from npm, a graph in a file, and how what is done to that is taken back. */
import { Effect } from "effect"
import { Tool } from "makegood"
import { McpTools } from "makegood/agent"

interface Entity {
  readonly name: string
  readonly entityType: string
  readonly observations: ReadonlyArray<string>
}

interface Relation {
  readonly from: string
  readonly to: string
  readonly relationType: string
}

export interface Graph {
  readonly entities: ReadonlyArray<Entity>
  readonly relations: ReadonlyArray<Relation>
}

/** As a text that is the same for the same, whatever the order of its fields. */
const textOf = (one: Entity | Relation) => JSON.stringify(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)))

const graphOf = (value: unknown) => value as Graph

const open = (names: ReadonlyArray<string>, ask: McpTools.Ask) => ask("open_nodes", { names })

/**
 * What it is asked to make twice it makes once, and then says that it made nothing. So what it says is not what is taken
 * back, but what was asked for and was not there before.
 */
export const declarations: Readonly<Record<string, McpTools.Declaration>> = {
  create_entities: McpTools.reversible({
    before: ({ entities }, ask) =>
      open(
        (entities as unknown as ReadonlyArray<Entity>).map(({ name }) => name),
        ask
      ),
    compensate: ({ before, parameters: { entities } }, ask) => {
      const old = graphOf(before).entities.map(({ name }) => name)
      const asked = (entities as unknown as ReadonlyArray<Entity>).map(({ name }) => name)
      return ask("delete_entities", { entityNames: asked.filter((name) => !old.includes(name)) })
    },
    inDoubt: Tool.idempotent
  }),
  create_relations: McpTools.reversible({
    before: (_, ask) => ask("read_graph", {}),
    compensate: ({ before, parameters: { relations } }, ask) => {
      const old = graphOf(before).relations
      const asked = relations as unknown as ReadonlyArray<Relation>
      const fresh = asked.filter((one) => !old.some((other) => textOf(one) === textOf(other)))
      return ask("delete_relations", { relations: fresh as never })
    },
    inDoubt: Tool.idempotent
  }),
  add_observations: McpTools.reversible({
    before: ({ observations }, ask) =>
      open(
        (observations as ReadonlyArray<{ readonly entityName: string }>).map(({ entityName }) => entityName),
        ask
      ),
    compensate: ({ before, parameters: { observations } }, ask) => {
      const old = graphOf(before).entities
      const asked = observations as ReadonlyArray<{
        readonly entityName: string
        readonly contents: ReadonlyArray<string>
      }>
      const deletions = asked.map(({ contents, entityName }) => {
        const known = old.find(({ name }) => name === entityName)?.observations ?? []
        return { entityName, observations: contents.filter((one) => !known.includes(one)) }
      })
      return ask("delete_observations", { deletions })
    },
    inDoubt: Tool.idempotent
  }),
  delete_entities: McpTools.reversible({
    before: ({ entityNames }, ask) => open(entityNames as ReadonlyArray<string>, ask),
    compensate: ({ before }, ask) =>
      Effect.andThen(
        ask("create_entities", { entities: graphOf(before).entities as never }),
        ask("create_relations", { relations: graphOf(before).relations as never })
      ),
    inDoubt: Tool.idempotent
  })
}

/** What is in a graph, in whatever order it came there. */
export const contentOf = (graph: unknown): ReadonlyArray<string> =>
  [...graphOf(graph).entities, ...graphOf(graph).relations].map(textOf).sort()
