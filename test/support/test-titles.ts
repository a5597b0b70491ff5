import ts from 'typescript';

/** Parts of a call that keep a test from running. */
const off = new Set(['skip', 'skipIf', 'runIf', 'todo', 'fails']);

/**
 * Titles of the tests in a source text, as they are written there, placeholders and all. Tests that are switched off are
 * left out, as are titles that are computed.
 */
export function testTitles(text: string): string[] {
  const titles: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && isTest(node.expression)) {
      const [title] = node.arguments;
      if (title !== undefined && ts.isStringLiteralLike(title)) titles.push(title.text);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('a.test.ts', text, ts.ScriptTarget.Latest));
  return titles;
}

/** True for `test`, `test.each`, `test.each(table)` and the like. */
function isTest(callee: ts.Expression): boolean {
  if (ts.isIdentifier(callee)) return callee.text === 'test';
  if (ts.isCallExpression(callee)) return isTest(callee.expression);
  return ts.isPropertyAccessExpression(callee) && !off.has(callee.name.text) && isTest(callee.expression);
}
