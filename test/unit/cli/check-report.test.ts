import { parse } from 'yaml';
import { describe, expect, test } from 'vitest';
import { about, exitCodeOf, type Finding } from '../../../src/cli/check-findings.ts';
import { exportFindings, renderFindings } from '../../../src/cli/check-report.ts';
import { wrap } from '../../../src/cli/terminal.ts';

const { ok, warning, error } = about('source galley');
const findings: Finding[] = [
  ok('RESOLVED', 'galley is 10.0.0.1'),
  about('this host').ok('LISTEN_FREE', '127.0.0.1:15410 (xDS) can be listened on'),
  error('UNREACHABLE', 'nobody listens there', 'start the server'),
];

describe('for people', () => {
  test('stands by subject, with what to do below', () => {
    expect(renderFindings(findings, 80).split('\n')).toEqual([
      'source galley',
      '  ok       galley is 10.0.0.1',
      '  error    nobody listens there [UNREACHABLE]',
      '           → start the server',
      '',
      'this host',
      '  ok       127.0.0.1:15410 (xDS) can be listened on',
      '',
      '1 error',
    ]);
  });

  test('keeps within a narrow terminal, and breaks no word', () => {
    const lines = renderFindings([error('SILENT', 'it takes connections and says nothing', 'see its log')], 32).split(
      '\n',
    );
    expect(lines).toEqual([
      'source galley',
      '  error    it takes connections',
      '           and says nothing',
      '           [SILENT]',
      '           → see its log',
      '',
      '1 error',
    ]);
    expect(wrap('a https://example.com/a-long-address b', 10)).toEqual([
      'a',
      'https://example.com/a-long-address',
      'b',
    ]);
  });

  test('has no text from elsewhere that commands the terminal', () => {
    const text = renderFindings([about('a\u001b[2J').error('SILENT', 'b\u0007\n', 'c\r')], 80);
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
  });

  test('counts what is wrong; otherwise all is well', () => {
    const two = [warning('NO_SOURCES', 'a', 'b'), warning('NO_SOURCES', 'a', 'b'), error('SILENT', 'a', 'b')];
    expect(renderFindings(two, 80).split('\n').at(-1)).toBe('1 error, 2 warnings');
    expect(
      renderFindings([ok('RESOLVED', 'a')], 80)
        .split('\n')
        .at(-1),
    ).toBe('all is well');
  });

  test('does not call well what was not looked at', () => {
    const found = [ok('RESOLVED', 'a'), about('not looked at').info('SERVICE_UNKNOWN', 'b')];
    expect(renderFindings(found, 80)).toMatch(/\n\nnothing wrong was found, and not all was looked at$/);
  });

  test('gives an advice that holds for several findings once, below the last of them', () => {
    const mistakes = [error('CONFIG_INVALID', 'a', 'mend it'), error('CONFIG_INVALID', 'b', 'mend it')];
    expect(renderFindings(mistakes, 80).split('\n').slice(1, 4)).toEqual([
      '  error    a [CONFIG_INVALID]',
      '  error    b [CONFIG_INVALID]',
      '           → mend it',
    ]);
  });
});

test('for programs, JSON and YAML say the same', () => {
  const json: unknown = JSON.parse(exportFindings(findings, 'json'));
  expect(json).toEqual({ summary: { ok: 2, info: 0, warning: 0, error: 1 }, findings });
  expect(parse(exportFindings(findings, 'yaml'))).toEqual(json);
});

test.each<[number, Finding[]]>([
  [0, [ok('RESOLVED', 'a'), about('a').info('STATE_OFF', 'b')]],
  [1, [ok('RESOLVED', 'a'), warning('NO_SOURCES', 'a', 'b')]],
  [1, [error('UNREACHABLE', 'a', 'b')]],
  [2, [error('CONFIG_INVALID', 'a', 'b')]],
  [3, [error('BRIDGE_UNREACHABLE', 'a', 'b'), error('UNREACHABLE', 'a', 'b')]],
  [3, [about('xds://a:1').error('UNREACHABLE', 'a', 'b')]],
  [3, [about('xds://a:1').error('UNRESOLVED', 'a', 'b')]],
  [3, [about('xds://a:1').error('SILENT', 'a', 'b')]],
  [1, [about('xds://a:1').error('WRONG_PROTOCOL', 'a', 'b')]],
])('exit code %i', (code, found) => {
  expect(exitCodeOf(found)).toBe(code);
});
