/** Prints `docs/landmarks.md` from the registry. */
import * as Landmark from "../../src/worker/Landmark.ts"

const tableOf = (names: ReadonlyArray<string>) =>
  ["| landmark | |", "|---|---|", ...names.map((name) => `| \`${name}\` | ${Landmark.meaningOf(name)} |`)].join("\n")

/** The document as it has to be. */
export const written = `# Landmarks

Named instants in the engine at which a test can kill the process: \`Crash.at("call.after-act")\` of \`makegood/testing\` does
it in virtual time, \`SagaTest.explore\` at all of them. Every write to the outbox has one on both sides. This page is printed
from \`src/worker/Landmark.ts\` by \`node --conditions=makegood-source test/landmarks/write.ts\`.

## In the life of a run

${tableOf(Landmark.ofRuns)}

## Of workers and of people

What a worker does for itself, or for several runs at once. \`SagaTest\` passes over these.

${tableOf(Landmark.ofWorkers)}
`
