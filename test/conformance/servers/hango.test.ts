import { expect, test } from 'vitest';
import { Hango } from '../../support/servers/choosy.ts';
import { expectGolden } from '../../support/servers/golden.ts';
import { bridgeTo, Istiod, item, kindOf } from '../../support/servers/lab.ts';
import { until } from '../../support/until.ts';

const spec = (host: string) => ({ hosts: [host], ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] });

test('hango: one nonce for all collections, and a version of a megabyte: nothing is mixed up, and nothing of it is kept', async () => {
  const server = await new Hango().listen();
  const route = item('VirtualService', 'gateway/orders', { hosts: ['a.example.com'] });
  server.poll(item('ServiceEntry', 'gateway/orders', spec('a.example.com')), route);
  const bridge = await bridgeTo(server, { profile: 'hango' });
  const istiod = new Istiod(bridge, 'ServiceEntry', 'VirtualService', 'Gateway', 'DestinationRule');
  await istiod.has('ServiceEntry', 'gateway/orders');
  await istiod.has('VirtualService', 'gateway/orders');
  await istiod.has('Gateway');
  const lines = bridge.log.lines.map((line) => JSON.stringify(line));
  expect(lines.length).toBeGreaterThan(0);
  expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(2000);
  const pages = await Promise.all(['/debug/origins', '/debug/config', '/metrics'].map((path) => bridge.fetch(path)));
  for (const page of pages) expect(await page.text()).not.toContain('xxxxxxxx');
});

test('hango: names that end with a slash, or hold several, are other resources each, and istiod takes them', async () => {
  const server = await new Hango().listen();
  const names = ['gateway/', 'gateway/a/b', 'gateway/a%2Fb', 'gateway/a', 'orders', '/gateway/c'];
  const all = names.map((name, i) => item('ServiceEntry', name, spec(`s${i}.example.com`)));
  server.poll(...all);
  const bridge = await bridgeTo(server, { profile: 'hango' });
  const istiod = new Istiod(bridge, 'ServiceEntry');
  const keys = ['gateway/%', 'gateway/a%2Fb', 'gateway/a%252Fb', 'gateway/a', 'default/orders', 'gateway/c'];
  expectGolden('hango', await istiod.has('ServiceEntry', ...keys));
  expect((await kindOf(bridge)).repairs).toEqual({ bare_name: 1, escaped_name: 3 });
  // The same again, and one of them less.
  const before = istiod.last('ServiceEntry');
  server.poll(...all.slice(1));
  await until('one has gone', () => istiod.last('ServiceEntry') !== before);
  await istiod.has('ServiceEntry', ...keys.slice(1));
});

test('… which is what the profile is for: without it, they are quarantined, each with its reason', async () => {
  const server = await new Hango().listen();
  server.poll(
    ...['gateway/', 'gateway/a/b', 'gateway/a'].map((name) => item('ServiceEntry', name, spec('a.example.com'))),
  );
  const bridge = await bridgeTo(server, { profile: 'default' });
  await new Istiod(bridge, 'ServiceEntry').has('ServiceEntry', 'gateway/a');
  const { resources } = await bridge.page<{ resources: { reason: string }[] }>('/debug/quarantine');
  expect(resources.map(({ reason }) => reason)).toEqual(['bad_name', 'bad_name']);
});
