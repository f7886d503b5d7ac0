import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // oclif's captureOutput replaces process.stdout.write; vitest's own interception would hide it.
    disableConsoleIntercept: true,
    testTimeout: 60_000,
    maxWorkers: '100%',
    unstubEnvs: true,
  },
})
