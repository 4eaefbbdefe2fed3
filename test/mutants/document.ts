/** Prints `docs/planted-bugs.md` from the list. */
import { all, type Planted } from "./planted.ts"

const finder = ({ by }: Planted): string => {
  switch (by._tag) {
    case "rule":
      return `\`test/rules/${by.file}\`: ${by.violation}`
    case "simulation":
      return "`test/simulation`"
    case "interleavings":
      return "`test/interleavings`"
  }
}

/** The document as it has to be. */
export const written = `# Planted bugs

Bugs that other libraries of this field had, made again in the engine on purpose: each is a few changed words of its source,
and each is found by a test that runs in CI. \`test/mutants\` and \`test/rules\` show that anew with every run. This page is
printed from \`test/mutants/planted.ts\` by \`node --conditions=makegood-source test/mutants/write.ts\`.

| | where | what happened there | our engine, changed | found by |
|---|---|---|---|---|
${all.map((one) => `| ${one.id} | ${one.peers} | ${one.there} | ${one.here} | ${finder(one)} |`).join("\n")}
`
