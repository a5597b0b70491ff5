import { expect, test } from 'vitest';
import { Bridge, startSource } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { until } from '../../support/until.ts';

test('--changes prints who changed what, and why, the newest first', async () => {
  const { server, address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/cart': 'b' }));
  const bridge = await Bridge.of({ sources: [{ name: 'consul', address }] });
  await bridge.complete();
  server.update(viewOf({ 'shop/orders': 'x', 'shop/cart': 'b' }));
  await until(
    'it is another',
    async () => (await bridge.page<{ changes: object[] }>('/debug/changes')).changes.length === 3,
  );
  const all = await run('get', bridge.adminUrl, '--changes');
  expect([all.code, all.stderr]).toEqual([0, '']);
  const [head, ...lines] = all.stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  expect(head).toEqual(['TIME', 'SOURCE', 'KIND', 'NAME', 'WHAT', 'WHY']);
  expect(lines.map((line) => line.slice(1))).toEqual([
    ['consul', 'ServiceEntry', 'shop/orders', 'changed', 'its source said so'],
    ['consul', 'ServiceEntry', 'shop/cart', 'added', 'its source said so'],
    ['consul', 'ServiceEntry', 'shop/orders', 'added', 'its source said so'],
  ]);
  const cart = await run('get', bridge.adminUrl, '--changes', '--name', 'cart', '-o', 'json');
  expect(JSON.parse(cart.stdout)).toMatchObject([{ resource: 'shop/cart', what: 'added', source: 'consul' }]);
  const none = await run('get', bridge.adminUrl, '--changes', '--type', 'Gateway');
  expect([none.code, none.stdout, none.stderr]).toEqual([
    0,
    '',
    expect.stringContaining('nothing of that has changed since the bridge was started'),
  ]);
});

test('--changes is for a bridge', async () => {
  const { code, stderr } = await run('get', 'xds://127.0.0.1:1', '--changes');
  expect([code, stderr]).toEqual([2, expect.stringContaining('--changes: is for http:// only')]);
});
