/** Writes `docs/landmarks.md` anew: `node --conditions=makegood-source test/landmarks/write.ts`. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { written } from "./document.ts"

writeFileSync(join(import.meta.dirname, "..", "..", "docs", "landmarks.md"), written)
