import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { SourceExchange, type SourceView } from '../../../src/legacy/source.ts';
import { type RequestResources, readResources } from '../../../src/wire/legacy-messages.ts';
import { legacyResource } from '../../support/resources.ts';

type Sent = { readonly collection: string; readonly nonce: string; readonly version: string };

/** A view of these collections and versions; nothing is in them. */
function viewOf(versions: Readonly<Record<string, string>>): SourceView {
  return new Map(Object.entries(versions).map(([name, version]) => [name, { version, resources: [] }]));
}

let exchange: SourceExchange;

beforeEach(() => {
  exchange = new SourceExchange(viewOf({ a: '1', b: '1' }));
});

const read = (messages: readonly Buffer[]): Sent[] =>
  messages.map((bytes) => {
    const { collection, nonce, systemVersionInfo } = readResources(bytes);
    return { collection, nonce, version: systemVersionInfo };
  });

/** What a request makes the source send. @throws where it refuses. */
function ask(collection: string, responseNonce = '', more: Partial<RequestResources> = {}): Sent[] {
  const sinkNode = { id: '', annotations: {} };
  const answer = exchange.onRequest({ sinkNode, collection, responseNonce, incremental: false, ...more });
  if (answer.kind === 'refuse') throw new Error(answer.details);
  return read(answer.messages);
}

const change = (versions: Readonly<Record<string, string>>) => read(exchange.onChange(viewOf(versions)));
const nack = (collection: string, nonce: string) => ask(collection, nonce, { errorDetail: { code: 3, message: 'no' } });

describe('a subscription', () => {
  test('is answered at once, under nonces that all collections of the stream share', () => {
    expect(ask('b')).toEqual([{ collection: 'b', nonce: '1', version: '1' }]);
    expect(ask('a')).toEqual([{ collection: 'a', nonce: '2', version: '1' }]);
    expect(ask('a', '2')).toEqual([]);
    expect(change({ a: '2', b: '1' })).toEqual([{ collection: 'a', nonce: '3', version: '2' }]);
  });

  test('gets every resource as it is, in a whole state, even if changes are asked for', () => {
    const resources = [legacyResource('x/1'), legacyResource('x/2')];
    exchange = new SourceExchange(new Map([['a', { version: 'v', resources }]]));
    const sinkNode = { id: '', annotations: {} };
    const initialResourceVersions = { 'x/1': 'v' };
    const answer = exchange.onRequest({
      sinkNode,
      collection: 'a',
      responseNonce: '',
      incremental: true,
      initialResourceVersions,
    });
    const messages = answer.kind === 'send' ? answer.messages : [];
    const [view] = messages.map((bytes) => readResources(bytes));
    expect(view).toMatchObject({ incremental: false, removedResources: [], systemVersionInfo: 'v' });
    const [start = 0, end = 0, next = 0, last = 0] = view?.spans ?? [];
    expect(view?.bytes.subarray(start, end)).toEqual(resources[0]);
    expect(view?.bytes.subarray(next, last)).toEqual(resources[1]);
  });

  test('of an empty collection is answered too, but not under the version ""', () => {
    expect(ask('a')).toHaveLength(1);
    exchange = new SourceExchange(viewOf({ a: '' }));
    expect(ask('a')).toEqual([]);
    expect(change({ a: '1' })).toHaveLength(1);
  });

  test('of an unknown collection is refused by name', () => {
    expect(() => ask('c')).toThrow('unsupported collection "c"');
    expect(ask('a')).toHaveLength(1);
  });

  test('before anything is known waits for it', () => {
    exchange = new SourceExchange(viewOf({ a: '' }));
    ask('a');
    expect(change({ a: '7' })).toEqual([{ collection: 'a', nonce: '1', version: '7' }]);
  });
});

describe('while a message is not answered', () => {
  beforeEach(() => {
    ask('a');
  });

  test('nothing more is sent of its collection; of what changed meanwhile only the last state is', () => {
    expect(change({ a: '2', b: '1' })).toEqual([]);
    expect(change({ a: '3', b: '1' })).toEqual([]);
    expect(ask('a', '1')).toEqual([{ collection: 'a', nonce: '2', version: '3' }]);
  });

  test('other collections are sent as ever', () => {
    expect(ask('b')).toHaveLength(1);
    ask('b', '2');
    expect(change({ a: '2', b: '2' })).toEqual([{ collection: 'b', nonce: '3', version: '2' }]);
  });

  test('a state that came and went again is not sent', () => {
    change({ a: '2', b: '1' });
    change({ a: '1', b: '1' });
    expect(ask('a', '1')).toEqual([]);
  });

  test.each(['0', '2', '01', 'x', '1 '])('the nonce %j is stale: nothing happens', (nonce) => {
    change({ a: '2', b: '1' });
    expect(ask('a', nonce)).toEqual([]);
    expect(nack('a', nonce)).toEqual([]);
    expect(ask('a', '1')).toHaveLength(1);
  });

  test('a request without a nonce counts as its answer', () => {
    change({ a: '2', b: '1' });
    expect(ask('a')).toEqual([{ collection: 'a', nonce: '2', version: '2' }]);
    expect(ask('a', '1')).toEqual([]);
  });
});

describe('an answer', () => {
  test('that comes a second time is stale', () => {
    ask('a');
    ask('a', '1');
    change({ a: '2', b: '1' });
    expect(ask('a', '1')).toEqual([]);
    expect(change({ a: '3', b: '1' })).toEqual([]);
    expect(ask('a', '2')).toEqual([{ collection: 'a', nonce: '3', version: '3' }]);
  });

  test('that is a refusal does not get the same state again, only the next one', () => {
    ask('a');
    expect(nack('a', '1')).toEqual([]);
    expect(change({ a: '1', b: '1' })).toEqual([]);
    expect(change({ a: '2', b: '1' })).toEqual([{ collection: 'a', nonce: '2', version: '2' }]);
  });

  test('that is a refusal gets what changed meanwhile', () => {
    ask('a');
    change({ a: '2', b: '1' });
    expect(nack('a', '1')).toEqual([{ collection: 'a', nonce: '2', version: '2' }]);
  });

  test('to another collection’s message is stale', () => {
    ask('a');
    ask('b');
    change({ a: '2', b: '2' });
    expect(ask('a', '2')).toEqual([]);
    expect(ask('b', '2')).toEqual([{ collection: 'b', nonce: '3', version: '2' }]);
  });
});

describe('a change', () => {
  test('of what nobody asked for is not sent', () => {
    ask('a');
    ask('a', '1');
    expect(change({ a: '1', b: '2' })).toEqual([]);
    expect(ask('b')).toEqual([{ collection: 'b', nonce: '2', version: '2' }]);
  });

  test('that takes a collection away sends nothing, and its next state is sent', () => {
    ask('a');
    ask('a', '1');
    expect(change({ b: '1' })).toEqual([]);
    expect(() => ask('a')).toThrow('unsupported collection "a"');
    expect(change({ a: '2', b: '1' })).toHaveLength(1);
  });
});

test('whatever a sink does: one unanswered message per collection, and at last it has the newest state', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('change' as const), version: fc.constantFrom('1', '2', '3') }),
    fc.record({ do: fc.constant('ask' as const), collection: fc.constantFrom('a', 'b') }),
    fc.record({ do: fc.constantFrom('ack' as const, 'nack' as const), at: fc.nat(20) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      exchange = new SourceExchange(viewOf({ a: '1', b: '1' }));
      const sent: Sent[] = [];
      const open = new Map<string, string>();
      const take = (messages: readonly Sent[]) => {
        for (const message of messages) {
          expect(open.has(message.collection), 'a second unanswered message').toBe(false);
          open.set(message.collection, message.nonce);
          sent.push(message);
          expect(message.nonce).toBe(String(sent.length));
        }
      };
      const answer = (collection: string, nonce: string, reply: (collection: string, nonce: string) => Sent[]) => {
        if (nonce === '' || open.get(collection) === nonce) open.delete(collection);
        take(reply(collection, nonce));
      };
      for (const one of steps) {
        if (one.do === 'change') take(change({ a: one.version, b: one.version }));
        else if (one.do === 'ask') answer(one.collection, '', ask);
        else {
          const message = sent[one.at];
          if (message !== undefined) answer(message.collection, message.nonce, one.do === 'ack' ? ask : nack);
        }
      }
      for (const collection of ['a', 'b']) answer(collection, '', ask);
      for (const [collection, nonce] of Array.from(open)) answer(collection, nonce, ask);
      take(change({ a: 'last', b: 'last' }));
      for (const collection of ['a', 'b']) {
        expect(sent.findLast((message) => message.collection === collection)?.version).toBe('last');
      }
    }),
    { numRuns: 300 },
  );
});
