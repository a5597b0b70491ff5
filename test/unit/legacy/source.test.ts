import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { SourceExchange, type SourceView } from '../../../src/legacy/source.ts';
import { ViewOffers } from '../../../src/legacy/view-offers.ts';
import { type RequestResources, type ResourcesView, readResources } from '../../../src/wire/legacy-messages.ts';
import { encodeResourceMessage, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { legacyResource, serviceEntry, serviceEntryBody } from '../../support/resources.ts';

type Sent = { readonly collection: string; readonly nonce: string; readonly version: string };

/** A view of these collections and versions; nothing is in them. */
function viewOf(versions: Readonly<Record<string, string>>): SourceView {
  return new Map(Object.entries(versions).map(([name, version]) => [name, { version, resources: [] }]));
}

let offers: ViewOffers;
let exchange: SourceExchange;

function serve(view: SourceView): void {
  offers = new ViewOffers(view);
  exchange = new SourceExchange(offers);
}

beforeEach(() => {
  serve(viewOf({ a: '1', b: '1' }));
});

/** What is due, as it is sent. */
function messages(): ResourcesView[] {
  return exchange.due().flatMap((collection) => {
    const due = exchange.take(collection);
    return due === undefined ? [] : [readResources(due.message.toBuffer())];
  });
}

const sent = (): Sent[] =>
  messages().map(({ collection, nonce, systemVersionInfo }) => ({ collection, nonce, version: systemVersionInfo }));

/** Says a request. @throws where the source refuses. */
function say(collection: string, responseNonce = '', more: Partial<RequestResources> = {}): void {
  const sinkNode = { id: '', annotations: {} };
  const outcome = exchange.onRequest({ sinkNode, collection, responseNonce, incremental: false, ...more });
  if (outcome.kind === 'refused') throw new Error(outcome.details);
}

/** What a request makes the source send. @throws where it refuses. */
function ask(collection: string, responseNonce = '', more: Partial<RequestResources> = {}): Sent[] {
  say(collection, responseNonce, more);
  return sent();
}

function update(view: SourceView): void {
  offers.view = view;
  exchange.onChange();
}

function change(versions: Readonly<Record<string, string>>): Sent[] {
  update(viewOf(versions));
  return sent();
}

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
    serve(new Map([['a', { version: 'v', resources }]]));
    say('a', '', { incremental: true, initialResourceVersions: { 'x/1': 'v' } });
    const [view] = messages();
    expect(view).toMatchObject({ incremental: false, removedResources: [], systemVersionInfo: 'v' });
    const [start = 0, end = 0, next = 0, last = 0] = view?.spans ?? [];
    expect(view?.bytes.subarray(start, end)).toEqual(resources[0]);
    expect(view?.bytes.subarray(next, last)).toEqual(resources[1]);
  });

  test('of an empty collection is answered too, but not under the version ""', () => {
    expect(ask('a')).toHaveLength(1);
    serve(viewOf({ a: '' }));
    expect(ask('a')).toEqual([]);
    expect(change({ a: '1' })).toHaveLength(1);
  });

  test('of an unknown collection is refused by name', () => {
    expect(() => ask('c')).toThrow('unsupported collection "c"');
    expect(ask('a')).toHaveLength(1);
  });

  test('before anything is known waits for it', () => {
    serve(viewOf({ a: '' }));
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

describe('a subscription without a nonce, when nothing is outstanding', () => {
  test('is a new one: everything is sent again', () => {
    ask('a');
    ask('a', '1');
    expect(ask('a')).toEqual([{ collection: 'a', nonce: '2', version: '1' }]);
  });
});

test('collections that become due are sent in that order, each once', () => {
  serve(viewOf({ a: '1', b: '1', c: '1' }));
  for (const [i, name] of ['c', 'a', 'b'].entries()) {
    ask(name);
    ask(name, String(i + 1));
  }
  update(viewOf({ a: '1', b: '2', c: '1' }));
  update(viewOf({ a: '2', b: '3', c: '2' }));
  expect(sent().map(({ collection, version }) => [collection, version])).toEqual([
    ['b', '3'],
    ['c', '2'],
    ['a', '2'],
  ]);
});

describe('a sink that asks for changes', () => {
  const wants = { incremental: true };

  /** A view of one collection with these names and contents. */
  const holding = (version: string, contents: Readonly<Record<string, string>>): SourceView =>
    new Map([
      ['a', { version, resources: Object.entries(contents).map(([name, content]) => legacyResource(name, content)) }],
    ]);

  /** What is sent next, of which there is one. */
  function next(): { readonly incremental: boolean; readonly names: string[]; readonly removed: readonly string[] } {
    const [view, ...more] = messages();
    if (view === undefined || more.length > 0) throw new Error(`${more.length + 1} messages`);
    const { incremental, removedResources: removed, spans, bytes } = view;
    const names: string[] = [];
    for (let i = 0; i < spans.length; i += 2) {
      names.push(viewResourceBytes(bytes.subarray(spans[i], spans[i + 1])).name);
    }
    return { incremental, names, removed };
  }

  beforeEach(() => {
    serve(holding('1', { 'x/1': 'a', 'x/2': 'a', 'x/3': 'a' }));
    say('a', '', wants);
    expect(next()).toEqual({ incremental: false, names: ['x/1', 'x/2', 'x/3'], removed: [] });
  });

  test('is sent what was added, changed and removed since what it took', () => {
    say('a', '1', wants);
    update(holding('2', { 'x/1': 'b', 'x/3': 'a', 'x/4': 'a' }));
    expect(next()).toEqual({ incremental: true, names: ['x/1', 'x/4'], removed: ['x/2'] });
    say('a', '2', wants);
    update(holding('3', {}));
    expect(next()).toEqual({ incremental: true, names: [], removed: ['x/1', 'x/3', 'x/4'] });
  });

  test('is sent it although the source never gives another version to a resource that changes', () => {
    const bare = (name: string, host: string) =>
      encodeResourceMessage({ name, bodyType: serviceEntry.body, body: serviceEntryBody({ hosts: [host] }) });
    say('a', '1', wants);
    update(new Map([['a', { version: '2', resources: [bare('x/1', 'a'), bare('x/2', 'a')] }]]));
    next();
    say('a', '2', wants);
    update(new Map([['a', { version: '3', resources: [bare('x/1', 'a'), bare('x/2', 'b')] }]]));
    expect(next()).toEqual({ incremental: true, names: ['x/2'], removed: [] });
  });

  test('and refuses a change is sent the next one relative to what it took', () => {
    say('a', '1', wants);
    update(holding('2', { 'x/1': 'b', 'x/2': 'a', 'x/3': 'a' }));
    next();
    say('a', '2', { ...wants, errorDetail: { code: 3, message: 'no' } });
    update(holding('3', { 'x/1': 'b', 'x/2': 'a' }));
    expect(next()).toEqual({ incremental: true, names: ['x/1'], removed: ['x/3'] });
  });

  test('and refuses the first message is sent a whole state again', () => {
    say('a', '1', { ...wants, errorDetail: { code: 3, message: 'no' } });
    update(holding('2', { 'x/1': 'b' }));
    expect(next()).toEqual({ incremental: false, names: ['x/1'], removed: [] });
  });

  test('and asks anew is sent all that there is', () => {
    say('a', '1', wants);
    say('a', '', wants);
    expect(next()).toEqual({ incremental: false, names: ['x/1', 'x/2', 'x/3'], removed: [] });
  });

  test('once, and whole states before and afterwards, is sent changes where it is known what it has', () => {
    say('a', '1');
    update(holding('2', { 'x/1': 'b', 'x/2': 'a', 'x/3': 'a' }));
    expect(next()).toMatchObject({ incremental: false, names: ['x/1', 'x/2', 'x/3'] });
    say('a', '2', wants);
    update(holding('3', { 'x/1': 'b', 'x/2': 'a' }));
    expect(next()).toEqual({ incremental: true, names: [], removed: ['x/3'] });
    update(holding('4', { 'x/1': 'c' }));
    say('a', '3');
    expect(next()).toMatchObject({ incremental: false, names: ['x/1'] });
    update(holding('5', { 'x/1': 'd' }));
    // What it took is gone from the source when it asks for changes.
    say('a', '4', wants);
    expect(next()).toMatchObject({ incremental: false, names: ['x/1'] });
  });

  test('is sent a whole state where so much is another that nobody would compare it', () => {
    const many = Object.fromEntries(Array.from({ length: 20_001 }, (_, i) => [`x/${i}`, 'a']));
    say('a', '1', wants);
    update(holding('2', many));
    expect(next()).toMatchObject({ incremental: false });
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
      serve(viewOf({ a: '1', b: '1' }));
      const all: Sent[] = [];
      const open = new Map<string, string>();
      const take = (news: readonly Sent[]) => {
        for (const message of news) {
          expect(open.has(message.collection), 'a second unanswered message').toBe(false);
          open.set(message.collection, message.nonce);
          all.push(message);
          expect(message.nonce).toBe(String(all.length));
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
          const message = all[one.at];
          if (message !== undefined) answer(message.collection, message.nonce, one.do === 'ack' ? ask : nack);
        }
      }
      for (const collection of ['a', 'b']) answer(collection, '', ask);
      for (const [collection, nonce] of Array.from(open)) answer(collection, nonce, ask);
      take(change({ a: 'last', b: 'last' }));
      for (const collection of ['a', 'b']) {
        expect(all.findLast((message) => message.collection === collection)?.version).toBe('last');
      }
    }),
    { numRuns: 300 },
  );
});
