import { describe, expect, test } from 'vitest';
import { addressProblem } from '../../../src/admin/findings/addresses.ts';
import { countOf, sizeText } from '../../../src/model/texts.ts';
import { type Readers, readersOf, sizeFindings } from '../../../src/cli/check-limits.ts';

const mib = 2 ** 20;

function codesOf(kind: string, resources: number, bytes: number, readers: Readers): string[] {
  return sizeFindings('a', [{ kind, resources, bytes }], readers).map(({ severity, code }) => `${severity} ${code}`);
}

describe('4 MiB, which istiod up to 1.11 takes', () => {
  test.each<[number, Readers, string[]]>([
    [3.1 * mib, 'unknown', []],
    [3.3 * mib, 'unknown', ['warning NEARLY_TOO_LARGE']],
    [4 * mib, 'unknown', ['warning NEARLY_TOO_LARGE']],
    [4 * mib + 1, 'unknown', ['warning TOO_LARGE']],
    [3.3 * mib, 'old', ['warning NEARLY_TOO_LARGE']],
    [4 * mib + 1, 'old', ['error TOO_LARGE']],
    [4 * mib + 1, 'new', []],
    [1700 * mib, 'new', ['warning NEARLY_TOO_LARGE']],
    [2048 * mib, 'new', ['error TOO_LARGE']],
  ])('%i bytes where istiods are %s: %j', (bytes, readers, expected) => {
    expect(codesOf('Gateway', 9, bytes, readers)).toEqual(['ok SIZE', ...expected]);
  });
});

test('virtual addresses are counted against ServiceEntries alone', () => {
  expect(codesOf('ServiceEntry', 50_000, 1, 'new')).toEqual(['ok SIZE']);
  expect(codesOf('ServiceEntry', 60_000, 1, 'new')).toEqual(['ok SIZE', 'warning NEARLY_TOO_MANY']);
  expect(codesOf('ServiceEntry', 65_025, 1, 'new')).toEqual(['ok SIZE', 'warning TOO_MANY']);
  expect(codesOf('WorkloadEntry', 65_025, 1, 'new')).toEqual(['ok SIZE']);
});

test('virtual addresses are counted by the hosts that want one, where somebody has counted those', () => {
  const codes = (unaddressedHosts: number | null) =>
    sizeFindings('a', [{ kind: 'ServiceEntry', resources: 70_000, bytes: 1, unaddressedHosts }], 'new').map(
      ({ code }) => code,
    );
  expect(codes(null)).toEqual(['SIZE', 'TOO_MANY']);
  expect(codes(0)).toEqual(['SIZE']);
  expect(codes(52_019)).toEqual(['SIZE']);
  expect(codes(52_020)).toEqual(['SIZE', 'NEARLY_TOO_MANY']);
  expect(codes(65_024)).toEqual(['SIZE', 'NEARLY_TOO_MANY']);
  expect(codes(65_025)).toEqual(['SIZE', 'TOO_MANY']);
  expect([null, 0, 52_019].map(addressProblem)).toEqual([undefined, undefined, undefined]);
  expect(addressProblem(52_020)).toMatch(/^52,020 hosts .* 65,024$/);
});

test('a kind with nothing in it is not worth a line', () => {
  expect(codesOf('ServiceEntry', 0, 0, 'old')).toEqual([]);
});

test.each<[string | undefined, string[] | undefined, Readers]>([
  ['1.11', undefined, 'old'],
  ['1.9.9', ['1.12-and-newer'], 'old'],
  ['1.24.0', ['up-to-1.11'], 'new'],
  [undefined, ['1.12-and-newer', 'up-to-1.11'], 'old'],
  [undefined, ['1.12-and-newer'], 'new'],
  [undefined, ['1.12-and-newer', 'unknown'], 'unknown'],
  [undefined, [], 'unknown'],
  [undefined, undefined, 'unknown'],
])('version %s and streams %j are %s', (version, profiles, expected) => {
  expect(readersOf(version, profiles)).toBe(expected);
});

test('sizes and counts as people read them', () => {
  expect([0, 1023, 1024, 1536, 20.6 * mib, 3 * 2 ** 30, 5000 * 2 ** 30].map(sizeText)).toEqual([
    '0 B',
    '1023 B',
    '1.0 KiB',
    '1.5 KiB',
    '20.6 MiB',
    '3.0 GiB',
    '5000.0 GiB',
  ]);
  expect([countOf(0, 'source'), countOf(1, 'source'), countOf(2, 'source')]).toEqual([
    '0 sources',
    '1 source',
    '2 sources',
  ]);
});
