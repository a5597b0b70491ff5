import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { thrownBy } from '../../support/thrown.ts';

const text = `
sources:
- { name: one, address: "mcp://one:1" }
- { name: two, address: "mcp://two:2" }
xds: { listen: 127.0.0.1:1, minGap: 2s }
debounce: { after: 20ms, max: 2s }
`;

function load(flags: ConfigInput) {
  return loadConfig(join(tempFolder({ 'i.yaml': text }), 'i.yaml'), flags);
}

test('a flag wins over the file, and leaves its neighbours alone', () => {
  const config = load({ xds: { listen: '127.0.0.1:9' }, debounce: { max: '3s' } });
  expect(config.xds).toEqual({
    listen: { host: '127.0.0.1', port: 9 },
    minGap: 2000,
    recycle: 600_000,
    allowedPeers: [],
  });
  expect(config.debounce).toEqual({ after: 20, max: 3000 });
});

test('sources of flags replace those of the file', () => {
  const { sources } = load({ sources: [{ name: 'three', address: 'mcp://three:3' }] });
  expect(sources.map(({ name }) => name)).toEqual(['three']);
});

test('without flags the file is in force', () => {
  expect(load({}).sources.map(({ name }) => name)).toEqual(['one', 'two']);
});

describe('what is wrong with a flag is said of the flag, with a file and without', () => {
  const loaders: [string, (flags: ConfigInput) => unknown][] = [
    ['with', load],
    ['without', (flags) => loadConfig(undefined, flags)],
  ];
  test.each(loaders)('%s', (_what, loader) => {
    const errors = [
      thrownBy(() => loader({ xds: { listen: 'here' } })),
      thrownBy(() => loader({ sources: [{ name: 'one', address: 'one:1' }] })),
      thrownBy(() => loader({ stateDir: '' })),
      thrownBy(() =>
        loader({
          sources: [
            { name: 'a', address: 'mcp://a:1' },
            { name: 'a', address: 'mcp://b:1' },
          ],
        }),
      ),
      thrownBy(() => loader({ guard: { minRemoved: Number.NaN } })),
      thrownBy(() => loader({ debounce: { after: '9s', max: '1s' } })),
    ];
    expect(errors.map(({ code, exitCode }) => [code, exitCode])).toEqual(errors.map(() => ['USAGE', 2]));
    expect(errors.map(({ message }) => message)).toEqual([
      '--xds-listen: "here" is no HOST:PORT; write for example 127.0.0.1:15410',
      '--source: "one:1" is no source address; write for example mcp://galley.istio-system:9901',
      expect.stringMatching(/^--state-dir: /),
      '--source: "a" is used twice',
      '--guard-min-removed: a whole number of resources is expected; write for example 20',
      '--debounce-after: is longer than debounce.max',
    ]);
  });
});

test('several wrong flags are named together', () => {
  const error = thrownBy(() => loadConfig(undefined, { xds: { listen: 'here' }, admin: { listen: 'there' } }));
  expect(error.message).toMatch(/--xds-listen: "here".*\n?.*--admin-listen: "there"/);
});

test('with a mistake in the file as well, both are named, the one in the file with its place', () => {
  const file = join(tempFolder({ 'i.yaml': 'log: { level: loud }\n' }), 'i.yaml');
  const error = thrownBy(() => loadConfig(file, { xds: { listen: 'here' } }));
  expect(error.code).toBe('CONFIG_INVALID');
  expect(error.message).toContain(`${file}:1:15: log.level: `);
  expect(error.message).toContain('  --xds-listen: "here" is no HOST:PORT');
});

test('a flag that makes a setting of the file wrong: the place in the file is named', () => {
  const error = thrownBy(() => load({ debounce: { max: '1ms' } }));
  expect(error.message).toMatch(/i\.yaml:6:20: debounce\.after: is longer than debounce\.max$/);
});
