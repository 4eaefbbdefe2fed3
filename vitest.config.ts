import { defineConfig } from "vitest/config"

const conditions = ["makegood-source"]

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/global-setup.ts"],
    // Tests start processes and a real Postgres: a process of their own each, and no more at once than two cores carry.
    pool: "forks",
    maxWorkers: 2,
    // Children that tests start with process.execArgv find the sources too.
    execArgv: conditions.map((condition) => `--conditions=${condition}`),
    // Hang guards, not assertions: no test may claim a duration.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    teardownTimeout: 20_000,
    reporters: [["default", { summary: false }]]
  }
})
