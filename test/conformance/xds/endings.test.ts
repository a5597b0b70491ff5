import { describe, expect, test } from 'vitest';
import { legacyResource, serviceEntry } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { typesOf, XdsLab } from '../../support/xds-lab.ts';
import { nodeIds } from '../../support/fake-istiod.ts';
import type { XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const code = { ok: 0, invalidArgument: 3, resourceExhausted: 8, unavailable: 14 };

async function start(options: Parameters<typeof XdsLab.start>[0] = {}): Promise<XdsLab> {
  const lab = await XdsLab.start(options);
  lab.addOrigin('galley', serviceEntry);
  await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders')]);
  lab.flush();
  return lab;
}

async function connect(lab: XdsLab, id?: string): Promise<XdsPeer> {
  const peer = lab.connect(id);
  peer.subscribe(se);
  await lab.accept(peer, se);
  await lab.settled(peer);
  return peer;
}

async function expectGone(lab: XdsLab): Promise<void> {
  await until('the stream is forgotten', () => lab.server.streams.length === 0);
  // Nothing of it ticks on.
  await until('its timers are gone', () => lab.clock.timers === 0);
}

describe('the peer ends the stream', () => {
  test('by saying no more: it is ended with OK', async () => {
    const lab = await start();
    const peer = await connect(lab);
    peer.halfClose();
    expect(await peer.end()).toEqual({ code: code.ok, details: 'OK' });
    await expectGone(lab);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['peer']]);
  });

  test('by cancelling', async () => {
    const lab = await start();
    const peer = await connect(lab);
    peer.cancel();
    await expectGone(lab);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['peer']]);
  });

  test('before it has asked for anything', async () => {
    const lab = await start();
    const peer = lab.connect();
    await until('the stream is open', () => lab.server.streams.length === 1);
    peer.cancel();
    await expectGone(lab);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['peer']]);
  });
});

describe('a peer that says what it should not is ended alone', () => {
  const garbage: [string, Buffer, number][] = [
    ['bytes that are no message', Buffer.from([0xff, 0xff, 0xff]), code.invalidArgument],
    ['a field that does not end', Buffer.from([0x22, 0x7f, 0x61]), code.invalidArgument],
    ['a message beyond 64 KiB', Buffer.alloc((64 << 10) + 1, 0x0a), code.resourceExhausted],
  ];
  test.each(garbage)('%s', async (_what, bytes, expected) => {
    const lab = await start();
    const [good, bad] = [await connect(lab), await connect(lab)];
    bad.sendBytes(bytes);
    expect((await bad.end()).code).toBe(expected);
    await until('it is forgotten', () => lab.server.streams.length === 1);
    await lab.deliver('galley', serviceEntry, []);
    await lab.accept(good, se, 2);
    expect(good.ended).toBeUndefined();
  });

  test('10,000 types', async () => {
    const lab = await start();
    const [good, greedy] = [await connect(lab), lab.connect()];
    greedy.subscribe(...Array.from({ length: 10_000 }, (_, i) => `example.com/v1/Kind${i}`));
    expect(await greedy.end()).toEqual({
      code: code.resourceExhausted,
      details: 'more than 64 types on one stream',
    });
    await until('it is forgotten', () => lab.server.streams.length === 1);
    await lab.settled(good);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['refused']]);
  });

  test('10,000 questions for MeshConfig and types of Envoy cost nothing', async () => {
    const lab = await start();
    const peer = await connect(lab);
    for (let i = 0; i < 5000; i++) peer.subscribe('core/v1alpha1/MeshConfig', `type.googleapis.com/t${i}`);
    await lab.settled(peer);
    expect(typesOf(peer)).toEqual([se]);
    expect(lab.server.streams[0]?.types.length).toBeLessThan(5);
  });
});

test('a stream too many is refused, and there is room again when one is gone', async () => {
  const lab = await start({ maxStreams: 2 });
  const first = await connect(lab);
  await connect(lab);
  const third = lab.connect();
  third.subscribe(se);
  expect(await third.end()).toEqual({ code: code.resourceExhausted, details: 'too many streams' });
  expect(lab.server.streams).toHaveLength(2);
  first.cancel();
  await until('there is room', () => lab.server.streams.length === 1);
  await connect(lab);
  expect(lab.server.streams).toHaveLength(2);
});

describe('a stream of a certain age', () => {
  const recycleMs = 600_000;

  test('is ended with OK, so that istiod begins it anew', async () => {
    const lab = await start({ recycleMs });
    const peer = await connect(lab);
    lab.clock.advance(recycleMs);
    expect(await peer.end()).toEqual({ code: code.ok, details: 'OK' });
    await expectGone(lab);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['recycled']]);
  });

  test('is not ended while an answer is owed', async () => {
    const lab = await start({ recycleMs });
    const peer = lab.connect();
    peer.subscribe(se);
    const response = await lab.response(peer, se);
    lab.clock.advance(200_000);
    await lab.read(peer);
    expect(peer.ended).toBeUndefined();
    peer.ack(response);
    await lab.settled(peer);
    lab.clock.advance(recycleMs);
    expect((await peer.end()).code).toBe(code.ok);
  });

  test('is never ended on an istiod up to 1.11, which would not come back in the end', async () => {
    const lab = await start({ recycleMs });
    const peer = await connect(lab, nodeIds.upTo111);
    lab.clock.advance(10 * recycleMs);
    await lab.settled(peer);
    expect(peer.ended).toBeUndefined();
  });
});

describe('a shutdown', () => {
  test('ends every stream with UNAVAILABLE, and frees the port', async () => {
    const lab = await start();
    const peers = [await connect(lab), await connect(lab)];
    await lab.server.stop(5000);
    for (const peer of peers) {
      expect(await peer.end()).toEqual({ code: code.unavailable, details: 'Isthmus is shutting down' });
    }
    await expectGone(lab);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['shutdown'], ['shutdown']]);
    const late = lab.connect();
    late.subscribe(se);
    expect((await late.end()).code).toBe(code.unavailable);
  });

  test('without any stream is over at once', async () => {
    const lab = await start();
    await lab.server.stop(60_000);
    expect(lab.server.streams).toEqual([]);
  });

  test('does not tell streams of changes any more', async () => {
    const lab = await start();
    const peer = await connect(lab);
    await lab.server.stop(5000);
    await lab.deliver('galley', serviceEntry, []);
    lab.flush();
    await peer.end();
    expect(typesOf(peer)).toEqual([se]);
  });
});
