/**
 * The campaign's worker in one file, so that a process of it is cheap to start: two thirds of what starting costs is to find
 * and strip some hundreds of modules.
 */
import { rolldown } from "rolldown"
import { join } from "node:path"

/** Writes the bundle into a folder, and gives its path. */
export const bundle = async (directory: string): Promise<string> => {
  const file = join(directory, "worker.mjs")
  const built = await rolldown({
    input: join(import.meta.dirname, "worker.ts"),
    platform: "node",
    resolve: { conditionNames: ["makegood-source", "import", "node", "default"] },
    logLevel: "silent"
  })
  await built.write({ file, format: "esm", codeSplitting: false })
  await built.close()
  return file
}
