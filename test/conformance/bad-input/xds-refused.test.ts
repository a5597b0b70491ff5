import { describe, expect, test } from 'vitest';
import { framed } from '../../support/grpc-frames.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { dialHttp2, RawAds } from '../../support/raw-ads.ts';
import { legacyResource, serviceEntry } from '../../support/resources.ts';
import { until } from '../../support/until.ts';
import { XdsLab } from '../../support/xds-lab.ts';

const se = 'networking.istio.io/v1/ServiceEntry';

/** Far more than the windows and buffers of a connection hold. */
const many = 20_000;

const noRequest = framed(Buffer.from([0xff]));

/** A peer that has asked for much, reads nothing, and then says what is no request. */
async function refusedBehindMuch() {
  const lab = await XdsLab.start({ maxUnsentPerPeer: 1 });
  lab.addOrigin('galley', serviceEntry);
  const long = (i: number) => legacyResource(`shop/s-${i}`, `${i}`.padStart(400, 'x'));
  await lab.deliver(
    'galley',
    serviceEntry,
    Array.from({ length: many }, (_, i) => long(i)),
  );
  lab.flush();
  const peer = new RawAds(dialHttp2(lab.port), false);
  await peer.ask(se);
  await lab.flow('the push has begun', () => lab.reported.of('pushed').length === 1);
  peer.stream.write(noRequest);
  await until('it is refused', () => lab.reported.of('pushStreamEnded').length === 1);
  expect(lab.reported.of('pushStreamEnded')).toEqual([['refused']]);
  return { lab, peer };
}

describe('a peer that is refused while much is on its way to it', () => {
  test('hears why, as soon as it reads', async () => {
    const { peer } = await refusedBehindMuch();
    peer.stream.resume();
    expect(await until('it hears why', () => peer.status)).toEqual({ code: 3, details: 'this is no DiscoveryRequest' });
  });

  test('has 5 s for it, in which it gets nothing more on other streams; then all of that is dropped', async () => {
    const { lab, peer } = await refusedBehindMuch();
    const pushes = () => lab.reported.of('pushed').length;
    const other = new RawAds(dialHttp2(lab.port));
    await other.ask(se);
    await until('the other stream is there', () => lab.server.streams[0]?.types.length === 1);
    await lab.clock.run(4000);
    expect([pushes(), peer.stream.closed]).toEqual([1, false]);
    lab.clock.advance(1000);
    await until('it is reset', () => peer.stream.closed);
    expect(peer.status).toBeUndefined();
    await until('the other stream has its turn', () => pushes() === 2);
  });
});

describe('a peer that is up to no good again and again', () => {
  type Line = { readonly peer: string; readonly before?: number };

  async function start() {
    const log = new MemoryLogger();
    const lab = await XdsLab.start({ log });
    const warnings = (message: string) =>
      log.lines.filter((line) => line.level === 'warn' && line.message === message).map(({ fields }) => fields as Line);
    return { lab, warnings };
  }

  const stranger = '127.0.0.2';

  test('is one line a minute where its streams are refused, with a count; another one is heard all the same', async () => {
    const { lab, warnings } = await start();
    const lines = () => warnings('ending a stream to istiod');
    const offend = async (from: string, times: number) => {
      const session = dialHttp2(lab.port, from);
      const before = lab.reported.of('pushStreamEnded').length;
      for (let i = 0; i < times; i++) new RawAds(session).stream.write(noRequest);
      await until('all are refused', () => lab.reported.of('pushStreamEnded').length === before + times);
    };
    await offend(stranger, 50);
    expect(lines()).toMatchObject([{ peer: expect.stringMatching(/^127\.0\.0\.2:\d+$/), reason: 'refused' }]);
    await offend('127.0.0.3', 1);
    expect(lines()).toHaveLength(2);
    lab.clock.advance(60_000);
    await offend(stranger, 10);
    expect(lines().map(({ before }) => before)).toEqual([undefined, undefined, 49]);
  });

  test('the same where it asks for types that no istiod asks for', async () => {
    const { lab, warnings } = await start();
    const lines = () => warnings('a type that istiod never asks for');
    const ask = async (round: number) => {
      for (let i = 0; i < 3; i++) {
        const stream = new RawAds(dialHttp2(lab.port, stranger));
        for (let type = 0; type < 10; type++) await stream.ask(`envoy.${round}/T${type}`);
        await stream.ask(`a/b/C${round}${i}`);
      }
      const asked = (name: string) =>
        lab.server.streams.some(({ types }) => types.some(({ typeUrl }) => typeUrl === name));
      await until('all is read', () => [0, 1, 2].every((i) => asked(`a/b/C${round}${i}`)));
    };
    await ask(1);
    expect(lines()).toHaveLength(1);
    lab.clock.advance(60_000);
    await ask(2);
    expect(lines()).toMatchObject([{ peer: expect.stringMatching(/^127\.0\.0\.2:/) }, { before: 29 }]);
  });
});
