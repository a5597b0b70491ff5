import { describe, expect, test } from 'vitest';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { typesOf, XdsLab } from '../../support/xds-lab.ts';
import { versionsOf, type XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const we = 'networking.istio.io/v1/WorkloadEntry';

async function start(): Promise<XdsLab> {
  const lab = await XdsLab.start();
  lab.addOrigin('galley', serviceEntry, workloadEntry);
  await say(lab, 'a');
  await lab.deliver('galley', workloadEntry, []);
  lab.flush();
  return lab;
}

/** The source says that one of its two services is another now. */
async function say(lab: XdsLab, content: string): Promise<void> {
  await lab.deliver('galley', serviceEntry, [legacyResource('shop/orders', content), legacyResource('shop/carts')]);
}

/** An istiod that has everything. */
async function connect(lab: XdsLab): Promise<XdsPeer> {
  const peer = lab.connect();
  peer.subscribe(se, we);
  peer.ack(await lab.response(peer, se));
  peer.ack(await lab.response(peer, we));
  await lab.settled(peer);
  return peer;
}

const acked = (lab: XdsLab) =>
  lab.server.streams.map(({ types }) => types.find(({ typeUrl }) => typeUrl === se)?.ackedVersion);

test('a change is one push of its type, with the whole state in it', async () => {
  const lab = await start();
  const peer = await connect(lab);
  await say(lab, 'b');
  const first = await lab.response(peer, se, 1);
  const second = await lab.accept(peer, se, 2);
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([se, we, se]);
  const [before, after] = [versionsOf(first), versionsOf(second)];
  expect(after['shop/carts']).toBe(before['shop/carts']);
  expect(after['shop/orders']).not.toBe(before['shop/orders']);
  expect(second.versionInfo).not.toBe(first.versionInfo);
  expect(acked(lab)).toEqual([second.versionInfo]);
});

test('many changes while a push is not acknowledged are one push, of the last state', async () => {
  const lab = await start();
  const peer = await connect(lab);
  await say(lab, 'b');
  const second = await lab.response(peer, se, 2);
  for (const content of ['c', 'd', 'e', 'b', 'f']) {
    await say(lab, content);
    lab.flush();
  }
  await lab.read(peer);
  expect(typesOf(peer)).toEqual([se, we, se]);
  peer.ack(second);
  await lab.accept(peer, se, 3);
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([se, we, se, se]);
});

test('what did not change is not pushed, nor what changed back meanwhile', async () => {
  const lab = await start();
  const peer = await connect(lab);
  await say(lab, 'a');
  lab.flush();
  await say(lab, 'b');
  await say(lab, 'a');
  lab.flush();
  await lab.settled(peer);
  expect(typesOf(peer)).toEqual([se, we]);
});

test('an istiod that reconnects is given all anew, under the same version', async () => {
  const lab = await start();
  const first = await connect(lab);
  first.cancel();
  const second = await connect(lab);
  const [before, after] = [await first.response(se), await second.response(se)];
  expect(after.versionInfo).toBe(before.versionInfo);
  expect(after.resources).toEqual(before.resources);
});

describe('what a peer says of a push', () => {
  test('counts under the nonce that is out alone', async () => {
    const lab = await start();
    const peer = lab.connect();
    peer.subscribe(se);
    const response = await lab.response(peer, se);
    for (const responseNonce of ['', '0', `${response.nonce}0`, 'x'.repeat(1000)]) {
      peer.request({ typeUrl: se, responseNonce });
      peer.request({ typeUrl: se, responseNonce, errorDetail: { code: 3, message: 'old' } });
    }
    await lab.read(peer);
    expect(lab.server.streams[0]?.types[0]).toMatchObject({ awaitingAck: true, ackedVersion: null, nack: null });
    peer.ack(response);
    peer.nack(response, 'twice');
    await lab.read(peer);
    expect(lab.server.streams[0]?.types[0]).toMatchObject({
      awaitingAck: false,
      ackedVersion: response.versionInfo,
      nack: null,
    });
  });

  test('a refusal is shown, and is not asked for again; the next state is sent', async () => {
    const lab = await start();
    const peer = lab.connect();
    peer.subscribe(se);
    const refused = await lab.response(peer, se);
    peer.nack(refused, 'cannot read that');
    await lab.settled(peer);
    expect(typesOf(peer)).toEqual([se]);
    expect(lab.server.streams[0]?.types[0]).toMatchObject({ nack: 'cannot read that', ackedVersion: null });
    expect(lab.reported.of('pushNacked')).toEqual([['ServiceEntry']]);
    await say(lab, 'b');
    await lab.accept(peer, se, 2);
    expect(lab.server.streams[0]?.types[0]).toMatchObject({ nack: null, awaitingAck: false });
  });

  test('of another type counts for that one', async () => {
    const lab = await start();
    const peer = lab.connect();
    peer.subscribe(se, we);
    await lab.read(peer);
    const [entries, workloads] = [await lab.response(peer, se), await lab.response(peer, we)];
    peer.ack({ ...entries, nonce: workloads.nonce });
    await lab.read(peer);
    expect(lab.server.streams[0]?.types.slice(0, 2).map(({ awaitingAck }) => awaitingAck)).toEqual([true, true]);
    peer.ack(workloads);
    await lab.read(peer);
    expect(lab.server.streams[0]?.types.slice(0, 2).map(({ awaitingAck }) => awaitingAck)).toEqual([true, false]);
  });
});

test('two istiods are served alike, and a slow one does not hold the other up', async () => {
  const lab = await start();
  const [quick, slow] = [await connect(lab), await connect(lab)];
  await say(lab, 'b');
  await lab.response(slow, se, 2);
  await lab.accept(quick, se, 2);
  await say(lab, 'c');
  const third = await lab.accept(quick, se, 3);
  expect(slow.types.filter((type) => type === se)).toHaveLength(2);
  slow.ack(await lab.response(slow, se, 2));
  const late = await lab.accept(slow, se, 3);
  expect(late.versionInfo).toBe(third.versionInfo);
  expect(late.resources).toEqual(third.resources);
});
