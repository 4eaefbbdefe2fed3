import { describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { layerMemory } from "../../src/outbox/Outbox.ts"
import { OutboxSuite } from "../../src/testing/index.ts"

describe("the outbox in memory", () => {
  for (const { run, title } of OutboxSuite.cases({ pass: TestClock.adjust })) {
    it.effect(title, () => Effect.provide(run, layerMemory))
  }
})
