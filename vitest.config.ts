import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/services.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: 'forks',
    // Many tests wait for servers and clocks: a file more than there are cores keeps the cores busy.
    maxWorkers: availableParallelism() + 1,
    // The gate judges the product, not how busy a machine was: it asks a second time, and names whom it had to ask.
    retry: process.env['DARKROOM_TEST_STRICT'] ? 1 : 0,
  },
});
