import { expect, test } from 'vitest';
import type { StreamView } from '../../../src/xds/ads-server.ts';
import { type Cli, startServe } from '../../support/cli.ts';
import { dialHttp2, RawAds } from '../../support/raw-ads.ts';
import { ServingSource } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { seType, WatchingIstiod } from '../../support/watching-istiod.ts';

const mebibyte = 1 << 20;
const perPeer = 64;
/** Another host, as far as the bridge can tell. */
const stranger = '127.0.0.2';

type Lab = {
  readonly cli: Cli;
  readonly xds: number;
  readonly source: ServingSource;
  readonly istiod: WatchingIstiod;
  readonly streams: () => Promise<StreamView[]>;
  /** Resident memory of the bridge, in bytes. */
  readonly memory: () => Promise<number>;
};

/** A bridge that is a process of its own, so that its memory can be seen, and an istiod. */
async function start(): Promise<Lab> {
  const source = await ServingSource.listen({ 'shop/kept': 'one' });
  const address = `galley=mcp://127.0.0.1:${source.port}?collections=istio/networking/v1alpha3/serviceentries`;
  const { cli, xds, admin } = await startServe('--source', address);
  const istiod = WatchingIstiod.connect(xds);
  await istiod.hasOnly({ 'shop/kept': 'one' });
  const page = async (path: string) => (await fetch(`http://127.0.0.1:${admin}${path}`)).text();
  return {
    cli,
    xds,
    source,
    istiod,
    streams: async () => JSON.parse(await page('/debug/streams')) as StreamView[],
    memory: async () => {
      const found = /^process_resident_memory_bytes (\S+)$/m.exec(await page('/metrics'));
      return Number(found?.[1]);
    },
  };
}

let rounds = 0;

/** The istiod that was there all along has lost nothing, and gets what is new. */
async function expectServed({ cli, source, istiod }: Lab): Promise<void> {
  const news = `news ${++rounds}`;
  source.publish({ 'shop/kept': 'one', 'shop/new': news });
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': news });
  expect(istiod.lost('shop/kept')).toEqual([]);
  expect([istiod.peer.ended, cli.exit]).toEqual([undefined, undefined]);
}

test('10,000 types on one stream: it is ended at the 65th, with a word to both sides', async () => {
  const lab = await start();
  const greedy = new RawAds(dialHttp2(lab.xds, stranger));
  for (let i = 0; i < 10_000; i++) void greedy.ask(`example.com/v1/Kind${i}`);
  const details = 'more than 64 types on one stream';
  expect(await until('it is ended', () => greedy.status)).toEqual({ code: 8, details });
  await lab.cli.says(
    'stderr',
    new RegExp(`"reason":"refused","details":"${details}","hint":"only istiod .*","msg":"ending a stream to istiod"`),
  );
  await until('it is forgotten', async () => (await lab.streams()).length === 1);
  await expectServed(lab);
});

test('a peer whose types, names and refusals are as long as a request may be is not kept in memory with all of them', async () => {
  const lab = await start();
  const before = await lab.memory();
  const session = dialHttp2(lab.xds, stranger);
  for (let n = 0; n < 30; n++) {
    const stream = new RawAds(session);
    const long = 'x'.repeat(60 << 10);
    await stream.ask('core/v1alpha1/MeshConfig', { node: { id: long } });
    for (let i = 0; i < 64; i++) await stream.ask(`${i}-${long}`);
  }
  await until('all streams are known', async () => (await lab.streams()).length === 31);
  await expectServed(lab);
  const views = await lab.streams();
  expect(Math.max(...views.map(({ node }) => node.length))).toBe(256);
  // 114 MiB were said. What is garbage by now may not have been collected yet; all of it would show.
  await until('memory is given back', async () => (await lab.memory()) - before < 100 * mebibyte);
  expect(lab.cli.stderr.length).toBeLessThan(4 * mebibyte);
});

test('1,000 streams at once on one connection: 64 are served, the others are told why, and the places come free', async () => {
  const lab = await start();
  const before = await lab.memory();
  const session = dialHttp2(lab.xds, stranger);
  const streams = Array.from({ length: 1000 }, () => new RawAds(session));
  for (const stream of streams) void stream.ask(seType);
  await until('64 are served', () => streams.filter(({ bytes }) => bytes > 0).length === perPeer);
  const refused = () => streams.filter(({ status, stream }) => status !== undefined || stream.closed);
  await until('the others are refused', () => refused().length === 1000 - perPeer);
  const [first] = refused();
  expect(first?.status).toEqual({ code: 8, details: `too many streams of ${stranger}: 64 are served at once` });
  const line = await lab.cli.says('stderr', /\{[^\n]*"msg":"too many streams of one address"\}/);
  expect(JSON.parse(line[0])).toMatchObject({
    peer: stranger,
    limit: perPeer,
    hint: 'an istiod needs one stream: /debug/streams shows who holds them (docs/limits.md)',
  });
  expect(lab.cli.stderr.match(/too many streams of one address/g)).toHaveLength(1);
  expect(await lab.streams()).toHaveLength(perPeer + 1);
  expect((await lab.memory()) - before).toBeLessThan(100 * mebibyte);
  await expectServed(lab);

  session.destroy();
  await until('the places are free', async () => (await lab.streams()).length === 1);
  const again = new RawAds(dialHttp2(lab.xds, stranger));
  await again.ask(seType);
  await until('it is served', () => again.bytes > 0);
});

test('1,000 connections at once: bounded, refused with a word, and free again when they go', async () => {
  const lab = await start();
  const before = await lab.memory();
  const sessions = Array.from({ length: 1000 }, () => dialHttp2(lab.xds, stranger));
  const goodbyes: string[] = [];
  for (const session of sessions) {
    session.on('goaway', (code, _last, data) => goodbyes.push(`${code} ${Buffer.from(data ?? []).toString()}`));
  }
  const streams = sessions.map((session) => new RawAds(session));
  for (const stream of streams) void stream.ask(seType);
  await until('64 are served', () => streams.filter(({ bytes }) => bytes > 0).length === perPeer);
  const over = () => streams.filter(({ status, stream }) => status !== undefined || stream.closed).length;
  await until('the others are refused', () => over() === 1000 - perPeer);
  // 256 connections of one address are kept; the others hear why not, in HTTP/2's words (11 = ENHANCE_YOUR_CALM).
  expect(new Set(goodbyes)).toEqual(new Set(['11 too many connections']));
  expect(goodbyes).toHaveLength(1000 - 256);
  const line = await lab.cli.says('stderr', /\{[^\n]*"msg":"too many connections of one address[^\n]*\}/);
  expect(JSON.parse(line[0])).toMatchObject({ peer: expect.stringMatching(/^127\.0\.0\.2:\d+$/) as string });
  expect((await lab.memory()) - before).toBeLessThan(150 * mebibyte);
  await expectServed(lab);

  for (const session of sessions) session.destroy();
  await until('the places are free', async () => (await lab.streams()).length === 1);
  const again = new RawAds(dialHttp2(lab.xds, stranger));
  await again.ask(seType);
  await until('it is served', () => again.bytes > 0);
});
