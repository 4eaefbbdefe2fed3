import { describe, layer } from "@effect/vitest"
import { Layer } from "effect"
import { Postgres } from "../../src/postgres/index.ts"
import { OutboxSuite } from "../../src/testing/index.ts"
import * as Database from "../Database.ts"

// One client below both, so that the outbox works on the database that was migrated.
const outbox = Postgres.layer().pipe(Layer.provideMerge(Postgres.layerMigrations), Layer.provide(Database.layer))

describe("the outbox in Postgres", () => {
  layer(outbox, { excludeTestServices: true })((it) => {
    for (const { run, title } of OutboxSuite.cases()) it.effect(title, () => run)
  })
})
