import { type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import type { Random } from '../istiod/random.ts';
import { mutate } from './mutations.ts';

/** What is attacked. */
export type Attacked = {
  readonly port: number;
  /** Path of its one method. */
  readonly path: string;
  /** Valid messages of a client. */
  readonly messages: readonly Buffer[];
};

/** A connection that is left open, until it is closed. */
export type Attack = { close(): Promise<void> };

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');
const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);

/** Longest payload of a made-up HTTP/2 frame. */
const maxPayload = 80;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

/** An HTTP/2 frame of any type, whose length may be a lie. */
function frame(random: Random): Buffer {
  const payload = noise(random, random.below(maxPayload));
  const head = Buffer.alloc(9);
  head.writeUIntBE(random.chance(0.1) ? random.below(1 << 24) : payload.length, 0, 3);
  head[3] = random.chance(0.9) ? random.below(10) : random.below(256);
  head[4] = random.below(256);
  head.writeUInt32BE(random.chance(0.8) ? random.below(6) : random.below(2 ** 31), 5);
  return Buffer.concat([head, payload]);
}

/** A gRPC message, or something that begins like one. */
function message(messages: readonly Buffer[], random: Random): Buffer {
  const valid = random.pick(messages);
  const bytes = random.chance(0.3) ? valid : mutate(valid, random, random.pick(messages));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  if (random.chance(0.1)) head[0] = random.below(256);
  if (random.chance(0.1)) head.writeUInt32BE(random.pick([0, 1, bytes.length + 1, 4 << 20, 2 ** 31, 2 ** 32 - 1]), 1);
  return Buffer.concat([head, bytes]);
}

/** Bytes on a bare connection: noise, a greeting that is none, or HTTP/2 frames that make no sense. */
async function bare({ port }: Attacked, random: Random): Promise<Attack> {
  const socket = connect({ host: '127.0.0.1', port });
  socket.on('error', () => {});
  socket.resume();
  const what = random.weighted({ noise: 1, greeting: 2, frames: 6 });
  if (what === 'noise') socket.write(noise(random, random.below(200)));
  else if (what === 'greeting') socket.write(mutate(Buffer.concat([preface, settings]), random));
  else {
    socket.write(Buffer.concat([preface, settings]));
    for (let left = 1 + random.below(20); left > 0; left--) socket.write(frame(random));
  }
  if (random.chance(0.5)) await pause(random.below(5));
  return { close: () => closed(socket) };
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    if (socket.closed) {
      resolve();
      return;
    }
    socket.once('close', () => resolve());
    socket.destroy();
  });
}

/** Calls as gRPC makes them, whose messages, ends and manners are anything. */
async function calls({ port, path, messages }: Attacked, random: Random): Promise<Attack> {
  const session = connectHttp2(`http://127.0.0.1:${port}`);
  session.on('error', () => {});
  const streams: ClientHttp2Stream[] = [];
  for (let left = 1 + random.below(4); left > 0; left--) {
    const stream = session.request({
      ':method': random.chance(0.95) ? 'POST' : 'GET',
      ':path': random.chance(0.95) ? path : `${path}x`,
      'content-type': random.chance(0.95) ? 'application/grpc' : 'text/plain',
      te: 'trailers',
      ...(random.chance(0.05) ? { 'grpc-encoding': random.pick(['gzip', 'deflate', 'zstd']) } : {}),
      ...(random.chance(0.05) ? { 'grpc-timeout': random.pick(['1m', '0n', '-1S', '99999999H', 'x']) } : {}),
    });
    stream.on('error', () => {});
    // Who reads nothing is among them.
    if (random.chance(0.8)) stream.resume();
    streams.push(stream);
  }
  for (let left = random.below(25); left > 0; left--) {
    const stream = random.pick(streams);
    if (stream.destroyed || stream.writableEnded) continue;
    const what = random.weighted({ message: 12, part: 3, noise: 2, end: 2, reset: 2, wait: 2 });
    if (what === 'message') stream.write(message(messages, random));
    else if (what === 'part') stream.write(message(messages, random).subarray(0, 1 + random.below(30)));
    else if (what === 'noise') stream.write(noise(random, 1 + random.below(60)));
    else if (what === 'end') stream.end();
    else if (what === 'reset')
      stream.close(random.pick([constants.NGHTTP2_CANCEL, constants.NGHTTP2_INTERNAL_ERROR, 11]));
    else await pause(random.below(4));
  }
  if (random.chance(0.2) && !session.destroyed) session.goaway(random.below(14));
  return {
    close: () =>
      new Promise((resolve) => {
        if (session.destroyed) {
          resolve();
          return;
        }
        session.once('close', () => resolve());
        // With a farewell, or without.
        if (random.chance(0.3)) for (const stream of streams) stream.destroy();
        session.destroy();
      }),
  };
}

/** One attack, which depends on `random` alone as far as a network lets it. */
export function attack(attacked: Attacked, random: Random): Promise<Attack> {
  return random.chance(0.35) ? bare(attacked, random) : calls(attacked, random);
}
