import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import type { SourceServer } from '../../../src/legacy/source-server.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { failure, run, startServe } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { answerWith } from '../../support/listeners.ts';
import { until } from '../../support/until.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';

const entries = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`shop/${i}`, 'a']));

/** A bridge whose source has lost 30 of its 50 services. */
async function start(): Promise<{ bridge: Bridge; server: SourceServer }> {
  const { server, address } = await startSource(viewOf(entries(50)));
  const bridge = await Bridge.of({ sources: [{ name: 'galley', address }] });
  await bridge.complete();
  server.update(viewOf(entries(20)));
  await until('the message has come', async () => (await bridge.page<unknown[]>('/debug/guard')).length === 1);
  return { bridge, server };
}

test('guard shows what is held, with exit code 1; release lets it go', async () => {
  const { bridge } = await start();
  const shown = await run('guard', '--admin', bridge.adminUrl);
  expect([shown.code, shown.stderr]).toEqual([1, '']);
  expect(shown.stdout).toMatch(/^ORIGIN +COLLECTION +HELD +OF +WHY +SINCE +ASKED AGAIN +STATE$/m);
  expect(shown.stdout).toMatch(
    /^galley +istio\/networking\/v1alpha3\/serviceentries +30 +50 +mass_removal +\S+Z +\S+Z +held$/m,
  );
  const released = await run('guard', 'release', '--admin', bridge.adminUrl);
  expect([released.code, released.stderr]).toEqual([0, '']);
  expect(released.stdout).toMatch(/^galley +istio\/networking\/v1alpha3\/serviceentries +30$/m);
  expect(await run('guard', '--admin', bridge.adminUrl)).toEqual({ code: 0, stdout: 'nothing is held\n', stderr: '' });
  expect(await run('guard', 'release', '--admin', bridge.adminUrl)).toMatchObject({
    code: 0,
    stdout: 'nothing is held\n',
  });
});

test('-o json and -o yaml say the same, of what is held and of what is released', async () => {
  const { bridge } = await start();
  const args = ['--admin', bridge.adminUrl, '-o'];
  const json: unknown = JSON.parse((await run('guard', ...args, 'json')).stdout);
  expect(json).toMatchObject([{ origin: 'galley', collection, removals: 30, of: 50 }]);
  expect(parse((await run('guard', ...args, 'yaml')).stdout)).toEqual(json);
  expect(parse((await run('guard', 'release', ...args, 'yaml')).stdout)).toEqual([
    { origin: 'galley', kind: 'ServiceEntry', collection, removed: 30 },
  ]);
  expect(JSON.parse((await run('guard', ...args, 'json')).stdout)).toEqual([]);
});

test('--origin and --collection say of which', async () => {
  const { bridge } = await start();
  const guard = (...args: readonly string[]) => run('guard', ...args, '--admin', bridge.adminUrl);
  expect(await guard('--collection', 'WorkloadEntry')).toMatchObject({ code: 0, stdout: 'nothing is held\n' });
  expect(await guard('release', '--collection', 'WorkloadEntry')).toMatchObject({
    code: 0,
    stdout: 'nothing is held\n',
  });
  expect((await guard('--origin', 'galley')).code).toBe(1);
  expect((await guard('release', '--origin', 'galley', '--collection', collection)).stdout).toContain(' 30\n');
});

test('status and check name it', async () => {
  const { bridge } = await start();
  const status = await run('status', bridge.adminUrl);
  expect(status.code).toBe(1);
  expect(status.stdout).toMatch(
    /^! 30 of 50 ServiceEntry of galley stay although it removed them; the source is asked again at \S+; see isthmus guard$/m,
  );
  expect(status.stdout).toMatch(/^galley +istio\S+ +30 +50 +mass_removal /m);
  const check = await run('check', bridge.adminUrl);
  expect(check.code).toBe(1);
  expect(check.stdout).toContain('it took away 30 of 50 ServiceEntry at once');
});

test('the flags of serve set it', async () => {
  const { server, address } = await startSource(viewOf(entries(10)));
  const flags = ['--guard-min-removed', '2', '--guard-max-removal-percent', '10', '--guard-hold', '1h'];
  const { admin } = await startServe('--source', `galley=${address}`, ...flags);
  const url = `http://127.0.0.1:${admin}`;
  await until('it is complete', async () => (await fetch(`${url}/syncz`)).ok);
  server.update(viewOf(entries(7)));
  const [hold] = await until('the message has come', async () => {
    const holds = (await (await fetch(`${url}/debug/guard`)).json()) as {
      since: string;
      until: string;
      removals: number;
    }[];
    return holds.length === 1 && holds;
  });
  expect(hold?.removals).toBe(3);
  expect(Date.parse(hold?.until ?? '') - Date.parse(hold?.since ?? '')).toBe(3_600_000);
});

describe('it can not be done', () => {
  test.each([
    ['an origin that there is not', ['--origin', 'nobody'], '--origin'],
    ['a collection that there is not', ['--collection', 'nothing'], '--collection'],
  ])('for %s: exit code 2', async (_what, args, subject) => {
    const { bridge } = await start();
    const { code, stderr } = await failure('guard', 'release', ...args, '--admin', bridge.adminUrl);
    expect([code, stderr]).toEqual([2, expect.stringContaining(subject)]);
  });

  test.each([['let-go'], ['release', 'all'], ['--origin'], ['--admin', 'nowhere']])(
    'with wrong arguments: exit code 2',
    async (...args) => {
      expect((await failure('guard', ...args)).code).toBe(2);
    },
  );

  test.each([
    ['nobody listens', async () => 1],
    ['something else listens', () => answerWith(200, '<h1>hello</h1>')],
    ['it is a bridge without the page', () => answerWith(404, '{}')],
    ['it is in trouble', () => answerWith(500, 'no')],
    ['it refuses', () => answerWith(403, '{"error":"not from here"}')],
  ])('where %s: exit code 3', async (_what, listen) => {
    const admin = `http://127.0.0.1:${await listen()}`;
    for (const action of [[], ['release']]) {
      const { code, stderr } = await failure('guard', ...action, '--admin', admin);
      expect(code).toBe(3);
      expect(stderr).not.toMatch(/^ +at /m);
    }
  });
});
