import { describe, expect, test } from 'vitest';
import { seedOf } from '../support/istiod/random.ts';
import { fuzzParsers } from '../support/fuzz/run-parsers.ts';
import { fuzzServer } from '../support/fuzz/run-servers.ts';
import { fuzzSources } from '../support/fuzz/run-sources.ts';
import { fuzzServers } from '../support/fuzz/servers.ts';

/** Minutes in all: a third of them for the parsers, for the servers, and for a bridge among hostile sources. */
const minutes = Number(process.env['ISTHMUS_FUZZ_MINUTES'] ?? 10);
const thirdMs = (minutes * 60_000) / 3;
const seed = seedOf();

/** What a server may have more of at the end. */
const growthBytes = 64 << 20;

function lasting(ms: number): () => boolean {
  const endsAt = performance.now() + ms;
  return () => performance.now() < endsAt;
}

test(`a third of ${minutes} minutes on every parser (ISTHMUS_SEED=${seed})`, async () => {
  const { failures, counts } = await fuzzParsers(seed, lasting(thirdMs));
  process.stderr.write(`fuzz: ${counts.reduce((sum, { inputs }) => sum + inputs, 0)} inputs, ISTHMUS_SEED=${seed}\n`);
  expect(failures).toEqual([]);
  expect(counts.every(({ inputs }) => inputs > 0)).toBe(true);
});

describe(`a third of ${minutes} minutes on every server (ISTHMUS_SEED=${seed})`, () => {
  test.each(fuzzServers.map((start, index) => ({ start, index })))('number $index', async ({ start, index }) => {
    const share = thirdMs / fuzzServers.length;
    const report = await fuzzServer(await start(), seed + index, lasting(share), true);
    process.stderr.write(`fuzz: ${JSON.stringify(report)}\n`);
    expect(report.attacks).toBeGreaterThan(0);
    expect(report.memory.after - report.memory.before, JSON.stringify(report)).toBeLessThan(growthBytes);
  });
});

test(`a third of ${minutes} minutes among hostile sources (ISTHMUS_SEED=${seed})`, async () => {
  const goOn = lasting(thirdMs);
  const report = await fuzzSources(seed, () => goOn());
  process.stderr.write(`fuzz: ${JSON.stringify(report)}\n`);
  expect(report.calls).toBeGreaterThan(0);
  expect(report.memory.after - report.memory.before, JSON.stringify(report)).toBeLessThan(growthBytes);
});
