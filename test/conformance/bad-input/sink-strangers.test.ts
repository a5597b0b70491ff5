import { connect } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { AwaitedLab } from '../../support/awaited-lab.ts';
import { DiallingSource } from '../../support/dialling-source.ts';
import { eventually } from '../../support/eventually.ts';
import { encodeMessage, entry } from '../../support/legacy-source.ts';
import { exchangeBytes } from '../../support/raw-http.ts';
import { gw, se, we } from '../../support/sink-lab.ts';

/** Two sources: one that is there all along, and one that is played by whoever has the header. */
async function start() {
  const lab = await AwaitedLab.listen({
    good: { match: { meta: { name: 'good' } } },
    bad: { match: { meta: { name: 'bad' } }, options: { maxMessageBytes: 100_000 } },
  });
  const good = await lab.dial({ name: 'good' });
  for (const collection of [we, gw]) await good.deliver({ collection });
  await good.deliver({ collection: se, resources: [entry('x/kept')] });
  return { lab, good };
}

/** The source that was there all along has lost nothing, and is heard. */
async function expectServed({ lab, good }: Awaited<ReturnType<typeof start>>): Promise<void> {
  await good.deliver({ collection: se, resources: [entry('x/kept'), entry('x/new')] });
  expect(lab.held(se, 'good')).toEqual({ 'x/kept': 'a', 'x/new': 'a' });
  expect([good.status, lab.source('good').connection.streams]).toEqual([undefined, 1]);
}

const warnings = (lab: AwaitedLab, pattern: RegExp) =>
  lab.log.lines.filter(({ level, message }) => level === 'warn' && pattern.test(message));

describe('on the port for sources', () => {
  test('HTTP/1 is told what it speaks; the log names who it is, and where the pages are', async () => {
    const both = await start();
    const answer = await exchangeBytes(both.lab.port, 'GET /metrics?token=secret HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(answer).toMatch(/\r\n\r\nThis port speaks gRPC \(legacy MCP, ResourceSink\), without TLS\.\n$/);
    const [line] = warnings(both.lab, /a peer speaks HTTP\/1 on the port for sources/);
    expect(line?.fields).toMatchObject({ said: 'GET /metrics' });
    expect(JSON.stringify(both.lab.log.lines)).not.toContain('secret');
    await expectServed(both);
  });

  test('a TLS client is told in words that it knows, and named in the log', async () => {
    const both = await start();
    const error = await new Promise<NodeJS.ErrnoException>((resolve) => {
      connectTls({ host: '127.0.0.1', port: both.lab.port, rejectUnauthorized: false }).on('error', resolve);
    });
    expect(error.code).toMatch(/WRONG_VERSION_NUMBER|PACKET_LENGTH/);
    expect(warnings(both.lab, /a peer speaks TLS on the port for sources, which has no TLS/)).toHaveLength(1);
    await expectServed(both);
  });

  test('another method is not implemented: a sink that dials the wrong port is told so', async () => {
    const both = await start();
    const session = connect(`http://127.0.0.1:${both.lab.port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request({
      ':method': 'POST',
      ':path': '/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    const status = await new Promise((resolve) => {
      stream.on('response', (headers) => resolve(headers['grpc-status']));
    });
    expect(String(status)).toBe('12');
    await expectServed(both);
  });
});

test('a thousand streams of strangers are refused, in two lines of the log, and leave nothing behind', async () => {
  const both = await start();
  for (let round = 0; round < 20; round++) {
    const stranger = DiallingSource.connect(both.lab.port, '127.0.0.2');
    const codes = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => (await stranger.open({ [`header-${i}`]: 'secret' }).ended()).code),
    );
    expect(codes.filter((code) => code !== 7 && code !== 8)).toEqual([]);
    await stranger.close();
  }
  expect(warnings(both.lab, /./).length).toBeLessThanOrEqual(2);
  await eventually(() => both.lab.server.streams === 1);
  await expectServed(both);
});

describe('a source', () => {
  test('whose message is small on the wire, and above the limit once it is unpacked, is let go', async () => {
    const both = await start();
    const stream = await both.lab.dial({ name: 'bad', 'grpc-encoding': 'gzip' });
    const packed = gzipSync(
      Buffer.concat([
        encodeMessage({ collection: se }),
        Buffer.from([0x0a, 0xff, 0xff, 0x7f]),
        Buffer.alloc(2_097_151, 'v'),
      ]),
    );
    expect(packed.length).toBeLessThan(10_000);
    stream.sendPacked(packed);
    expect(await stream.ended()).toMatchObject({ code: 8 });
    expect(await both.lab.failure('bad')).toContain('it sent a message of more than 100000 bytes');
    await expectServed(both);
  });

  test('that sends half of a message, and no more, keeps nobody out', async () => {
    const both = await start();
    const half = await both.lab.dial({ name: 'bad' });
    half.sendPart(encodeMessage({ collection: se, resources: [entry('x/bad')] }), 20);
    // Whoever is left without an answer may have left over a collection: one half is asked for now.
    const whole = await both.lab.dial({ name: 'bad' }, 2);
    await whole.deliver({ collection: se, resources: [entry('x/bad')] });
    expect(both.lab.held(se, 'bad')).toEqual({ 'x/bad': 'a' });
    expect(await half.ended()).toMatchObject({ code: 10 });
    await expectServed(both);
  });

  test('that sends more than it is asked for, without waiting for answers, fills its window and no more', async () => {
    const both = await start();
    const stream = await both.lab.dial({ name: 'bad' });
    const messages = Array.from({ length: 300 }, (_, i) => ({
      collection: se,
      resources: [entry('x/bad', String(i))],
    }));
    stream.flood(messages);
    await eventually(() => stream.acked.length === 300);
    expect(both.lab.held(se, 'bad')).toEqual({ 'x/bad': '299' });
    await expectServed(both);
  });

  test('that sends any bytes at all ends its own stream at most', async () => {
    const both = await start();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 60 }), { minLength: 1, maxLength: 5 }), async (all) => {
        const stream = DiallingSource.connect(both.lab.port).open({ name: 'bad' });
        for (const bytes of all) stream.sendBytes(Buffer.from(bytes));
        // What is a message is answered; what is none ends the stream.
        await eventually(() => stream.status !== undefined || stream.answered >= all.length);
        stream.end();
        await stream.ended();
      }),
      { numRuns: 100 },
    );
    await expectServed(both);
  });
});
