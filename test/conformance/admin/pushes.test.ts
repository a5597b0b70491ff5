import { expect, test } from 'vitest';
import { Bridge, startSource } from '../../support/bridge.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1alpha3/ServiceEntry';
const gateway = 'networking.istio.io/v1alpha3/Gateway';

type Push = {
  readonly kind: string;
  readonly version: string;
  readonly resources: number;
  readonly bytes: number;
  readonly cause: string;
  readonly answer: string | null;
  readonly answeredAfterMs: number | null;
  readonly error: string | null;
};

async function read(bridge: Bridge, path: string): Promise<string> {
  const page = await (await bridge.fetch(path, { headers: { accept: 'text/html' } })).text();
  return page.replaceAll(/<[^>]*>/g, ' ').replaceAll(/\s+/g, ' ');
}

test('the last pushes of a stream: one that was taken, one that was refused, one without an answer', async () => {
  const { server, address } = await startSource(viewOf({ 'shop/orders': 'a' }));
  const bridge = await Bridge.of({ sources: [{ name: 'consul', address }] });
  await bridge.complete();
  const peer = XdsPeer.connect(bridge.ports.xds);
  peer.subscribe(se);
  peer.ack(await peer.response(se));
  const pushes = (id: number | string) => bridge.page<Push[]>(`/debug/streams/${id}/pushes`);
  const [stream] = await bridge.page<{ id: number }[]>('/debug/streams');
  const id = stream?.id ?? 0;
  await until('the first is taken', async () => (await pushes(id))[0]?.answer === 'ack');

  server.update(viewOf({ 'shop/orders': 'b', 'shop/cart': 'c' }));
  const second = await peer.response(se, 2);
  expect((await pushes(id))[0]).toMatchObject({ resources: 2, cause: 'change', answer: null, answeredAfterMs: null });
  peer.nack(second, `no: ${'x'.repeat(5000)}`);
  await until('the second is refused', async () => (await pushes(id))[0]?.answer === 'nack');
  peer.subscribe(gateway);
  await peer.response(gateway);

  const all = await pushes(id);
  expect(all.map(({ kind, resources, cause, answer }) => [kind, resources, cause, answer])).toEqual([
    ['Gateway', 0, 'subscription', null],
    ['ServiceEntry', 2, 'change', 'nack'],
    ['ServiceEntry', 1, 'subscription', 'ack'],
  ]);
  expect(all[1]).toMatchObject({ version: second.versionInfo, error: expect.stringMatching(/^no: x{400,}$/) });
  expect(all[1]?.error?.length).toBe(500);
  expect(all[2]?.answeredAfterMs).toBeGreaterThanOrEqual(0);
  expect((all[1]?.bytes ?? 0) - (all[2]?.bytes ?? 0)).toBeGreaterThan(50);

  const page = await read(bridge, `/ui/streams/${id}`);
  expect(page).toMatch(/Gateway 0 [\d.]+ B it asked for the type \d+ ms none yet –/);
  expect(page).toMatch(/ServiceEntry 2 [\d.]+ B a source said something [\d.]+ m?s refused: no: x+ [\d.]+ m?s/);
  expect(page).toMatch(/ServiceEntry 1 [\d.]+ B it asked for the type \d+ ms acknowledged [\d.]+ m?s/);
  expect(await read(bridge, '/ui/streams')).toContain('Last pushes');

  expect((await bridge.fetch('/debug/streams/99/pushes')).status).toBe(404);
  expect((await bridge.fetch('/ui/streams/99', { headers: { accept: 'text/html' } })).status).toBe(404);
});
