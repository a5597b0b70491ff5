import { describe, expect, test } from 'vitest';
import { levelsText, LogLevels, parseLogLevels } from '../../../src/model/log-levels.ts';
import { logComponents } from '../../../src/model/logger.ts';

test.each([
  ['info', { level: 'info', components: {} }, 'info'],
  [
    'warn,sources=debug, legacy-output=error',
    { level: 'warn', components: { sources: 'debug', 'legacy-output': 'error' } },
    'warn,sources=debug,legacy-output=error',
  ],
  ['xds=debug', { level: 'info', components: { xds: 'debug' } }, 'info,xds=debug'],
  ['xds=debug,error', { level: 'error', components: { xds: 'debug' } }, 'error,xds=debug'],
])('%s', (text, settings, written) => {
  expect(parseLogLevels(text)).toEqual(settings);
  expect(levelsText(parseLogLevels(text) as Exclude<ReturnType<typeof parseLogLevels>, string>)).toBe(written);
});

describe('is no level', () => {
  test.each([
    ['', '"" is no level'],
    ['loud', '"loud" is no level'],
    ['info,', '"" is no level'],
    ['info,debug', 'two levels'],
    ['source=debug', `"source" is no component; known: ${Object.keys(logComponents).join(', ')}`],
    ['=debug', '"" is no component'],
    ['sources=', '"sources=" is no level'],
    ['sources=info,sources=debug', 'named twice'],
    ['toString=info', '"toString" is no component'],
  ])('%j', (text, why) => {
    expect(parseLogLevels(text)).toContain(why);
  });
});

test('a component has its own level, or that of all', () => {
  const levels = new LogLevels({ level: 'warn', components: { xds: 'debug' } });
  const allowed = (component: 'xds' | 'sources') =>
    (['debug', 'info', 'warn', 'error'] as const).filter((level) => levels.allows(component, level));
  expect([allowed('xds'), allowed('sources')]).toEqual([
    ['debug', 'info', 'warn', 'error'],
    ['warn', 'error'],
  ]);
  levels.set('error');
  levels.set('info', 'sources');
  expect([allowed('xds'), allowed('sources')]).toEqual([
    ['debug', 'info', 'warn', 'error'],
    ['info', 'warn', 'error'],
  ]);
  levels.replace({ level: 'info', components: {} });
  expect(levels.settings).toEqual({ level: 'info', components: {} });
});
