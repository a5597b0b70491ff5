import { describe, expect, test } from 'vitest';
import { heapBytes } from '../support/fuzz/heap.ts';
import { parserTargets } from '../support/fuzz/parsers.ts';
import { fuzzParsers } from '../support/fuzz/run-parsers.ts';
import { fuzzServer } from '../support/fuzz/run-servers.ts';
import { fuzzSources } from '../support/fuzz/run-sources.ts';
import { fuzzServers } from '../support/fuzz/servers.ts';

/** The same inputs every time; ISTHMUS_SEED makes others. test/long/fuzz.test.ts goes on with random ones. */
const seed = Number(process.env['ISTHMUS_SEED'] ?? 20_261_126);

/** Inputs of each parser, rounds on each server, and calls to hostile sources: about 30 seconds in all. */
const inputs = 500;
const rounds = 10;
const calls = 500;

/** What may be more at the end; a leak of a message for each input would be more. */
const growthBytes = 64 << 20;

test(`no parser throws what it may not, or hangs (ISTHMUS_SEED=${seed})`, async () => {
  await fuzzParsers(seed, (round) => round < inputs / 10);
  const before = heapBytes();
  const { failures, counts } = await fuzzParsers(seed, (round) => round < inputs);
  expect(failures).toEqual([]);
  expect(counts.map(({ inputs: given }) => given)).toEqual(parserTargets.map(() => inputs));
  // Who refuses everything, or nothing, has not seen what is between.
  const isMixed = counts.filter(({ refused }) => refused > inputs / 20 && refused < (inputs * 19) / 20);
  expect(isMixed.length, JSON.stringify(counts)).toBeGreaterThan(parserTargets.length / 2);
  expect(heapBytes() - before).toBeLessThan(growthBytes);
}, 240_000);

describe(`servers under attack (ISTHMUS_SEED=${seed})`, () => {
  test.each(fuzzServers.map((start, index) => ({ start, index })))(
    'number $index serves a good peer all along, and nothing stays of the bad ones',
    async ({ start, index }) => {
      const { attacks, memory } = await fuzzServer(await start(), seed + index, (round) => round < rounds, false);
      expect(attacks).toBe(12 * rounds);
      expect(memory.after - memory.before, JSON.stringify(memory)).toBeLessThan(growthBytes);
    },
    240_000,
  );
});

test(`sources that answer with anything cost a bridge nothing else (ISTHMUS_SEED=${seed})`, async () => {
  const report = await fuzzSources(seed, (soFar) => soFar < calls);
  expect(report.calls).toBeGreaterThanOrEqual(calls);
  expect(report.memory.after - report.memory.before, JSON.stringify(report)).toBeLessThan(growthBytes);
}, 240_000);
