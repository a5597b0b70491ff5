import { beforeEach, describe, expect, test } from 'vitest';
import { SinkExchange } from '../../../src/legacy/sink.ts';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { decodeRequestResources, encodeResources } from '../../../src/wire/legacy-messages.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { legacyResource } from '../../support/resources.ts';
import { field, truncated } from '../../support/wire-bytes.ts';

const sinkNode = { id: '', annotations: {} };

let exchange: SinkExchange;

beforeEach(() => {
  exchange = new SinkExchange(['a', 'b'], defaultSourceProfile);
});

/** A message of a collection, as bytes. */
function message(collection: string, parts: Partial<Parameters<typeof encodeResources>[0]> = {}): Buffer {
  return encodeResources({
    systemVersionInfo: 'v',
    collection,
    nonce: '1',
    incremental: false,
    resources: [],
    removedResources: [],
    ...parts,
  });
}

/** What a request says; nobody ever sends versions. */
function said(request: Buffer): object {
  const { initialResourceVersions = {}, ...rest } = decodeRequestResources(request);
  expect(initialResourceVersions).toEqual({});
  return rest;
}

/** Whether messages of these collections, all of them flagged as changes, count as whole states. */
function fulls(...collections: readonly string[]): boolean[] {
  return collections.map((collection) => {
    const received = exchange.receive(message(collection, { incremental: true }));
    return received.accepted && received.full;
  });
}

describe('initial requests', () => {
  test('are one per collection, in order, each without a nonce', () => {
    const common = { sinkNode, responseNonce: '', incremental: false };
    expect(exchange.initialRequests().map(said)).toEqual([
      { ...common, collection: 'a' },
      { ...common, collection: 'b' },
    ]);
  });

  test('carry name and flag of the profile, and never versions: no source reads those', () => {
    exchange = new SinkExchange(['a'], {
      ...defaultSourceProfile,
      sinkNodeId: 'pilot',
      incremental: true,
    });
    expect(exchange.initialRequests().map(said)).toEqual([
      {
        sinkNode: { id: 'pilot', annotations: {} },
        collection: 'a',
        responseNonce: '',
        incremental: true,
      },
    ]);
  });

  test('of no collection are none', () => {
    expect(new SinkExchange([], defaultSourceProfile).initialRequests()).toEqual([]);
  });
});

describe('the reply to a message', () => {
  test.each([false, true])('acknowledges: nonce echoed, no error, the flag of the profile (%s)', (incremental) => {
    exchange = new SinkExchange(['a'], { ...defaultSourceProfile, incremental });
    const { reply, accepted } = exchange.receive(message('a', { nonce: '17' }));
    expect(accepted).toBe(true);
    expect(said(reply)).toEqual({ sinkNode, collection: 'a', responseNonce: '17', incremental });
  });

  test('acknowledges resources that nobody can use: the state is the source’s own business', () => {
    const { accepted, message: view } = exchange.receive(message('a', { resources: [Buffer.from([0xff])] }));
    expect(accepted).toBe(true);
    expect(view.spans).toHaveLength(2);
  });

  test('echoes an empty nonce', () => {
    expect(said(exchange.receive(message('a', { nonce: '' })).reply)).toMatchObject({ responseNonce: '' });
  });

  test.each(['c', '', '$triggerCollection', 'A'])('refuses collection %j with code 12, never incremental', (name) => {
    exchange = new SinkExchange(['a'], { ...defaultSourceProfile, incremental: true });
    const received = exchange.receive(message(name, { nonce: '5' }));
    expect(received).toMatchObject({ accepted: false, code: 12, delayMs: 0 });
    expect(said(received.reply)).toEqual({
      sinkNode,
      collection: name,
      responseNonce: '5',
      errorDetail: { code: 12, message: `unsupported collection "${name}"`, details: [] },
      incremental: false,
    });
  });

  test('there is none to bytes that are no message', () => {
    expect(() => exchange.receive(truncated(3))).toThrow(MalformedError);
    expect(() => exchange.receive(field(2, 'a').subarray(0, 2))).toThrow(MalformedError);
    expect([...exchange.answered]).toEqual([]);
  });
});

describe('a message is the whole state of its collection', () => {
  test('where it does not say that it is a change', () => {
    const first = exchange.receive(message('a', { resources: [legacyResource('x/1')] }));
    const second = exchange.receive(message('a'));
    expect([first, second]).toMatchObject([{ full: true }, { full: true }]);
  });

  test('where it is the first one of its collection on the stream, whatever it says', () => {
    expect(fulls('a', 'a', 'b', 'a', 'b')).toEqual([true, false, true, false, false]);
  });

  test('also where others came before it that nobody asked for', () => {
    expect(fulls('c', 'a', 'c', 'a')).toEqual([false, true, false, false]);
  });

  test('on the next stream again', () => {
    fulls('a', 'a');
    exchange = new SinkExchange(['a', 'b'], defaultSourceProfile);
    expect(fulls('a', 'a')).toEqual([true, false]);
  });
});

describe('by profile', () => {
  test('state: merge: no message is the whole state, the first one neither', () => {
    exchange = new SinkExchange(['a', 'b'], { ...defaultSourceProfile, state: 'merge' });
    const received = [false, true].flatMap((incremental) =>
      ['a', 'a', 'b'].map((collection) => exchange.receive(message(collection, { incremental }))),
    );
    expect(received.map((one) => one.accepted && one.full)).toEqual([false, false, false, false, false, false]);
    // But for what is only counted.
    exchange = new SinkExchange(['a', 'b'], { ...defaultSourceProfile, state: 'merge' }, ['b']);
    expect(fulls('a', 'b', 'b')).toEqual([false, true, false]);
  });

  test('askAs: a collection is asked for and answered under the name that the source has for it', () => {
    exchange = new SinkExchange(['a', 'b'], { ...defaultSourceProfile, askAs: { a: 'other/a', c: 'other/c' } });
    expect(exchange.initialRequests().map(said)).toMatchObject([{ collection: 'other/a' }, { collection: 'b' }]);
    const received = exchange.receive(message('other/a', { nonce: '4' }));
    expect(received).toMatchObject({ accepted: true, full: true, message: { collection: 'a' } });
    expect(said(received.reply)).toMatchObject({ collection: 'other/a', responseNonce: '4' });
    // Under its own name it is taken all the same; what nobody asked for is not, whatever it is called.
    expect(exchange.receive(message('a'))).toMatchObject({ accepted: true, message: { collection: 'a' } });
    expect(exchange.receive(message('other/c'))).toMatchObject({ accepted: false });
    expect([...exchange.answered]).toEqual(['a']);
  });

  test('a SinkNode is there in any case: some servers end without one', () => {
    const [first = Buffer.alloc(0)] = exchange.initialRequests();
    // Field 1, whatever its length.
    expect(first[0]).toBe(0x0a);
    expect(exchange.receive(message('a')).reply[0]).toBe(0x0a);
  });
});

test('of a version that holds everything, little is kept', () => {
  const { message: view } = exchange.receive(message('a', { systemVersionInfo: 'x'.repeat(2 ** 20) }));
  expect(view.systemVersionInfo).toBe('x'.repeat(256));
});

test('the collections that have spoken are known', () => {
  fulls('b', 'c', 'b');
  expect([...exchange.answered]).toEqual(['b']);
});
