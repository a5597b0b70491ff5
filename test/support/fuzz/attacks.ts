import { type ClientHttp2Stream, connect as connectHttp2, constants } from 'node:http2';
import { connect, type Socket } from 'node:net';
import { callFrame, frame, greeting, resetFrame } from '../http2-frames.ts';
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

/** Another host, as far as the server can tell: what it keeps from one address, it keeps from attackers alone. */
export const attackerAddress = '127.0.0.2';

/** Longest payload of a made-up HTTP/2 frame. */
const maxPayload = 80;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function noise(random: Random, length: number): Buffer {
  return Buffer.from(Array.from({ length }, () => random.below(256)));
}

/** An HTTP/2 frame of any type, whose length may be a lie. */
export function anyFrame(random: Random): Buffer {
  const type = random.chance(0.9) ? random.below(10) : random.below(256);
  const stream = random.chance(0.8) ? random.below(6) : random.below(2 ** 31);
  const bytes = frame(type, random.below(256), stream, noise(random, random.below(maxPayload)));
  if (random.chance(0.1)) bytes.writeUIntBE(random.below(1 << 24), 0, 3);
  return bytes;
}

/** A gRPC message, or something that begins like one. */
export function grpcMessage(messages: readonly Buffer[], random: Random): Buffer {
  const valid = random.pick(messages);
  const bytes = random.chance(0.3) ? valid : mutate(valid, random, random.pick(messages));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(bytes.length, 1);
  if (random.chance(0.1)) head[0] = random.below(256);
  if (random.chance(0.1)) head.writeUInt32BE(random.pick([0, 1, bytes.length + 1, 4 << 20, 2 ** 31, 2 ** 32 - 1]), 1);
  return Buffer.concat([head, bytes]);
}

function dial(port: number): Socket {
  const socket = connect({ host: '127.0.0.1', port, localAddress: attackerAddress });
  socket.on('error', () => {});
  socket.resume();
  return socket;
}

/** Bytes on a bare connection: noise, a greeting that is none, or HTTP/2 frames that make no sense. */
async function bare({ port }: Attacked, random: Random): Promise<Attack> {
  const socket = dial(port);
  const what = random.weighted({ noise: 1, greeting: 2, frames: 6 });
  if (what === 'noise') socket.write(noise(random, random.below(200)));
  else if (what === 'greeting') socket.write(mutate(greeting, random));
  else {
    socket.write(greeting);
    for (let left = 1 + random.below(20); left > 0; left--) socket.write(anyFrame(random));
  }
  if (random.chance(0.5)) await pause(random.below(5));
  return { close: () => closed(socket) };
}

/** Calls in as few packets as can be: what a server hears of one of them is how it began and ended at once. */
async function inOnePacket({ port, path, messages }: Attacked, random: Random, breaks: boolean): Promise<Attack> {
  const socket = dial(port);
  const frames: Buffer[] = [greeting];
  for (let stream = 1; stream < 2 + 2 * random.below(6); stream += 2) {
    const type = random.chance(0.8) ? 'application/grpc' : 'text/plain';
    const more = random.pick([
      {},
      { 'grpc-timeout': 'x' },
      { 'grpc-timeout': '1n' },
      { 'x-bin': '!' },
      { 'grpc-encoding': 'y' },
    ]);
    frames.push(callFrame(stream, random.chance(0.7) ? path : `${path}x`, type, more));
    for (let left = random.below(4); left > 0; left--) {
      const isLast = left === 1 && random.chance(0.3);
      frames.push(frame('DATA', isLast ? 1 : 0, stream, grpcMessage(messages, random).subarray(0, 10_000)));
      if (isLast) break;
    }
    if (random.chance(0.4)) frames.push(resetFrame(stream, random.below(14)));
  }
  if (breaks) for (let left = random.below(3); left > 0; left--) frames.push(anyFrame(random));
  const bytes = Buffer.concat(frames);
  const cut = random.chance(0.8) ? bytes.length : random.below(bytes.length);
  socket.write(bytes.subarray(0, cut));
  if (random.chance(0.5)) await pause(random.below(5));
  if (cut < bytes.length && random.chance(0.5)) socket.write(bytes.subarray(cut));
  if (random.chance(0.3)) socket.end();
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
  const session = connectHttp2(`http://127.0.0.1:${port}`, {
    createConnection: () => connect({ host: '127.0.0.1', port, localAddress: attackerAddress }),
  });
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
    if (what === 'message') stream.write(grpcMessage(messages, random));
    else if (what === 'part') stream.write(grpcMessage(messages, random).subarray(0, 1 + random.below(30)));
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

/**
 * One attack, which depends on `random` alone as far as a network lets it.
 *
 * @param breaks whether it may break the rules of HTTP/2 while calls are open: Node then reads nothing more of the
 *   connection, not even its end, and only the ping of the server finds out, up to 40 s later.
 */
export function attack(attacked: Attacked, random: Random, breaks: boolean): Promise<Attack> {
  const how = random.weighted({ bare: 2, inOnePacket: 3, calls: 5 });
  if (how === 'bare') return bare(attacked, random);
  return how === 'calls' ? calls(attacked, random) : inOnePacket(attacked, random, breaks);
}
