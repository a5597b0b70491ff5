import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const folder = join(import.meta.dirname, '..');

test('what puts another module in the place of one is in a *.mocks.test.ts: all other unit tests share theirs', () => {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts'));
  const mocking = paths.filter((path) => /^vi\.(?:mock|doMock)\(/m.test(readFileSync(join(folder, path), 'utf8')));
  expect(mocking.length).toBeGreaterThan(5);
  expect(paths.filter((path) => path.endsWith('.mocks.test.ts')).toSorted()).toEqual(mocking.toSorted());
});
