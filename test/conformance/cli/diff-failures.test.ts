import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Bridge, startSource } from '../../support/bridge.ts';
import { failure } from '../../support/cli.ts';
import { silentView, viewOf } from '../../support/legacy-states.ts';
import { occupyPort } from '../../support/listeners.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const service = (name: string) =>
  `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: { name: ${name} }\nspec: { hosts: [a] }\n`;

describe('one that does not answer is exit code 3, and no difference', () => {
  test.each(['xds', 'http', 'mcp'])('because nobody is there: %s://', async (scheme) => {
    const address = `${scheme}://127.0.0.1:1`;
    const { code, stderr } = await failure('diff', tempFolder({ 'a.yaml': service('a') }), address, '--direct');
    expect([code, stderr]).toEqual([3, expect.stringContaining('127.0.0.1:1')]);
    expect(stderr).not.toMatch(/^ +at /m);
  });

  test('because nothing comes', async () => {
    const silent = `xds://127.0.0.1:${await occupyPort()}`;
    const { code, stderr } = await failure('diff', tempFolder({ 'a.yaml': service('a') }), silent, '--timeout', '1');
    expect([code, stderr]).toEqual([3, expect.stringContaining(`${silent}: it has said nothing at all`)]);
  });

  test.each(['xds', 'http'])('because a source has not spoken yet: %s://', async (scheme) => {
    const bridge = await Bridge.start({ late: silentView() });
    const address = `${scheme}://127.0.0.1:${scheme === 'xds' ? bridge.ports.xds : bridge.ports.admin}`;
    const { code, stderr } = await failure('diff', address, tempFolder({ 'a.yaml': service('a') }), '--timeout', '5');
    expect([code, stderr]).toEqual([3, expect.stringContaining('it has said nothing of ServiceEntry')]);
    expect(stderr).toContain('isthmus status');
  });

  test('because it speaks something else', async () => {
    const legacy = (await startSource(viewOf({}))).address.replace('mcp:', 'xds:');
    const { code, stderr } = await failure('diff', legacy, tempFolder({ 'a.yaml': service('a') }));
    expect([code, stderr]).toEqual([3, expect.stringContaining('does not speak MCP-over-xDS')]);
  });
});

test('a legacy server is asked with --direct only', async () => {
  const { address, server } = await startSource(viewOf({}));
  const { code, stderr } = await failure('diff', address, 'xds://127.0.0.1:1');
  expect([code, stderr]).toEqual([2, expect.stringContaining('a legacy server is asked with --direct only')]);
  expect(stderr).toContain('a second client can crash a live one');
  expect(server.connected).toBe(0);
});

describe('files that are not right are exit code 2, with every place', () => {
  test('because a resource can’t be read: it is not one that is missing', async () => {
    const folder = tempFolder({
      'a.yaml': `${service('a')}---\n${service('b').replace('{ hosts: [a] }', '5')}`,
      'b.yaml': 'a: [\n',
    });
    const { code, stderr } = await failure('diff', folder, folder);
    expect(code).toBe(2);
    expect(stderr).toContain(`isthmus: ${folder}: it can't be compared before it is right:`);
    expect(stderr).toMatch(/a\.yaml:9:\d+: .*spec/);
    expect(stderr).toMatch(/b\.yaml:\d+:\d+: /);
  });

  test.each([
    ['there is none', 'none', 'there is no such file or folder'],
    ['there is nothing in it', '.', 'there is no .yaml, .yml or .json file in it'],
  ])('because %s', async (_what, name, message) => {
    const path = join(tempFolder(), name);
    const { code, stderr } = await failure('diff', path, path);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });

  test('because the JSON is broken', async () => {
    const folder = tempFolder({ 'a.json': '[{"apiVersion": "networking.istio.io/v1", ' });
    const { code, stderr } = await failure('diff', join(folder, 'a.json'), folder);
    expect([code, stderr]).toEqual([2, expect.stringMatching(/a\.json:1:\d+: /)]);
  });
});

describe('a question that makes no sense is exit code 2', () => {
  test.each([
    ['one argument', ['xds://127.0.0.1:1'], 'Not enough'],
    ['another scheme', ['grpc://127.0.0.1:1', 'x'], 'grpc:// is no scheme that is known'],
    ['no port', ['xds://127.0.0.1', 'x'], 'is no HOST:PORT'],
    ['an unknown kind', ['a', 'b', '--type', 'Service'], '--type: "Service" is no kind'],
    [
      'a kind that legacy MCP never had',
      ['mcp://a:1', 'b', '--direct', '--type', 'Telemetry'],
      'legacy MCP has no Telemetry',
    ],
    ['a time that is none', ['a', 'b', '--timeout', 'soon'], '--timeout: a number of seconds'],
  ])('%s', async (_what, args, message) => {
    const { code, stderr } = await failure('diff', ...args);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
