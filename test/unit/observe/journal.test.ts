import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Effect, EffectCounts, Effects } from '../../../src/model/effects.ts';
import { Journal, type JournalEntry } from '../../../src/observe/journal.ts';

const none: EffectCounts = { added: 0, changed: 0, removed: 0, quarantined: 0 };

const effect = (key: string, before = 0, after = 0): Effect => ({
  sort: 'changed',
  key,
  before: before === 0 ? undefined : Buffer.alloc(before),
  after: after === 0 ? undefined : Buffer.alloc(after),
  isTooLarge: false,
  sentFrom: undefined,
  note: undefined,
});

const said = (parts: Partial<Effects> = {}): Effects => ({
  origin: 'one',
  kind: 'g/K',
  cause: 'message',
  named: [],
  others: none,
  ...parts,
});

const at = new Date(0);

/** Keys of the entries, `+n` for n that are not named. */
const keysOf = (entries: readonly JournalEntry[]) =>
  entries.map(({ effect: one, others }) => one?.key ?? `+${others?.changed}`);

const held = (journal: Journal) => keysOf(journal.page({}, 100).entries);

test('the newest comes first; of one message, in its order, and what is only counted last', () => {
  const journal = new Journal();
  journal.add(said({ named: [effect('a'), effect('b')], others: { ...none, changed: 7 } }), at);
  journal.add(said({ named: [effect('c')] }), at);
  expect(held(journal)).toEqual(['c', 'a', 'b', '+7']);
  const [c, a, b, rest] = journal.page({}, 100).entries;
  expect([c?.batch, a?.batch, b?.batch, rest?.batch]).toEqual([2, 1, 1, 1]);
  expect(journal.get(a?.id ?? 0)).toBe(a);
});

test('the page of a filter is full, and the next one goes on behind it', () => {
  const journal = new Journal();
  for (let i = 0; i < 10; i++) {
    journal.add(said({ origin: i % 2 === 0 ? 'one' : 'two', named: [effect(`shop/${i}`)] }), at);
  }
  const first = journal.page({ origin: 'two' }, 2);
  expect([keysOf(first.entries), first.last]).toEqual([['shop/9', 'shop/7'], first.entries[1]?.id]);
  const second = journal.page({ origin: 'two' }, 3, first.last);
  expect([keysOf(second.entries), second.last]).toEqual([['shop/5', 'shop/3', 'shop/1'], undefined]);
  expect(keysOf(journal.page({ name: 'op/4' }, 10).entries)).toEqual(['shop/4']);
  expect(journal.page({ kind: 'g/Other' }, 10).entries).toEqual([]);
  expect(journal.page({}, 10, 1).entries).toEqual([]);
});

test('whose form is sent is found by its name too, and stands for who has said nothing', () => {
  const journal = new Journal();
  journal.add(said({ named: [{ ...effect('a'), sentFrom: 'two' }] }), at);
  journal.add(said({ origin: undefined, cause: 'precedence', named: [{ ...effect('b'), sentFrom: 'two' }] }), at);
  expect(keysOf(journal.page({ origin: 'two' }, 10).entries)).toEqual(['b', 'a']);
  expect(keysOf(journal.page({ origin: 'one' }, 10).entries)).toEqual(['a']);
  expect(journal.page({}, 1).entries[0]?.origin).toBe('two');
});

describe('its bounds', () => {
  test('the oldest entries go', () => {
    const journal = new Journal({ entries: 3, bodyBytes: 1000 });
    for (const key of ['a', 'b', 'c', 'd']) journal.add(said({ named: [effect(key, 10)] }), at);
    expect([held(journal), journal.size, journal.bodyBytes]).toEqual([['d', 'c', 'b'], 3, 30]);
    expect([journal.get(1), journal.get(5), journal.get(2.5)]).toEqual([undefined, undefined, undefined]);
    expect(journal.get(2)?.effect?.key).toBe('b');
  });

  test('the forms of the oldest go first, and say so; the entries stay', () => {
    const journal = new Journal({ entries: 10, bodyBytes: 100 });
    for (const key of ['a', 'b', 'c']) journal.add(said({ named: [effect(key, 20, 20)] }), at);
    expect([held(journal), journal.bodyBytes]).toEqual([['c', 'b', 'a'], 80]);
    expect(journal.page({}, 10).entries.map(({ isFaded }) => isFaded)).toEqual([false, false, true]);
    expect([journal.get(1)?.effect?.before, journal.get(2)?.effect?.before?.length]).toEqual([undefined, 20]);
  });

  test('hold whatever comes, and nothing goes before it has to', () => {
    const batch = fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { maxLength: 6 });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 80, max: 300 }),
        fc.array(fc.tuple(batch, fc.nat(2)), { maxLength: 30 }),
        (entries, bodyBytes, batches) => {
          const journal = new Journal({ entries, bodyBytes });
          /** The same as a plain list, newest first. */
          let kept: { key: string; bytes: number; isFaded: boolean }[] = [];
          const sum = () => kept.reduce((bytes, one) => bytes + one.bytes, 0);
          const add = (key: string, bytes: number) => {
            kept = [{ key, bytes, isFaded: false }, ...kept].slice(0, entries);
            while (sum() > bodyBytes) {
              const oldest = kept.findLastIndex((one) => one.bytes > 0);
              kept = kept.with(oldest, { key: kept[oldest]?.key ?? '', bytes: 0, isFaded: true });
            }
          };
          for (const [i, [sizes, changed]] of batches.entries()) {
            const named = sizes.map(([before, after], j) => effect(`${i}/${j}`, before, after));
            journal.add(said({ named, others: { ...none, changed } }), at);
            if (changed > 0) add(`+${changed}`, 0);
            for (const [j, [before, after]] of [...sizes.entries()].toReversed()) add(`${i}/${j}`, before + after);
            const shown = journal.page({}, 1000).entries.map((one) => ({
              key: keysOf([one])[0],
              bytes: (one.effect?.before?.length ?? 0) + (one.effect?.after?.length ?? 0),
              isFaded: one.isFaded,
            }));
            expect(shown).toEqual(kept);
            expect([journal.size, journal.bodyBytes]).toEqual([kept.length, sum()]);
          }
        },
      ),
    );
  });
});
