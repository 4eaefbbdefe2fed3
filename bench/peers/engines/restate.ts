/** A workflow of `ctx.run`s on a Restate server of its own, which keeps its own log. All defaults. */
import * as restate from "@restatedev/restate-sdk"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { createServer } from "node:net"
import { join } from "node:path"
import type { Engine } from "../Peer.ts"
import { receipt, steps } from "../Peer.ts"

const saga = restate.service({
  name: "saga",
  handlers: {
    run: async (ctx: restate.Context) => {
      for (let step = 0; step < steps; step++) await ctx.run(`act-${step}`, () => receipt)
    }
  }
})

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as { readonly port: number }
  server.close()
  await once(server, "close")
  return port
}

const post = async (url: string, body: unknown) => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body)
  })
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`)
  return response.text()
}

export const open: Engine["open"] = async ({ directory }) => {
  const [node, admin, ingress, service] = [await freePort(), await freePort(), await freePort(), await freePort()]
  // Printing a line a saga would be measured too.
  await restate.serve({ services: [saga], port: service, logger: () => {} })
  const binary = join(import.meta.dirname, "..", "node_modules", ".bin", "restate-server")
  const server = spawn(binary, ["--base-dir", directory, "--no-logo", "--listen-mode", "tcp"], {
    env: {
      ...process.env,
      RESTATE_BIND_PORT: String(node),
      RESTATE_ADMIN__BIND_PORT: String(admin),
      RESTATE_INGRESS__BIND_PORT: String(ingress),
      RESTATE_LOG_FILTER: "error",
      DO_NOT_TRACK: "1"
    },
    stdio: "ignore"
  })
  const deployed = async () => {
    for (let attempt = 0; attempt < 300; attempt++) {
      try {
        return await post(`http://127.0.0.1:${admin}/deployments`, { uri: `http://127.0.0.1:${service}` })
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
    throw new Error("the Restate server did not come up within a minute")
  }
  await deployed()
  return {
    // A handler without a parameter is called without a body.
    saga: () =>
      fetch(`http://127.0.0.1:${ingress}/saga/run`, { method: "POST" }).then(async (response) => {
        if (!response.ok) throw new Error(await response.text())
      }),
    queues: false,
    close: async () => {
      server.kill("SIGTERM")
      await once(server, "exit")
    }
  }
}
