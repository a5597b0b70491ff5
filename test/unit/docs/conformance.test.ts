import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { citedTests, disagreements, rowsOf } from '../../support/conformance-table.ts';
import { testTitles } from '../../support/test-titles.ts';

const root = join(import.meta.dirname, '../../..');
const document = readFileSync(join(root, 'docs/conformance.md'), 'utf8');

/** Path below test/ → titles, of every test that Node alone can run. */
const titles = new Map(
  ['conformance', 'unit'].flatMap((folder) =>
    readdirSync(join(root, 'test', folder), { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.ts'))
      .map((path) => {
        const file = `${folder}/${path.replaceAll('\\', '/')}`;
        return [file, testTitles(readFileSync(join(root, 'test', file), 'utf8'))] as const;
      }),
  ),
);

test('docs/conformance.md names the tests that there are, and all that bear the name of a scenario', () => {
  expect(disagreements(document, titles)).toEqual([]);
  const rows = rowsOf(document);
  expect(rows.filter(({ verdict }) => verdict === 'same').length).toBeGreaterThan(15);
  expect(rows.filter(({ verdict }) => verdict === 'different').length).toBeGreaterThan(10);
  expect(citedTests(document).length).toBeGreaterThan(60);
});

describe('a disagreement is found', () => {
  const good = '| `TestA` | 1.8.6 | different | `a.test.ts` `TestA: works` | for a reason |';
  const tests = new Map([
    ['conformance/legacy/a.test.ts', ['TestA: works', 'something else']],
    ['unit/b.test.ts', ['TestB: is no scenario, it is in another folder']],
  ]);

  test('and none where there is none', () => {
    expect(disagreements(good, tests)).toEqual([]);
    expect(disagreements(`${good}\n| a rule | \`a.test.ts\` \`something else\` |`, tests)).toEqual([]);
    expect(disagreements(`${good}\n| \`TestB\`, \`TestC\` | 1.8.6 | later | | not built |`, tests)).toEqual([]);
  });

  test.each([
    [
      'a file that is gone',
      good.replace('a.test.ts', 'gone.test.ts'),
      'there is no file conformance/legacy/gone.test.ts',
    ],
    [
      'a test of another name',
      good.replace('works', 'fails'),
      'conformance/legacy/a.test.ts has no test "TestA: fails"',
    ],
    ['a scenario without a test', good.replace('TestA: works', 'something else'), 'TestA: no test bears its name'],
    ["another scenario's test", good.replace('`TestA` |', '`TestB` |'), 'TestB: names a test of TestA'],
    ['a scenario that is in no table', '', '"TestA: works" of conformance/legacy/a.test.ts is in no table'],
    ['an unknown verdict', good.replace('different', 'nearly'), 'TestA: "nearly" is no verdict'],
    ['a difference without a reason', good.replace('for a reason', ''), 'TestA: no reason is given'],
    [
      'a rule that names no test there is',
      `${good}\n| a rule | \`unit/b.test.ts\` \`gone\` |`,
      'unit/b.test.ts has no test "gone"',
    ],
  ])('%s', (_what, text, problem) => {
    expect(disagreements(text, tests)).toContain(problem);
  });

  test('by titles that run: those that are switched off, or computed, are none', () => {
    const text = `
      describe('no test', () => {
        test('one', () => {});
        test.each([['a']])('two %s', () => {});
        test.each<[string]>([['a']])("it's three", async () => {});
        test.skip('off', () => {});
        test.skipIf(true)('off', () => {});
        test.todo('off');
        test(\`\${computed}\`, () => {});
        rest('another function', () => {});
      });`;
    expect(testTitles(text)).toEqual(['one', 'two %s', "it's three"]);
  });
});
