/** Run by `node --test`: the kit needs no runner of its own kind. */
import { Effect } from "effect"
import { test } from "node:test"
import { SagaTest } from "makegood/testing"
import { DeskFake, tripWith } from "./mistakes.ts"

const explored = (mistake: "none" | "reads the time") => {
  const { Trip, layer } = tripWith(mistake)
  return SagaTest.explore(Trip, { layer, payload: { trip: "t" }, world: DeskFake }).pipe(
    SagaTest.everyCrash,
    SagaTest.atATime(1),
    SagaTest.expectMadeGood
  )
}

void test("a trip without a mistake", () => Effect.runPromise(Effect.asVoid(explored("none"))))
void test("a trip that reads the time", () => Effect.runPromise(Effect.asVoid(explored("reads the time"))))
