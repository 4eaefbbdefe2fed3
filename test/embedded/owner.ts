/** A process that owns an embedded Postgres: says where it is, and stays until it is killed or its input ends. */
import { Effect, Redacted } from "effect"
import { Embedded } from "../../src/embedded/index.ts"

await Effect.runPromise(
  Effect.scoped(
    Effect.gen(function* () {
      const server = yield* Embedded.server({ directory: process.argv[2]! })
      console.log(JSON.stringify({ url: Redacted.value(server.url), pid: yield* server.pid, uid: process.getuid?.() }))
      yield* Effect.callback<void>((resume) => {
        process.stdin.once("end", () => resume(Effect.void)).resume()
      })
    })
  )
)
