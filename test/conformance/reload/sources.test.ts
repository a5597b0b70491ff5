import { describe, expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { entry } from '../../support/legacy-source.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { type Response, versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const gateways = 'istio/networking/v1alpha3/gateways';
const serviceEntries = 'istio/networking/v1alpha3/serviceentries';

/** An istiod that acknowledges everything. */
function istiodOf(bridge: Bridge, ...types: readonly string[]): XdsPeer {
  const peer = XdsPeer.connect(bridge.ports.xds);
  peer.onResponse = (response) => peer.ack(response);
  peer.subscribe(...(types.length === 0 ? [se] : types));
  return peer;
}

const namesIn = (response: Response) => Object.keys(versionsOf(response));

/** Until what it was given last has these names; every response on the way. */
async function given(peer: XdsPeer, ...names: readonly string[]): Promise<string[][]> {
  await until(`it is given ${names.join()}`, () => {
    const last = peer.responses.at(-1);
    return last !== undefined && namesIn(last).join() === names.join();
  });
  return peer.responses.map(namesIn);
}

async function originsOf(bridge: Bridge): Promise<Record<string, OriginView>> {
  const origins = await bridge.page<OriginView[]>('/debug/origins');
  return Object.fromEntries(origins.map((origin) => [origin.name, origin]));
}

async function begin(...sources: NonNullable<ConfigInput['sources']>) {
  const bridge = await Bridge.of({ sources, xds: { listen: '127.0.0.1:0', minGap: '0s' } });
  await bridge.complete();
  return bridge;
}

describe('sources of a config that is read again', () => {
  test('a new one is dialled; what the others have goes out with what it has, never without', async () => {
    const one = await ServingSource.listen({ 'a/1': 'x' });
    const two = await ServingSource.listen({ 'b/1': 'x' });
    const bridge = await begin(sourceAt('one', one.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1');
    await bridge.reload({ sources: [sourceAt('one', one.port), sourceAt('two', two.port)] });
    expect(await given(peer, 'a/1', 'b/1')).toEqual([['a/1'], ['a/1', 'b/1']]);
    expect(one.source.streams, 'the other stream goes on').toHaveLength(1);
  });

  test('one with another address is dialled there; what it held stays until the new server speaks', async () => {
    const before = await ServingSource.listen({ 'a/1': 'x', 'a/2': 'x' });
    const bridge = await begin(sourceAt('one', before.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1', 'a/2');
    const after = await ServingSource.listen({ 'a/1': 'x' });
    after.source.onStream = () => {};
    await bridge.reload({ sources: [sourceAt('one', after.port)] });
    await until('the old stream is over', () => before.source.streams[0]?.closed);
    const stream = await after.live();
    expect(await given(istiodOf(bridge), 'a/1', 'a/2')).toHaveLength(1);
    stream.send({ collection: serviceEntries, resources: [entry('a/1', 'x')] });
    expect(await given(peer, 'a/1')).toEqual([['a/1', 'a/2'], ['a/1']]);
    expect((await originsOf(bridge))['one']).toMatchObject({ address: `mcp://127.0.0.1:${after.port}` });
  });

  test('the same is not dialled again, whatever its place is; of one key the first copy is sent', async () => {
    const one = await ServingSource.listen({ 'a/1': 'of one' });
    const two = await ServingSource.listen({ 'a/1': 'of two' });
    const bridge = await begin(sourceAt('one', one.port), sourceAt('two', two.port));
    const peer = istiodOf(bridge);
    const first = versionsOf(await peer.response(se));
    await bridge.reload({ sources: [sourceAt('two', two.port), sourceAt('one', one.port)] });
    const second = versionsOf(await peer.response(se, 2));
    await bridge.reload({ sources: [sourceAt('one', one.port), sourceAt('two', two.port)] });
    expect(second).not.toEqual(first);
    expect(versionsOf(await peer.response(se, 3))).toEqual(first);
    expect([one.source.streams.length, two.source.streams.length]).toEqual([1, 1]);
  });

  test('one that is gone is dialled no more, and what it had is served on, as old', async () => {
    const one = await ServingSource.listen({ 'a/1': 'x' });
    const two = await ServingSource.listen({ 'b/1': 'x', 'b/2': 'x' });
    const bridge = await begin(sourceAt('one', one.port), sourceAt('two', two.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1', 'b/1', 'b/2');
    await bridge.reload({ sources: [sourceAt('one', one.port)] });
    await until('its stream is over', () => two.source.streams[0]?.closed);
    expect(Object.keys(await originsOf(bridge))).toEqual(['one', 'two']);
    expect((await originsOf(bridge))['two']).toMatchObject({
      address: null,
      connection: { state: 'retired', streams: 0 },
      kinds: [{ kind: 'ServiceEntry', sync: 'stale', effective: 2, retiredSince: expect.any(String) }],
    });
    expect(bridge.log.lines.find(({ message }) => message.includes('grows old'))?.fields).toMatchObject({
      source: 'two',
      resources: { ServiceEntry: 2 },
      hint: expect.stringContaining('confirmRemoval: [two]'),
    });
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_retired_resources{source="two",kind="ServiceEntry"} 2');
    expect(metrics).toContain('isthmus_source_stale{source="two",kind="ServiceEntry"} 1');
    one.publish({ 'a/1': 'y' });
    await until('the change is sent', () => peer.responses.length === 2);
    expect(await given(istiodOf(bridge), 'a/1', 'b/1', 'b/2')).toHaveLength(1);
  });

  test('and leaves once that is confirmed', async () => {
    const one = await ServingSource.listen({ 'a/1': 'x' });
    const two = await ServingSource.listen({ 'b/1': 'x', 'b/2': 'x' });
    const bridge = await begin(sourceAt('one', one.port), sourceAt('two', two.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1', 'b/1', 'b/2');
    await bridge.reload({ sources: [sourceAt('one', one.port)] });
    await bridge.reload({ sources: [sourceAt('one', one.port)], confirmRemoval: ['two', 'never-there'] });
    expect(await given(peer, 'a/1')).toEqual([['a/1', 'b/1', 'b/2'], ['a/1']]);
    expect(Object.keys(await originsOf(bridge))).toEqual(['one']);
    expect(bridge.log.lines.find(({ message }) => message.includes('have left'))?.fields).toEqual({
      source: 'two',
      resources: { ServiceEntry: 2 },
    });
    expect(bridge.log.lines.find(({ message }) => message.includes('may leave the config'))?.fields).toEqual({
      confirmRemoval: 'never-there',
    });
  });

  test('one that comes back is dialled; nothing has happened to what it had', async () => {
    const one = await ServingSource.listen({ 'a/1': 'x', 'a/2': 'x' });
    const bridge = await begin(sourceAt('one', one.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1', 'a/2');
    await bridge.reload({ sources: [] });
    await until('its stream is over', () => one.source.streams[0]?.closed);
    one.publish({ 'a/1': 'x', 'a/2': 'x', 'a/3': 'x' });
    await bridge.reload({ sources: [sourceAt('one', one.port)] });
    expect(await given(peer, 'a/1', 'a/2', 'a/3')).toHaveLength(2);
    expect((await originsOf(bridge))['one']?.kinds).toMatchObject([{ sync: 'synced', retiredSince: null }]);
  });

  test('one that is renamed: both are served, of one key what the new name says; then the old one is confirmed', async () => {
    const server = await ServingSource.listen({ 'a/1': 'x', 'a/2': 'x' });
    const bridge = await begin(sourceAt('old', server.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1', 'a/2');
    const sources = [sourceAt('new', server.port)];
    await bridge.reload({ sources });
    await bridge.complete();
    server.publish({ 'a/2': 'y', 'a/3': 'x' });
    await given(peer, 'a/1', 'a/2', 'a/3');
    await bridge.reload({ sources, confirmRemoval: ['old'] });
    const all = await given(peer, 'a/2', 'a/3');
    expect(all.every((names) => names.includes('a/2'))).toBe(true);
  });

  test('one that is renamed and confirmed at once: there is no moment without its resources', async () => {
    const server = await ServingSource.listen({ 'a/1': 'x', 'a/2': 'x' });
    const bridge = await begin(sourceAt('old', server.port));
    const peer = istiodOf(bridge);
    await given(peer, 'a/1', 'a/2');
    await bridge.reload({ sources: [sourceAt('new', server.port)], confirmRemoval: ['old'] });
    await bridge.complete();
    server.publish({ 'a/1': 'x', 'a/2': 'x', 'a/3': 'x' });
    expect(await given(peer, 'a/1', 'a/2', 'a/3')).toEqual([
      ['a/1', 'a/2'],
      ['a/1', 'a/2', 'a/3'],
    ]);
  });

  test('a collection that a source is asked for no more stays as well, until it is confirmed', async () => {
    const typeUrl = 'networking.istio.io/v1/Gateway';
    const server = await ServingSource.listen({ 'a/1': 'x' });
    const { onStream } = server.source;
    server.source.onStream = (stream) => {
      onStream(stream);
      if (server.source.streams.length === 1) {
        stream.send({ collection: gateways, resources: [entry('g/1', 'x', undefined, 'Gateway')] });
      }
    };
    const both = { ...sourceAt('one', server.port), collections: [serviceEntries, gateways] };
    const bridge = await begin(both);
    const peer = istiodOf(bridge, typeUrl);
    await given(peer, 'g/1');
    await bridge.reload({ sources: [sourceAt('one', server.port)] });
    expect((await originsOf(bridge))['one']?.kinds).toMatchObject([
      { kind: 'ServiceEntry', retiredSince: null },
      { kind: 'Gateway', retiredSince: expect.any(String), sync: 'stale' },
    ]);
    expect(await given(istiodOf(bridge, typeUrl), 'g/1')).toHaveLength(1);
    expect((await server.live()).asked).toEqual([serviceEntries]);
    await bridge.reload({ sources: [sourceAt('one', server.port)], confirmRemoval: [`one/${gateways}`] });
    expect(await given(peer)).toEqual([['g/1'], []]);
  });
});
