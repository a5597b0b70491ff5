import { describe, expect, test } from 'vitest';
import { parseSource } from '../../../src/cli/config-flags.ts';
import { profileNames } from '../../../src/legacy/source-profile.ts';
import { thrownBy } from '../../support/thrown.ts';

describe('--source', () => {
  test.each([
    ['galley=mcp://127.0.0.1:9901', { name: 'galley', address: 'mcp://127.0.0.1:9901' }],
    ['a=mcp://[::1]:9901/', { name: 'a', address: 'mcp://[::1]:9901/' }],
    ['a=mcp://h:1?', { name: 'a', address: 'mcp://h:1' }],
    ['a=mcp://h:1?profile=nacos-3', { name: 'a', address: 'mcp://h:1', profile: 'nacos-3' }],
    [
      'a=mcp://h:1?profile=auto&collections=x',
      { name: 'a', address: 'mcp://h:1', profile: 'auto', collections: ['x'] },
    ],
    ['a=mcp://h:1?collections=x', { name: 'a', address: 'mcp://h:1', collections: ['x'] }],
    ['a=mcp://h:1?collections=x,%20y', { name: 'a', address: 'mcp://h:1', collections: ['x', 'y'] }],
    ['a=mcp://h:1?collections=x&collections=y', { name: 'a', address: 'mcp://h:1', collections: ['x', 'y'] }],
  ])('%s', (text, source) => {
    expect(parseSource(text)).toEqual(source);
  });

  test.each([
    ['', 'is no NAME=mcp://HOST:PORT'],
    ['mcp://127.0.0.1:9901', 'is no NAME=mcp://HOST:PORT'],
    ['mcp://127.0.0.1:9901?collections=x', 'is no NAME=mcp://HOST:PORT'],
    ['=mcp://127.0.0.1:9901', 'is no NAME=mcp://HOST:PORT'],
    ['galley=', 'is no NAME=mcp://HOST:PORT'],
    ['a=mcp://h:1?profil=x', 'has an unknown parameter "profil"; known: profile, collections'],
    ['a=mcp://h:1?profile=consul', `has an unknown profile "consul"; known: auto, ${profileNames.join(', ')}`],
    ['a=mcp://h:1?profile=toString', `has an unknown profile "toString"; known: auto, ${profileNames.join(', ')}`],
  ])('"%s" is refused', (text, why) => {
    const error = thrownBy(() => parseSource(text));
    expect([error.exitCode, error.message]).toEqual([2, `--source: "${text}" ${why}`]);
    expect(error.hint).toContain('galley=mcp://127.0.0.1:9901');
  });
});
