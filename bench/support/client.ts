/** An ADS client in istiod's place: asks for ServiceEntries, acknowledges every response, checks what is in it. */
import type { ClientDuplexStream } from '@grpc/grpc-js';
import { newClient, openStream } from '../../src/net/grpc.ts';
import { cursor, readLength, readVarint, skip } from '../../src/wire/scan.ts';
import { aggregatedDiscovery } from '../../src/wire/services.ts';
import { encodeDiscoveryRequest } from '../../src/wire/xds-messages.ts';
import { answer, sharedNow } from './ipc.ts';
import type { Expected } from './service-entries.ts';

/** What came, and when, on the clock that processes share. */
export type Arrival = { readonly at: number; readonly bytes: number };

export type ClientCommands = {
  /** `resourcesField`: number of the field that holds the resources of a response. */
  connect(port: number, resourcesField: number): void;
  /** Says what the next response has to hold; before that, none is welcome. */
  expect(expected: Expected): void;
  /** Waits for that response; returns when its last byte was there. @throws where it is a wrong one. */
  arrival(): Promise<Arrival>;
};

const typeUrl = 'networking.istio.io/v1alpha3/ServiceEntry';
const node = { id: 'sidecar~127.0.0.1~istiod-bench.istio-system~istio-system.svc.cluster.local', cluster: '' };
const nonceField = 5;

let next: { readonly expected: Expected; arrive(arrival: Arrival): void; fail(error: Error): void } | undefined;
let arrived: Promise<Arrival> = Promise.reject(new Error('nothing is expected'));
arrived.catch(() => {});

const commands: ClientCommands = {
  connect(port, resourcesField) {
    const client = newClient({ host: '127.0.0.1', port }, { 'grpc.max_receive_message_length': 2 ** 31 - 1 });
    const stream = openStream(client, aggregatedDiscovery()) as ClientDuplexStream<Buffer, Buffer>;
    stream.on('error', (error) => next?.fail(error));
    stream.on('data', (bytes: Buffer) => {
      const at = sharedNow();
      const { spans, nonce } = readEnvelope(bytes, resourcesField);
      stream.write(encodeDiscoveryRequest({ node, typeUrl, versionInfo: '', responseNonce: nonce }));
      if (next === undefined) throw new Error('a response came that nobody expected');
      const wrong = whatIsWrong(bytes, spans, next.expected);
      if (wrong === undefined) next.arrive({ at, bytes: bytes.length });
      else next.fail(new Error(wrong));
      next = undefined;
    });
    stream.write(encodeDiscoveryRequest({ node, typeUrl }));
  },
  expect(expected) {
    arrived = new Promise((arrive, fail) => {
      next = { expected, arrive, fail };
    });
    arrived.catch(() => {});
    global.gc?.();
  },
  arrival: () => arrived,
};

/** Start and end of each resource, in pairs, and the nonce. */
function readEnvelope(bytes: Buffer, resourcesField: number): { spans: number[]; nonce: string } {
  const spans: number[] = [];
  let nonce = '';
  let at = 0;
  while (at < bytes.length) {
    const tag = readVarint(bytes, at, bytes.length);
    if ((tag & 7) !== 2) {
      at = skip(bytes, tag & 7, cursor, bytes.length);
      continue;
    }
    const length = readLength(bytes, cursor, bytes.length);
    const start = cursor;
    at = start + length;
    if (tag >>> 3 === resourcesField) spans.push(start, at);
    else if (tag >>> 3 === nonceField) nonce = bytes.toString('utf8', start, at);
  }
  return { spans, nonce };
}

function whatIsWrong(bytes: Buffer, spans: readonly number[], expected: Expected): string | undefined {
  const { resources, mark, marked, name } = expected;
  if (spans.length / 2 !== resources) return `${spans.length / 2} resources arrived, ${resources} were expected`;
  let found = 0;
  let last = -1;
  for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) {
    found++;
    last = at;
  }
  if (found !== marked) return `${found} resources of revision ${mark} arrived, ${marked} were expected`;
  if (name === undefined) return undefined;
  const place = spans.findIndex((end, index) => index % 2 === 1 && last < end);
  const isIt = bytes.subarray(spans[place - 1], spans[place]).includes(name);
  return isIt ? undefined : `the changed resource is not ${name}`;
}

answer(commands);
