/** One engine in a process of its own. It does what its parent asks, one phase at a time, and answers each. */
import type { Engine } from "./Peer.ts"
import { atOnce } from "./Peer.ts"

/** What is done: sagas one after the other for so long, or so many of them, many at a time. */
export type Phase =
  | { readonly _tag: "one"; readonly millis: number }
  | { readonly _tag: "many"; readonly sagas: number }
  | { readonly _tag: "close" }

/** How long it took, and each saga of it. */
export interface Took {
  readonly millis: number
  readonly latencies: ReadonlyArray<number>
}

const [name = "", url = "", directory = ""] = process.argv.slice(2)
const { open } = (await import(`./engines/${name}.ts`)) as Engine
const peer = await open({ url, directory })

const drive = async (fibers: number, goesOn: () => boolean): Promise<Took> => {
  const began = performance.now()
  const latencies: Array<number> = []
  const fiber = async () => {
    while (goesOn()) {
      const at = performance.now()
      await peer.saga()
      latencies.push(performance.now() - at)
    }
  }
  await Promise.all(Array.from({ length: fibers }, fiber))
  return { millis: performance.now() - began, latencies }
}

const obey = (phase: Phase): Promise<Took | undefined> => {
  switch (phase._tag) {
    case "one": {
      const until = performance.now() + phase.millis
      return drive(1, () => performance.now() < until)
    }
    case "many": {
      let left = phase.sagas
      return drive(peer.queues ? phase.sagas : atOnce, () => left-- > 0)
    }
    case "close":
      return peer.close().then(() => undefined)
  }
}

process.on("message", (phase: Phase) => {
  void obey(phase).then((took) => {
    process.send!({ took })
    if (phase._tag === "close") process.exit()
  })
})
process.on("disconnect", () => process.exit())
process.send!({ ready: true })
