import { createServer, type Socket } from 'node:net';
import { listen } from '../listeners.ts';
import { frame, hasCall, headersFrame } from '../http2-frames.ts';
import { Random } from '../istiod/random.ts';
import { anyFrame, grpcMessage } from './attacks.ts';

/** Something on the port of a legacy server that answers calls with whatever the seed says. */
export class HostileSource {
  /** Calls so far. */
  calls = 0;
  readonly #seed: number;
  readonly #messages: readonly Buffer[];

  private constructor(seed: number, messages: readonly Buffer[]) {
    this.#seed = seed;
    this.#messages = messages;
  }

  /** Listens on 127.0.0.1 as long as the test lasts. @param messages valid ones. */
  static async listen(seed: number, messages: readonly Buffer[]): Promise<{ source: HostileSource; port: number }> {
    const source = new HostileSource(seed, messages);
    const port = await listen(createServer((socket) => source.#serve(socket)));
    return { source, port };
  }

  #serve(socket: Socket): void {
    let came = Buffer.alloc(0);
    const hear = (bytes: Buffer) => {
      came = Buffer.concat([came, bytes]);
      if (!hasCall(came)) return;
      socket.off('data', hear);
      socket.resume();
      this.#answer(socket, new Random(this.#seed + this.calls++ * 0x9e37_79b1));
    };
    socket.on('data', hear);
    socket.write(frame('SETTINGS', 0, 0));
  }

  #answer(socket: Socket, random: Random): void {
    socket.write(Buffer.concat(answers(random, this.#messages)));
    // Some stay on for a while, and say nothing more.
    setTimeout(() => socket.destroy(), random.chance(0.8) ? random.below(20) : 1000);
    if (random.chance(0.1)) socket.end();
  }
}

const statuses = ['0', '2', '3', '12', '14', '16', '99', '-1', 'x', ''];
const texts = [
  '',
  'no',
  'unsupported collection "istio/networking/v1alpha3/serviceentries"',
  '%zz',
  '%E0%A4%A',
  'x'.repeat(120),
];

/** The frames of one answer: headers, messages, an end; or some of them, or others. */
function answers(random: Random, messages: readonly Buffer[]): Buffer[] {
  const status = () => ({ 'grpc-status': random.pick(statuses), 'grpc-message': random.pick(texts) });
  const frames: Buffer[] = [];
  if (random.chance(0.9)) {
    const headers = {
      ':status': random.chance(0.9) ? '200' : random.pick(['204', '404', '503', '999', 'x']),
      'content-type': random.chance(0.9) ? 'application/grpc' : 'text/html',
      ...(random.chance(0.1) ? { 'grpc-encoding': random.pick(['gzip', 'deflate', 'zstd']) } : {}),
      ...(random.chance(0.1) ? { 'x-bin': random.pick(['!', 'AAAA']) } : {}),
      ...(random.chance(0.1) ? status() : {}),
    };
    frames.push(headersFrame(1, headers, random.chance(0.1)));
  }
  for (let left = random.below(6); left > 0; left--) {
    const what = random.weighted({ message: 8, end: 1, reset: 1, goAway: 1, ping: 1, any: 1 });
    if (what === 'message') frames.push(frame('DATA', 0, 1, grpcMessage(messages, random).subarray(0, 16_000)));
    else if (what === 'end') frames.push(headersFrame(1, status(), true));
    else if (what === 'reset') frames.push(frame('RST_STREAM', 0, 1, Buffer.from([0, 0, 0, random.below(14)])));
    else if (what === 'goAway') frames.push(frame('GOAWAY', 0, 0, Buffer.alloc(8)));
    else if (what === 'ping') frames.push(frame('PING', 0, 0, Buffer.alloc(8)));
    else frames.push(anyFrame(random));
  }
  return frames;
}
