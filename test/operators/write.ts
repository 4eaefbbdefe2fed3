/** Writes the tables of `docs/operators.md` anew: `node --conditions=makegood-source test/operators/write.ts`. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { written } from "./document.ts"

const path = join(import.meta.dirname, "..", "..", "docs", "operators.md")
writeFileSync(path, written(readFileSync(path, "utf8")))
