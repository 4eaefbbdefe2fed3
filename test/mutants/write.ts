/** Writes `docs/planted-bugs.md` anew: `node --conditions=makegood-source test/mutants/write.ts`. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { written } from "./document.ts"

writeFileSync(join(import.meta.dirname, "..", "..", "docs", "planted-bugs.md"), written)
