import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { allChecks } from '../../../../migrate/checks/all.ts';
import { autoAddresses } from '../../../../migrate/checks/auto-addresses.ts';
import { type Check, runChecks } from '../../../../migrate/checks/check.ts';
import { readingCodes } from '../../../../migrate/checks/reading.ts';
import { serviceEntryId, kindOfId } from '../../../../src/model/kinds.ts';
import { scanTexts } from '../../../support/migrate/check-cases.ts';

const root = join(import.meta.dirname, '../../../..');

test('every check has a file of its own, is in the list, and has tests of what it finds and passes', () => {
  const helpers = ['all', 'check', 'faults', 'legacy-address', 'reading'];
  const files = readdirSync(join(root, 'migrate/checks')).map((file) => file.replace(/\.ts$/, ''));
  const expected = allChecks.map(({ code }) => code.toLowerCase().replaceAll('_', '-'));
  expect(files.filter((file) => !helpers.includes(file)).sort()).toEqual(expected.toSorted());
  const tests = readdirSync(import.meta.dirname).map((file) => readFileSync(join(import.meta.dirname, file), 'utf8'));
  const tested = tests.flatMap((text) =>
    Array.from(text.matchAll(/testCheck\((\w+), \{\n {2}finds:/g), ([, name]) => name),
  );
  expect(
    tested.map((name = '') => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)).toSorted(),
  ).toEqual(expected.toSorted());
});

test('codes are unique and stable words', () => {
  const codes = [...readingCodes, ...allChecks].map(({ code }) => code);
  expect(new Set(codes).size).toBe(codes.length);
  for (const code of codes) expect(code).toMatch(/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/);
});

test('a check that is not applicable is not run, and one of whose versions none is the target’s finds nothing', () => {
  const found = { at: { file: 'a', line: 1, column: 1 }, message: 'm' };
  const check: Check = {
    code: 'TEST',
    severities: ['warning', 'error'],
    finds: '',
    left: [
      { from: 9, to: 11, what: 'old' },
      { from: 12, what: 'new' },
    ],
    fix: 'mend it',
    source: '',
    applicable: () => true,
    run: () => [found, { ...found, severity: 'error', fix: 'otherwise', left: [{ from: 9, to: 9, what: 'x' }] }],
  };
  const at = (target?: string) => scanTexts({ in: 'trustDomain: x\n', ...(target === undefined ? {} : { target }) });
  expect(runChecks([check], at()).map(({ severity, fix, left }) => [severity, fix, left.length])).toEqual([
    ['warning', 'mend it', 2],
    ['error', 'otherwise', 1],
  ]);
  expect(runChecks([check], at('1.24.1'))).toEqual([
    {
      code: 'TEST',
      severity: 'warning',
      file: 'a',
      line: 1,
      column: 1,
      message: 'm',
      fix: 'mend it',
      left: [check.left[1]],
    },
  ]);
  expect(runChecks([check], at('1.8.6'))).toEqual([]);
  expect(runChecks([{ ...check, applicable: () => false }], at())).toEqual([]);
});

test('more ServiceEntries than there are automatic addresses are an error, nearly as many a warning', () => {
  const scanned = scanTexts({ in: 'trustDomain: x\n', target: '1.24' });
  const kind = kindOfId(serviceEntryId);
  const at = { file: 'dump.yaml', line: 1, column: 1 };
  const resource = (index: number) => ({
    object: {
      file: 'dump.yaml',
      json: { spec: { hosts: [`s${index}.x`], resolution: 'DNS' } },
      at: () => at,
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      namespace: 'default',
      name: `s${index}`,
      labels: {},
      annotations: {},
    },
    key: `default/s${index}`,
    kind,
    collection: kind?.collection,
    at: { ...at, line: index + 1 },
    faults: [],
    bytes: 200,
  });
  const all = Array.from({ length: 65_025 }, (_, index) => resource(index));
  const look = (count: number) =>
    runChecks([autoAddresses], { ...scanned, resources: all.slice(0, 1000), behind: all.slice(1000, count) }).map(
      ({ severity, line, message }) => `${severity} ${line}: ${message}`,
    );
  expect(look(65_025)).toEqual(['error 65025: 65,025 ServiceEntries want an automatic address; istiod has 65,024']);
  expect(look(52_000)).toEqual(['warning 52000: 52,000 ServiceEntries want an automatic address; istiod has 65,024']);
  expect(look(51_999)).toEqual([]);
});
