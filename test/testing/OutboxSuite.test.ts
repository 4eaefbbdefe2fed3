import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit } from "effect"
import { TestClock } from "effect/testing"
import { AssertionError } from "node:assert"
import { OutboxError } from "../../src/outbox/Outbox.ts"
import { OutboxSuite } from "../../src/testing/index.ts"
import type { Violation } from "./violations.ts"
import { layer, violations } from "./violations.ts"

const cases = OutboxSuite.cases({ pass: TestClock.adjust })

/** The titles of the cases that an outbox with this violation fails. That it fell over does not count. */
const failed = (violation: Violation) =>
  Effect.filter(cases, ({ run }) =>
    Effect.map(Effect.exit(Effect.provide(run, layer(violation))), (exit) => {
      if (Exit.isSuccess(exit)) return false
      const error = Cause.squash(exit.cause)
      if (error instanceof AssertionError || error instanceof OutboxError) return true
      throw error
    })
  ).pipe(Effect.map((found) => found.map(({ title }) => title)))

describe("the suite of outboxes", () => {
  const caught = new Set<string>()

  it("has a title of its own for each case", () => {
    assert.strictEqual(new Set(cases.map(({ title }) => title)).size, cases.length)
  })

  for (const violation of violations) {
    it.effect(`catches an outbox that ${violation[0]}`, () =>
      Effect.map(failed(violation), (titles) => {
        for (const title of titles) caught.add(title)
        assert.isNotEmpty(titles)
      })
    )
  }

  it("has no case that cannot fail: each one catches some violation", () => {
    assert.deepStrictEqual(
      cases.map(({ title }) => title).filter((title) => !caught.has(title)),
      []
    )
  })
})
