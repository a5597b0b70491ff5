/** A test that the document names; `file` is a path below test/. */
type Citation = { readonly file: string; readonly title: string };

/** One line of a table of scenarios. */
type Row = {
  /** Names of Istio's tests. */
  readonly scenarios: readonly string[];
  readonly verdict: string;
  readonly note: string;
  readonly citations: readonly Citation[];
};

const verdicts = new Set(['same', 'different', 'later', 'not applicable']);

/** The folder of files that are named without one. */
const folder = 'conformance/legacy/';

/** The scenario that a title begins with. */
const scenarioOf = (title: string): string | undefined => /^(Test\w+): /.exec(title)?.[1];

/** The lines of all tables whose first cell holds names of Istio's tests. */
export function rowsOf(document: string): Row[] {
  return document
    .split('\n')
    .filter((line) => line.startsWith('| `Test'))
    .map((line) => {
      const cells = line.split('|').map((cell) => cell.trim());
      const [, scenarios = '', , verdict = '', tests = '', note = ''] = cells;
      const names = Array.from(scenarios.matchAll(/`(Test\w+)`/g), ([, name = '']) => name);
      return { scenarios: names, verdict, note, citations: citationsOf(tests) };
    });
}

/** All tests that the tables of a document name. */
export function citedTests(document: string): Citation[] {
  return document
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => line.split('|').flatMap((cell) => citationsOf(cell)));
}

/** The tests that a cell names: a file and titles behind it, each in backticks. */
function citationsOf(text: string): Citation[] {
  const citations: Citation[] = [];
  let file = '';
  for (const [, code = ''] of text.matchAll(/`([^`]+)`/g)) {
    if (code.endsWith('.test.ts')) file = code.includes('/') ? code : folder + code;
    else if (file !== '') citations.push({ file, title: code });
  }
  return citations;
}

/**
 * Where the document and the tests disagree; empty where they don't.
 *
 * @param titles path below test/ → titles of the tests in it.
 */
export function disagreements(document: string, titles: ReadonlyMap<string, readonly string[]>): string[] {
  const problems: string[] = [];
  const cited = new Set<string>();
  for (const { file, title } of citedTests(document)) {
    cited.add(title);
    if (!titles.has(file)) problems.push(`there is no file ${file}`);
    else if (titles.get(file)?.includes(title) !== true) problems.push(`${file} has no test "${title}"`);
  }
  for (const { scenarios, verdict, note, citations } of rowsOf(document)) {
    const name = scenarios.join(', ');
    if (!verdicts.has(verdict)) problems.push(`${name}: "${verdict}" is no verdict`);
    if (verdict !== 'same' && note === '') problems.push(`${name}: no reason is given`);
    const shown = citations.map(({ title }) => scenarioOf(title));
    for (const other of shown) {
      if (other !== undefined && !scenarios.includes(other)) problems.push(`${name}: names a test of ${other}`);
    }
    if (verdict !== 'same' && verdict !== 'different') continue;
    for (const scenario of scenarios)
      if (!shown.includes(scenario)) problems.push(`${scenario}: no test bears its name`);
  }
  for (const [file, all] of titles) {
    for (const title of all) {
      if (file.startsWith(folder) && scenarioOf(title) !== undefined && !cited.has(title)) {
        problems.push(`"${title}" of ${file} is in no table`);
      }
    }
  }
  return problems;
}
