/**
 * Many ADS clients in one process that do the least that a client can: they count bytes, and acknowledge. Each has a
 * connection of its own, as istiods do. Plain HTTP/2: a gRPC client would copy every message once more.
 */
import { connect } from 'node:http2';
import { aggregatedDiscovery } from '../../src/wire/services.ts';
import { encodeDiscoveryRequest } from '../../src/wire/xds-messages.ts';
import type { Arrival } from './client.ts';
import { answer, sharedNow } from './ipc.ts';

export type ReadersCommands = {
  /** Opens so many streams that ask for ServiceEntries. */
  connect(port: number, streams: number): void;
  /** From here on, the next response of each stream counts. */
  expect(): void;
  /** Waits until all have it; returns when the last one had. @throws where their lengths differ. */
  arrival(): Promise<Arrival>;
};

const typeUrl = 'networking.istio.io/v1alpha3/ServiceEntry';
const node = { id: 'sidecar~127.0.0.1~istiod-bench.istio-system~istio-system.svc.cluster.local', cluster: '' };

/** As in src/net/grpc.ts. */
const windowBytes = 8 << 20;

/** Compression flag and length in front of every gRPC message. */
const headerBytes = 5;

/** More than the nonce field takes, which ends every response. */
const tailBytes = 32;
const nonceTag = 0x2a;

let streams = 0;
let missing = 0;
let length: number | undefined;
let settle: { arrive(arrival: Arrival): void; fail(error: Error): void } | undefined;
let arrived: Promise<Arrival> = Promise.reject(new Error('nothing is expected'));
arrived.catch(() => {});

const commands: ReadersCommands = {
  connect(port, count) {
    streams = missing = count;
    for (let i = 0; i < count; i++) read(port);
  },
  expect() {
    missing = streams;
    length = undefined;
    arrived = new Promise((arrive, fail) => {
      settle = { arrive, fail };
    });
    arrived.catch(() => {});
  },
  arrival: () => arrived,
};

function read(port: number): void {
  const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } });
  session.on('error', (error) => settle?.fail(error));
  session.on('connect', () => session.setLocalWindowSize(windowBytes));
  const headers = { 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(
    { ':method': 'POST', ':path': aggregatedDiscovery().path, ...headers },
    { endStream: false },
  );
  stream.on('error', (error) => settle?.fail(error));
  stream.on('close', () => settle?.fail(new Error('a stream ended')));

  let bytes = 0;
  let left = 0;
  let tail: Buffer = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    if (left === 0) {
      // No message follows another one that was not acknowledged, so a header never stands behind other bytes.
      bytes = chunk.readUInt32BE(1);
      left = headerBytes + bytes;
    }
    left -= chunk.length;
    tail = chunk.length >= tailBytes ? chunk.subarray(-tailBytes) : Buffer.concat([tail, chunk]).subarray(-tailBytes);
    if (left > 0) return;
    const at = sharedNow();
    if (left < 0) settle?.fail(new Error('a response came before the last one was acknowledged'));
    const responseNonce = tail.toString('latin1', tail.lastIndexOf(nonceTag) + 2);
    stream.write(framed(encodeDiscoveryRequest({ node, typeUrl, versionInfo: '', responseNonce })));
    came(at, bytes);
  });
  stream.write(framed(encodeDiscoveryRequest({ node, typeUrl })));
}

function came(at: number, bytes: number): void {
  length ??= bytes;
  if (length !== bytes) settle?.fail(new Error(`one stream got ${length} bytes, another one ${bytes}`));
  if (--missing === 0) settle?.arrive({ at, bytes });
  if (missing < 0) settle?.fail(new Error('a response came that nobody expected'));
}

function framed(message: Buffer): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

answer(commands);
