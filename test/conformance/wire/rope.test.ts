import { type Client, Client as GrpcClient, credentials, type Server } from '@grpc/grpc-js';
import { afterEach, expect, test } from 'vitest';
import {
  listen,
  nameOf,
  newClient,
  newServer,
  openStream,
  type RawServerStream,
  serviceOf,
  stopServer,
} from '../../../src/net/grpc.ts';
import { Rope } from '../../../src/wire/frame.ts';
import { aggregatedDiscovery, type RawMethod, resourceSource } from '../../../src/wire/services.ts';

const servers: Server[] = [];
const clients: Client[] = [];

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await Promise.all(servers.splice(0).map((server) => stopServer(server, 0)));
});

const noLimit = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };

async function serve(method: RawMethod, handle: (call: RawServerStream) => void): Promise<number> {
  const server = newServer(noLimit);
  servers.push(server);
  server.addService(serviceOf(method), { [nameOf(method)]: handle });
  return listen(server, { host: '127.0.0.1', port: 0 }, 'test');
}

function dial(port: number): Client {
  const client = newClient({ host: '127.0.0.1', port }, noLimit);
  clients.push(client);
  return client;
}

/** A client as grpc-js makes it by default: with retries, for which it holds on to what was written. */
function dialWithRetries(port: number): Client {
  const client = new GrpcClient(`127.0.0.1:${port}`, credentials.createInsecure(), noLimit);
  clients.push(client);
  return client;
}

/** A rope of `length` bytes, no two places alike, in pieces of many sizes with views into larger buffers among them. */
function ropeOf(length: number): Rope {
  const whole = Buffer.alloc(length + 10);
  for (let i = 0; i + 4 <= whole.length; i += 4) whole.writeUInt32LE((i * 2_654_435_761) >>> 0, i);
  const pieces: Uint8Array[] = [];
  for (let at = 10, size = 1; at < whole.length; at += size, size = size * 3 + 1) {
    const piece = whole.subarray(at, Math.min(at + size, whole.length));
    pieces.push(pieces.length % 2 === 0 ? piece : new Uint8Array(piece), Buffer.alloc(0));
  }
  return Rope.of(...pieces);
}

/** Frames of HTTP/2 end at 16 KiB, the default window at 64 KiB; a large type is well beyond both. */
const sizes: readonly number[] = [0, 1, 5, 100, 16_383, 16_384, 65_535, 65_536, 70_001, 17 << 20];

/** The messages of a stream, once there are so many. */
function received(stream: NodeJS.EventEmitter, count: number): Promise<Buffer[]> {
  return new Promise((resolve, reject) => {
    const messages: Buffer[] = [];
    stream.on('error', reject);
    stream.on('data', (bytes: Buffer) => {
      if (messages.push(bytes) === count) resolve(messages);
    });
  });
}

function expectSame(messages: readonly Buffer[], ropes: readonly Rope[]): void {
  expect(messages.map((bytes) => bytes.length)).toEqual(ropes.map((rope) => rope.length));
  expect(messages.map((bytes, i) => bytes.equals((ropes[i] as Rope).toBuffer()))).toEqual(ropes.map(() => true));
}

const asBuffer = (rope: Rope) => rope as unknown as Buffer;

test('what a server writes as a rope arrives byte for byte', async () => {
  const ropes = sizes.map(ropeOf);
  const port = await serve(aggregatedDiscovery(), (call) => {
    call.on('error', () => {});
    for (const rope of ropes) call.write(asBuffer(rope));
  });
  const stream = openStream(dial(port), aggregatedDiscovery());
  const messages = await received(stream, sizes.length);
  stream.on('error', () => {});
  stream.cancel();
  expectSame(messages, ropes);
});

test.each([
  ['our client', dial],
  ["grpc-js' default client", dialWithRetries],
])('what %s writes as a rope arrives byte for byte', async (_who, connect) => {
  const ropes = sizes.map(ropeOf);
  let arrived: ((messages: Promise<Buffer[]>) => void) | undefined;
  const messages = new Promise<Buffer[]>((resolve) => {
    arrived = resolve;
  });
  const port = await serve(resourceSource(), (call) => arrived?.(received(call, sizes.length)));
  const stream = openStream(connect(port), resourceSource());
  stream.on('error', () => {});
  for (const rope of ropes) stream.write(rope);
  expectSame(await messages, ropes);
});

test('one rope can be sent on many streams at once, each with a tail of its own', async () => {
  const shared = ropeOf(1 << 20);
  let streams = 0;
  const port = await serve(aggregatedDiscovery(), (call) => {
    call.on('error', () => {});
    call.write(asBuffer(shared.with(Buffer.from(`stream ${streams++}`))));
  });
  const client = dial(port);
  const messages = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const stream = openStream(client, aggregatedDiscovery());
      const [message] = await received(stream, 1);
      stream.on('error', () => {});
      stream.cancel();
      return message as Buffer;
    }),
  );
  const common = shared.toBuffer();
  expect(messages.map((bytes) => bytes.subarray(0, common.length).equals(common))).toEqual(messages.map(() => true));
  expect(messages.map((bytes) => bytes.toString('latin1', common.length)).sort()).toEqual(
    [0, 1, 2, 3, 4].map((n) => `stream ${n}`),
  );
});

test('a rope may be written again after it was sent: the transport keeps and changes nothing of it', async () => {
  const rope = ropeOf(70_001);
  const before = rope.toBuffer();
  const port = await serve(aggregatedDiscovery(), (call) => {
    call.on('error', () => {});
    call.write(asBuffer(rope));
    call.on('data', () => call.write(asBuffer(rope)));
  });
  const stream = openStream(dial(port), aggregatedDiscovery());
  const messages = received(stream, 2);
  stream.once('data', () => stream.write(Buffer.from('again')));
  expectSame(await messages, [rope, rope]);
  stream.on('error', () => {});
  stream.cancel();
  expect(rope.toBuffer().equals(before)).toBe(true);
});

test('a rope is copied before write returns, so that its memory may hold something else right after', async () => {
  const memory = Buffer.alloc(200_000);
  const sent = [1, 2, 3];
  const port = await serve(aggregatedDiscovery(), (call) => {
    call.on('error', () => {});
    const send = async () => {
      for (const content of sent) {
        memory.fill(content);
        // As the server does: one message at a time.
        await new Promise((resolve) => {
          call.write(asBuffer(Rope.of(memory)), undefined, resolve);
          memory.fill(0xff);
        });
      }
    };
    void send();
  });
  const stream = openStream(dial(port), aggregatedDiscovery());
  const messages = await received(stream, sent.length);
  stream.on('error', () => {});
  stream.cancel();
  expect(messages.map((bytes) => [bytes.length, ...new Set(bytes)])).toEqual(
    sent.map((content) => [memory.length, content]),
  );
});
