import pc from 'picocolors';
import { describe, expect, test } from 'vitest';
import { textOf } from '../../../src/observe/log-text.ts';

const plain = pc.createColors(false);

const line = (fields: object) =>
  JSON.stringify({ level: 40, time: '2026-11-26T17:05:42.123Z', component: 'xds', ...fields });

test('time, level, component, sentence, fields; below it what is to be done', () => {
  const fields = {
    node: 'istiod-1',
    bytes: 12,
    sources: ['a', 'b'],
    details: 'no way',
    hint: 'mend it',
    msg: 'refused',
  };
  expect(textOf(line(fields), plain)).toBe(
    '17:05:42.123 warn  xds           refused node=istiod-1 bytes=12 sources=a,b details="no way"\n' +
      '             → mend it\n',
  );
});

test('an error has its stack below', () => {
  const text = textOf(
    line({ err: { type: 'Error', message: 'no', stack: 'Error: no\n    at x.ts:1' }, msg: 'm' }),
    plain,
  );
  expect(text.split('\n')).toEqual([
    '17:05:42.123 warn  xds           m',
    '             Error: no',
    '                 at x.ts:1',
    '',
  ]);
});

test('the level has a colour', () => {
  const colors = pc.createColors(true);
  expect(textOf(line({ msg: 'm' }), colors)).toContain(colors.yellow('warn '));
  expect(textOf(line({ level: 50, msg: 'm' }), colors)).toContain(colors.red('error'));
});

describe('what peers say commands no terminal, and makes no second line', () => {
  const hostile = 'a\u001b[2J\u009b31m\u0007\r\n17:00:00 error forged\u202egnp.exe\u2028x';
  test.each(['msg', 'hint', 'peer', 'component', 'time'])('as %s', (field) => {
    const text = textOf(line({ msg: 'm', [field]: hostile }), plain);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
    expect(text.trimEnd().split('\n').length).toBe(field === 'hint' ? 2 : 1);
  });

  test('as the name of a field, within a list, and in a stack', () => {
    const text = textOf(line({ msg: 'm', [hostile]: [hostile], err: { stack: hostile } }), plain);
    expect(text.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u2028\u202e]/u);
    expect(text).toContain('\\u001b[2J');
  });
});
