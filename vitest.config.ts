import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const mocks = 'test/unit/**/*.mocks.test.ts';

export default defineConfig({
  test: {
    // Who waits for processes and times leaves a third of a core idle: one file more at a time than there are cores.
    maxWorkers: availableParallelism() + 1,
    projects: [
      // Modules are loaded once for all files of a process: that is a third of what they cost.
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts'],
          exclude: [mocks],
          testTimeout: 120_000,
          isolate: false,
        },
      },
      // Who puts another module in the place of one has them all for itself.
      { test: { name: 'unit-mocks', include: [mocks], testTimeout: 120_000 } },
      {
        test: {
          name: 'conformance',
          include: ['test/conformance/**/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'peers',
          include: ['test/peers/**/*.test.ts'],
          globalSetup: ['test/peers/setup.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        test: {
          name: 'long',
          include: ['test/long/**/*.test.ts'],
          globalSetup: ['test/peers/setup.ts'],
          testTimeout: 2 * 60 * 60_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
