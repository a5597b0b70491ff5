import { describe, expect, test } from 'vitest';
import { oneLine, table } from '../../../src/cli/terminal.ts';

describe('a table', () => {
  test('stands in columns, without blanks at the ends of lines', () => {
    expect(
      table(
        ['KIND', 'NAME'],
        [
          ['ServiceEntry', 'a'],
          ['Sidecar', ''],
        ],
      ).split('\n'),
    ).toEqual(['KIND          NAME', 'ServiceEntry  a', 'Sidecar']);
  });

  test('without rows is its head', () => {
    expect(table(['KIND', 'NAME'], [])).toBe('KIND  NAME');
  });

  test('has one line per row, whatever is in it', () => {
    expect(table(['A'], [['x\ny\r\u001b[31m'], ['z']]).split('\n')).toEqual(['A', 'x y  [31m', 'z']);
  });
});

test.each([
  ['plain', 'plain'],
  ['a\tb\nc', 'a b c'],
  ['\u001b]0;title\u0007', ' ]0;title '],
  ['\u009b2J', ' 2J'],
  ['größe 你好 🙂', 'größe 你好 🙂'],
])('%j on one line', (text, expected) => {
  expect(oneLine(text)).toBe(expected);
});
