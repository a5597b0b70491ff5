import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Kind } from '../../../src/model/kinds.ts';
import { noGuard } from '../../support/store-lab.ts';
import { FakeIstiod, nodeIds } from '../../support/fake-istiod.ts';
import { type Bridge, typeUrlOf } from './bridge.ts';
import { bad, dialect, type Event, eventOf, good, kinds, type Origin, topology, withText } from './events.ts';
import { type Content, contents } from './content.ts';
import { type Dialect, isReadable, type Item, names, readingOf } from './item.ts';
import { Life } from './life.ts';
import { Meanings } from './meanings.ts';
import { propertyTimeoutMs, runs } from './runs.ts';

const keys = [...new Set(names.map(({ key }) => key))];

/** What is to be sent in the end: kind → key → content. */
type Truth = ReadonlyMap<Kind, ReadonlyMap<string, Content>>;

const truth: fc.Arbitrary<Truth> = fc
  .tuple(...kinds.map(() => fc.dictionary(fc.constantFrom(...keys), fc.constantFrom(...contents))))
  .map((all) => new Map(kinds.map((kind, i) => [kind, new Map(Object.entries(all[i] ?? {}))])));

/** How one origin comes to say at last what it has of one kind. */
type Last = {
  /** Numbers by which its resources are sorted. */
  readonly order: readonly number[];
  readonly dialects: readonly Dialect[];
  /** Forms of the same names that come before, and bad ones that come after. Neither counts. */
  readonly before: readonly Item[];
  readonly after: readonly Item[];
  readonly incremental: boolean;
  readonly pauseMs: number;
};

/** One bridge, with its own sources, and a past of its own. */
type Replica = {
  readonly origins: readonly Origin[];
  readonly past: readonly Event[];
  /** Of every key: whether the last origin has it, and the first one has not. */
  readonly owners: readonly boolean[];
  /** In this order. */
  readonly last: readonly (Last & { readonly origin: Origin; readonly kind: Kind })[];
};

const perKey = { minLength: keys.length, maxLength: keys.length };

const last: fc.Arbitrary<Last> = fc.record({
  order: fc.array(fc.nat(1000), perKey),
  dialects: fc.array(dialect, perKey),
  before: fc.array(fc.oneof(good, bad), { maxLength: 3 }),
  after: fc.array(bad, { maxLength: 2 }),
  incremental: fc.boolean(),
  pauseMs: fc.constantFrom(0, 20, 60, 1200),
});

const replica: fc.Arbitrary<Replica> = topology.chain((origins) => {
  const places = origins.flatMap((origin) => origin.kinds.map((kind) => ({ origin, kind })));
  return fc
    .record({
      origins: fc.constant(origins),
      past: fc.array(
        eventOf(origins).filter(({ type }) => type !== 'origin is added'),
        { maxLength: 15, size: 'max' },
      ),
      owners: fc.array(fc.boolean(), { minLength: keys.length, maxLength: keys.length }),
      last: fc
        .tuple(...places.map((place) => last.map((how) => ({ ...place, ...how }))))
        .chain((all) => fc.shuffledSubarray(all, { minLength: all.length })),
    })
    .map(withText);
});

/** Of a resource that is not made anew, create_time stays what it is: one for all content, or ADR 2 promises nothing. */
function withOwnTime(item: Item): Item {
  return item.form === 'good' ? { ...item, dialect: { ...item.dialect, time: 'some' } } : item;
}

function withOwnTimes(event: Event): Event {
  if (event.type === 'resource changes') return { ...event, dialect: { ...event.dialect, time: 'some' } };
  if (event.type !== 'message') return event;
  return { ...event, message: { ...event.message, items: event.message.items.map(withOwnTime) } };
}

/** The last message of one origin about one kind. */
function lastMessage({ origins, owners }: Replica, end: Replica['last'][number], all: Truth): Event {
  const { origin, kind, order, dialects, before, after, incremental } = end;
  const holders = origins.filter((one) => one.kinds.includes(kind));
  const isFirst = holders[0] === origin;
  const isOnly = holders.length === 1;
  // What the first one has, the other one may have too, with whatever content: it is not what is sent.
  const own = [...(all.get(kind) ?? [])].filter(([key]) => isOnly || !isFirst || owners[keys.indexOf(key)] !== true);
  const items = own.map(([key, content]): Item => {
    const place = keys.indexOf(key);
    const how = dialects[place] as Dialect;
    const spelt = names.filter((name) => name.key === key && isReadable(name, kind));
    const isHidden = !isFirst && owners[place] !== true;
    return {
      form: 'good',
      name: spelt[how.turn % spelt.length] as (typeof names)[number],
      content: isHidden ? (contents[(order[place] as number) % contents.length] as Content) : content,
      dialect: how,
    };
  });
  const rank = (item: Item) => order[keys.indexOf(readingOf(item, kind).key ?? '')] ?? 0;
  const has = new Set(items.map((item) => readingOf(item, kind).key));
  const isOwn = (item: Item) => {
    const { key } = readingOf(item, kind);
    return key !== undefined && has.has(key);
  };
  return {
    type: 'message',
    origin: origin.name,
    message: {
      kind,
      incremental,
      items: [...before.filter(isOwn), ...items.toSorted((a, b) => rank(a) - rank(b)), ...after.filter(isOwn)].map(
        withOwnTime,
      ),
      removed: incremental ? names.filter(({ key }) => !has.has(key)) : [],
    },
  };
}

async function comesTo(one: Life, by: Replica, all: Truth): Promise<void> {
  for (const end of by.last) {
    await one.happen(lastMessage(by, end, all));
    await one.happen({ type: 'time passes', ms: end.pauseMs });
  }
  await one.end();
}

/** Whole responses to a new istiod, of each type, nonce and all. */
async function responses(bridge: Bridge, nodeId: string): Promise<Record<string, string>> {
  const istiod = new FakeIstiod(bridge, nodeId);
  istiod.ask(...kinds.map(typeUrlOf));
  await bridge.clock.run(1000);
  istiod.exchange.close();
  expect(istiod.responses.map(({ typeUrl }) => typeUrl)).toEqual(kinds.map(typeUrlOf));
  return Object.fromEntries(istiod.responses.map(({ typeUrl, bytes }) => [typeUrl, bytes.toString('latin1')]));
}

test(
  'whatever came before, in whatever order, from however many sources: the same truth is the same bytes',
  async () => {
    const meanings = new Meanings();
    await fc.assert(
      fc.asyncProperty(truth, replica, replica, async (all, a, b) => {
        const lives = await Promise.all(
          [a, b].map(async (by) => {
            const one = new Life(by.origins, nodeIds.from112, meanings, noGuard);
            for (const event of by.past) await one.happen(withOwnTimes(event));
            await comesTo(one, by, all);
            return one;
          }),
        );
        const [first, second] = lives as [Life, Life];
        for (const nodeId of [nodeIds.from112, nodeIds.upTo111]) {
          const bytes = await responses(first.bridge, nodeId);
          expect(await responses(second.bridge, nodeId)).toEqual(bytes);
        }
        for (const one of lives) one.close();
      }),
      runs(90),
    );
  },
  propertyTimeoutMs,
);

test(
  'a bridge that restarts and is told again sends the same bytes',
  async () => {
    const meanings = new Meanings();
    await fc.assert(
      fc.asyncProperty(truth, replica, async (all, by) => {
        const one = new Life(by.origins, nodeIds.from112, meanings, noGuard);
        for (const event of by.past) await one.happen(withOwnTimes(event));
        await comesTo(one, by, all);
        const before = await responses(one.bridge, nodeIds.from112);
        const { bridge } = one;
        await one.happen({ type: 'bridge restarts', remembers: false });
        expect(one.bridge).not.toBe(bridge);
        expect(kinds.map((kind) => one.bridge.store.snapshot(kind.id))).toEqual(kinds.map(() => undefined));
        await comesTo(one, { ...by, last: by.last.toReversed() }, all);
        expect(await responses(one.bridge, nodeIds.from112)).toEqual(before);
        one.close();
      }),
      runs(60),
    );
  },
  propertyTimeoutMs,
);
