import { beforeEach, describe, expect, test } from 'vitest';
import { AggregatedExchange } from '../../../src/legacy/aggregated.ts';
import type { Exchange } from '../../../src/legacy/exchange.ts';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { codec } from '../../peers/support/contract.ts';
import { entry } from '../../support/legacy-source.ts';
import { legacyResource } from '../../support/resources.ts';
import { field, truncated } from '../../support/wire-bytes.ts';

const requests = codec('istio.mcp.v1alpha1.MeshConfigRequest');
const responses = codec('istio.mcp.v1alpha1.MeshConfigResponse');

const se = 'istio/networking/v1alpha3/serviceentries';
const we = 'istio/networking/v1alpha3/workloadentries';
const seType = 'type.googleapis.com/istio.networking.v1alpha3.ServiceEntry';

let exchange: Exchange;

const start = (protocol: 'aggregated-1.0' | 'aggregated-1.1', ...collections: readonly string[]) =>
  new AggregatedExchange(collections, { ...defaultSourceProfile, protocol });

const message = (typeUrl: string, parts: object = {}) =>
  responses.encode({ versionInfo: '7', typeUrl, nonce: '1', resources: [], ...parts });

beforeEach(() => {
  exchange = start('aggregated-1.1', se, we);
});

describe('initial requests', () => {
  test('1.1: one per collection, by its name, without nonce and version', () => {
    const common = { versionInfo: '', sinkNode: { id: '', annotations: {} }, responseNonce: '', errorDetail: null };
    expect(exchange.initialRequests().map(requests.decode)).toEqual([
      { ...common, typeUrl: se },
      { ...common, typeUrl: we },
    ]);
  });

  test('1.0: by the type of the bodies; what has none there is not asked for', () => {
    exchange = start('aggregated-1.0', 'istio/policy/v1beta1/rules', se);
    expect(exchange.initialRequests().map(requests.decode)).toMatchObject([{ typeUrl: seType }]);
  });

  test('hold nothing that a server of 1.0 can’t read: its second field has a Struct where ours has annotations', () => {
    const profile = { ...defaultSourceProfile, protocol: 'aggregated-1.0', sinkNodeId: 'pilot' } as const;
    const [request = Buffer.alloc(0)] = new AggregatedExchange([se], profile).initialRequests();
    const client = field(2, field(1, 'pilot'));
    expect(request.includes(client)).toBe(true);
  });
});

describe('the reply to a message', () => {
  test('acknowledges: version and nonce repeated, no error, whatever is in it', () => {
    const received = exchange.receive(message(se, { versionInfo: '17_9', nonce: '4', resources: [entry('a/b/c')] }));
    expect(received).toMatchObject({ accepted: true, full: true });
    expect(received.message).toMatchObject({ collection: se, nonce: '4', incremental: false, removedResources: [] });
    expect(requests.decode(received.reply)).toEqual({
      versionInfo: '17_9',
      sinkNode: { id: '', annotations: {} },
      typeUrl: se,
      responseNonce: '4',
      errorDetail: null,
    });
  });

  test('refuses a type that nobody asked for under its own version, so that it is not sent again, and takes its time', () => {
    const received = exchange.receive(message('x', { versionInfo: '3', nonce: '9' }));
    expect(received).toMatchObject({ accepted: false, code: 12, delayMs: 1000 });
    expect(requests.decode(received.reply)).toMatchObject({
      versionInfo: '3',
      typeUrl: 'x',
      responseNonce: '9',
      errorDetail: { code: 12, message: 'unsupported type_url "x"' },
    });
    expect([...exchange.answered]).toEqual([]);
  });

  test('1.0: the collection is that of the type', () => {
    exchange = start('aggregated-1.0', se);
    expect(exchange.receive(message(seType)).message.collection).toBe(se);
    expect(exchange.receive(message(se))).toMatchObject({ accepted: false });
    expect([...exchange.answered]).toEqual([se]);
  });

  test('there is none to bytes that are no message', () => {
    expect(() => exchange.receive(truncated(2))).toThrow(MalformedError);
    expect(() => exchange.receive(Buffer.from([0x02, 0x00]))).toThrow(MalformedError);
  });
});

test('the resources of a message are where they stand, envelopes of 1.0 too', () => {
  const [one, other] = [legacyResource('a/1'), legacyResource('a/2')];
  // A field that nobody knows, and one of another wire type.
  const unknown = Buffer.concat([field(99, 'x'), field(98, 7)]);
  const bytes = Buffer.concat([field(1, 'v'), field(2, one), unknown, field(3, se), field(2, other), field(4, 'n')]);
  const { message: view } = exchange.receive(bytes);
  const found = [0, 2].map((i) => view.bytes.subarray(view.spans[i], view.spans[i + 1]));
  expect(found).toEqual([one, other]);
  expect(view.spans).toHaveLength(4);
});

test('a version of a megabyte is repeated, and not kept', () => {
  const versionInfo = 'v'.repeat(2 ** 20);
  const received = exchange.receive(message(se, { versionInfo }));
  expect(requests.decode(received.reply)).toMatchObject({ versionInfo });
  expect(received.message.systemVersionInfo).toHaveLength(256);
  expect(received.message).not.toHaveProperty('versionInfo');
});
