import { beforeAll, describe, expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { CallingSource } from '../../support/calling-source.ts';
import { issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { DiallingSource } from '../../support/dialling-source.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { entry } from '../../support/legacy-source.ts';
import { TlsFolder } from '../../support/tls-folder.ts';
import { TlsBack } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

// A whole bridge with sources that dial it over TLS.

const host = 'isthmus.istio-system';
const eastId = 'spiffe://cluster.local/ns/east/sa/galley';
const westId = 'spiffe://cluster.local/ns/west/sa/galley';
const collection = 'istio/networking/v1alpha3/serviceentries';

let authority: KeyPair;
let server: KeyPair;
let renewed: KeyPair;
let east: KeyPair;
let west: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('mesh CA');
  server = await issue(authority, [host]);
  renewed = await issue(authority, [host]);
  east = await issue(authority, [eastId]);
  west = await issue(authority, [westId, 'west.example.com']);
});

type Sink = NonNullable<ConfigInput['sink']>;

const sources = [
  { name: 'east', match: { identity: eastId }, collections: [collection] },
  { name: 'west', match: { identity: 'west.example.com' }, collections: [collection] },
];

async function start(more: Partial<NonNullable<Sink['tls']>> = {}, settings: Sink = {}) {
  const folder = new TlsFolder();
  const tls = { ...folder.put('sink', server), clientCa: folder.write('ca.crt', authority.cert), ...more };
  const sink = { listen: '127.0.0.1:0', tls, ...settings };
  const bridge = await Bridge.of({ sources, sink }, { clock: hastyClock(4) });
  const port = portOf(bridge);
  const dial = (pair?: KeyPair) => TlsBack.to(port, { ca: authority.cert, servername: host, ...pair });
  return { folder, bridge, port, dial, istiod: WatchingIstiod.connect(bridge.ports.xds) };
}

function portOf({ ports: { sink } }: Bridge): number {
  if (sink === undefined) throw new Error('it does not listen for sources');
  return sink;
}

async function refusals(bridge: Bridge, reason: string): Promise<number> {
  const text = await (await bridge.fetch('/metrics')).text();
  const line = new RegExp(`^isthmus_connections_refused_total\\{listener="sink",reason="${reason}"\\} (\\d+)$`, 'm');
  return Number(line.exec(text)?.[1] ?? 0);
}

describe('sources that are known by their certificates', () => {
  test('are each its own, whatever they say of themselves', async () => {
    const { bridge, dial, istiod } = await start();
    const eastPort = (await dial(east)).port;
    CallingSource.start(eastPort, { 'east/a': 'one' });
    CallingSource.start((await dial(west)).port, { 'west/a': 'two' }, { cluster: 'east' });
    await istiod.hasOnly({ 'east/a': 'one', 'west/a': 'two' });
    const origins = await bridge.page<OriginView[]>('/debug/origins');
    expect(origins.map(({ name, kinds }) => [name, kinds[0]?.effective])).toEqual([
      ['east', 1],
      ['west', 1],
    ]);
  });

  test('and nobody else: who is in the CA and in no match is told so, by the names that it has shown', async () => {
    const { bridge, dial } = await start();
    const stranger = await issue(authority, ['spiffe://cluster.local/ns/other/sa/x']);
    const stream = DiallingSource.connect((await dial(stranger)).port).open();
    const { code, details } = await stream.ended();
    expect([code, details]).toEqual([7, expect.stringContaining('identities: spiffe://cluster.local/ns/other/sa/x')]);
    const line = bridge.log.lines.find(({ message }) => message.includes('no match of the config is for'));
    expect(line?.fields).toMatchObject({ identities: ['spiffe://cluster.local/ns/other/sa/x'] });
  });

  test('who is not in allowedIdentities, shows no certificate, or speaks no TLS, does not come so far', async () => {
    const { bridge, port, dial, istiod } = await start({ allowedIdentities: ['spiffe://cluster.local/ns/east/*'] });
    CallingSource.start((await dial(east)).port, { 'east/a': 'one' });
    for (const [target, reason, says] of [
      [
        (await dial(west)).port,
        'unknown-identity',
        /a peer that may not come in showed its certificate on the port for sources/,
      ],
      [(await dial()).port, 'no-certificate', /a peer showed no certificate on the port for sources/],
      [port, 'plaintext', /a peer speaks no TLS on the port for sources, which has TLS/],
    ] as const) {
      const stream = DiallingSource.connect(target).open();
      await until(`${reason} is turned away`, async () => (await refusals(bridge, reason)) > 0);
      await until('the stream is over', () => stream.closed);
      expect(bridge.log.of('warn')).toContainEqual(expect.stringMatching(says));
    }
    await until('east is heard', async () => {
      const [first] = await bridge.page<OriginView[]>('/debug/origins');
      return first?.kinds[0]?.sync === 'synced';
    });
    // West may have services, too: nothing is sent before it has spoken.
    expect(istiod.history).toEqual([]);
  });

  test('keep their streams when our certificate is renewed', async () => {
    const { bridge, folder, dial, istiod } = await start();
    const back = await dial(east);
    const source = CallingSource.start(back.port, { 'east/a': 'one' });
    CallingSource.start((await dial(west)).port, {});
    await istiod.hasOnly({ 'east/a': 'one' });
    folder.put('sink', renewed);
    await until('it is in use', () =>
      bridge.log.of('info').includes('renewed TLS files are in use; open streams stay'),
    );
    source.publish({ 'east/a': 'one', 'east/b': 'two' });
    await istiod.hasOnly({ 'east/a': 'one', 'east/b': 'two' });
    expect(source.streams).toHaveLength(1);
    const later = await dial(east);
    DiallingSource.connect(later.port).open();
    await until('another connection', () => later.servers.length > 0);
    expect(later.servers[0]?.toString().trim()).toBe(renewed.cert.trim());
  });
});

test('sink.allowedPeers keeps others out before a byte is read', async () => {
  const settings = { sources: [{ name: 'east', match: { address: '127.0.0.0/8' }, collections: [collection] }] };
  const bridge = await Bridge.of({ ...settings, sink: { listen: '127.0.0.1:0', allowedPeers: ['127.0.0.2'] } });
  const stream = DiallingSource.connect(portOf(bridge)).open();
  await until('it is turned away', async () => (await refusals(bridge, 'address')) > 0);
  expect(bridge.log.of('warn')).toContainEqual(
    expect.stringContaining('not in sink.allowedPeers connected to the port for sources'),
  );
  await until('the stream is over', () => stream.closed);
  const welcome = await DiallingSource.connect(portOf(bridge), '127.0.0.2').open().begin(1);
  await welcome.deliver({ collection, resources: [entry('east/a', 'one')] });
  await WatchingIstiod.connect(bridge.ports.xds).hasOnly({ 'east/a': 'one' });
});
