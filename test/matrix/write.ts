/** Writes the tables of `docs/failures.md` anew: `node --conditions=makegood-source test/matrix/write.ts`. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { written } from "./document.ts"

const path = join(import.meta.dirname, "..", "..", "docs", "failures.md")
writeFileSync(path, written(readFileSync(path, "utf8")))
