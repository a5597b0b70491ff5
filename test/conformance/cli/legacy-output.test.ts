import { expect, onTestFinished, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import type { SinkStreamView } from '../../../src/legacy/source-listener.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { failure, run, startServe } from '../../support/cli.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { entry, LegacySource } from '../../support/legacy-source.ts';
import { ScriptedSink } from '../../support/scripted-sink.ts';
import { se } from '../../support/sink-lab.ts';
import { until } from '../../support/until.ts';

const rbac = 'istio/rbac/v1alpha1/clusterrbacconfigs';

async function start(settings: ConfigInput = {}): Promise<{ bridge: Bridge; mcp: string }> {
  const { address } = await startSource(viewOf({ 'shop/orders': 'a', 'shop/carts': 'b' }));
  const bridge = await Bridge.of({
    sources: [{ name: 'galley', address }],
    legacy: { listen: '127.0.0.1:0' },
    ...settings,
  });
  return { bridge, mcp: `mcp://127.0.0.1:${bridge.ports.legacy}` };
}

/** Something in an old Pilot's place that asks for this, and answers with `answer`. */
async function dial(bridge: Bridge, collections: readonly string[], answer: object = {}): Promise<ScriptedSink> {
  const sink = new ScriptedSink(bridge.ports.legacy ?? 0);
  onTestFinished(() => sink.close());
  sink.onMessage = ({ collection, nonce }) => sink.request(collection, nonce, answer);
  for (const collection of collections) sink.request(collection);
  return sink;
}

/** Returns once this is so of a collection of the one that is connected. */
async function shown(bridge: Bridge, collection: string, is: (one: SinkStreamView['collections'][number]) => boolean) {
  await until(`${collection} is shown`, async () => {
    const [stream] = await bridge.page<SinkStreamView[]>('/debug/sinks');
    const found = stream?.collections.find((one) => one.collection === collection);
    return found !== undefined && is(found);
  });
}

test('get asks it as an old Pilot does, and diff finds what an istiod is given', async () => {
  const { bridge, mcp } = await start();
  await bridge.complete();
  const { code, stdout } = await run('get', mcp, '--type', 'ServiceEntry');
  expect(code).toBe(0);
  expect(stdout).toMatch(/^ServiceEntry +shop +carts /m);
  const compared = await run('diff', mcp, `xds://127.0.0.1:${bridge.ports.xds}`, '--direct', '--strict');
  expect([compared.code, compared.stdout.split('\n')[2]]).toEqual([0, '2 equal']);
});

test('serve listens where --legacy-listen says', async () => {
  const { address } = await startSource(viewOf({ 'shop/orders': 'a' }));
  const { cli } = await startServe('--source', `galley=${address}`, '--legacy-listen', '127.0.0.1:0');
  const [, port = ''] = await cli.says('stderr', /"legacy":"127\.0\.0\.1:(\d+)"/);
  const { stdout } = await run('get', `mcp://127.0.0.1:${port}`, '--type', 'ServiceEntry');
  expect(stdout).toMatch(/^ServiceEntry +shop +orders /m);
  expect(cli.stderr).not.toMatch(/without TLS/);
});

test('status shows old Pilots, and what they were answered as empty', async () => {
  const { bridge } = await start();
  await dial(bridge, [se, rbac]);
  await shown(bridge, rbac, ({ ackedVersion }) => ackedVersion !== null);
  await shown(bridge, se, ({ ackedVersion }) => ackedVersion !== null);
  const { code, stdout } = await run('status', bridge.adminUrl);
  expect(stdout).toMatch(/^OLD PILOT +AGENT +SINCE/m);
  expect(stdout).toMatch(new RegExp(`^127\\.0\\.0\\.1:\\d+ scripted +- .* 2 +2 +${rbac}$`, 'm'));
  expect([code, stdout.endsWith('\nall is well\n')]).toEqual([0, true]);
});

test('status says what an old Pilot refuses, and what it waits for because a source has something in it', async () => {
  const source = await LegacySource.listen();
  onTestFinished(() => source.kill());
  source.onStream = (stream) => {
    stream.open();
    stream.onRequest = ({ collection, responseNonce }) => {
      const resources = collection === rbac ? [entry('default/default')] : [];
      if (responseNonce === '') stream.send({ collection, resources });
    };
  };
  const address = `mcp://127.0.0.1:${source.port}`;
  const { bridge } = await start({ sources: [{ name: 'galley', address, countDropped: true }] });
  await dial(bridge, [se, rbac], { errorDetail: { code: 3, message: 'no' } });
  await shown(bridge, se, ({ nack }) => nack === 'no');
  await until('the source has said what it has', async () => {
    const [origin] = await bridge.page<{ dropped: { resources: number | null }[] }[]>('/debug/origins');
    return origin?.dropped.some(({ resources }) => resources === 1);
  });
  const { code, stdout } = await run('status', bridge.adminUrl);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`^! 127\\.0\\.0\\.1:\\d+ refused ${se}: no$`, 'm'));
  const why = 'the bridge does not carry it, and galley has 1 resources in it; see docs/legacy-output.md';
  expect(stdout).toMatch(new RegExp(`^! 127\\.0\\.0\\.1:\\d+ waits for ${rbac}: ${why}$`, 'm'));
});

test('an address that is none is named', async () => {
  expect(await failure('serve', '--legacy-listen', 'here')).toMatchObject({
    code: 2,
    stderr: expect.stringContaining('--legacy-listen: "here" is no HOST:PORT'),
  });
});
