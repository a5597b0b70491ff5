import { validationCases } from './all.ts';
import type { ValidationCase } from './case.ts';

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('*', '\\*');

/** One row of docs/validation-missed.md for each case that an istiod refuses, and in which our rules find nothing. */
export function missedRows(cases: readonly ValidationCase[] = validationCases): string[] {
  return cases
    .filter(({ finds, refusedBy }) => finds.length === 0 && refusedBy.length > 0)
    .map(
      ({ kind, title, refusedBy, why = '' }) => `| ${kind} | ${cell(title)} | ${refusedBy.join(', ')} | ${cell(why)} |`,
    );
}

/** The page docs/validation-missed.md. */
export function missedPage(): string {
  return [
    '# What Isthmus does not find',
    '',
    'Resources that istiod 1.16.5 or 1.24.0 refuses and in which [the rules](validation.md) of Isthmus find nothing: those that',
    'another istiod takes, and some that would need Go, or Envoy, to be told. They cost no more than without any rules: istiod',
    'refuses the resource itself, alone.',
    '',
    'Written from the cases in `test/support/validation` (`UPDATE_GOLDEN=1 npx vitest run test/unit/docs`);',
    '`test/peers/faults-validation.test.ts` brings each of them through Isthmus to both istiods and compares. Resources changed at',
    'random (`test/peers/validation.test.ts`) find more of the same sort, so the list is not all that there is.',
    '',
    '| kind | resource | refused by | why Isthmus finds nothing |',
    '|---|---|---|---|',
    ...missedRows(),
    '',
  ].join('\n');
}
