import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Resource } from '../../../src/model/resource.ts';
import { type KeyChanges, mergeSorted, update } from '../../../src/store/merge.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { newResource } from '../../support/resources.ts';

const arena = new Arena();
const make = (key: string) => newResource(key, 'x', arena);
const ignore = () => {};

/** The same with a map and a sort. */
function naive(list: readonly Resource[], changes: KeyChanges): Resource[] {
  const byKey = new Map<string, Resource | undefined>([...list.map((r) => [r.key, r] as const), ...changes]);
  return [...byKey.values()].filter((r) => r !== undefined).toSorted((a, b) => (a.key < b.key ? -1 : 1));
}

const key = fc.oneof(
  fc.integer({ min: 0, max: 40 }).map((n) => `ns/${n}`),
  fc.string({ unit: fc.constantFrom('a', 'b', '-', '/', 'é', '\u{1f3d9}', '￮'), minLength: 1, maxLength: 3 }),
);
const changes: fc.Arbitrary<KeyChanges> = fc
  .array(fc.tuple(key, fc.boolean(), fc.integer({ min: -1, max: 45 })), { maxLength: 30 })
  .map((list) => {
    const map = new Map<string, Resource | undefined>();
    for (const [k, isThere, hint] of list) {
      const resource = isThere ? make(k) : undefined;
      if (resource !== undefined) resource.at = hint;
      map.set(k, resource);
    }
    return map;
  });

for (const merge of [mergeSorted, update]) {
  describe(`${merge.name} of a sorted list and changes`, () => {
    test('is what a map and a sort would give, whatever the hints say', () => {
      fc.assert(
        fc.property(fc.array(changes, { maxLength: 5 }), (steps) => {
          let list: readonly Resource[] = [];
          for (const step of steps) {
            const left: Resource[] = [];
            const before = [...list];
            const next = merge(list, step, (resource) => left.push(resource));
            expect(next).toEqual(naive(list, step));
            expect(list, 'the list that was given must not change').toEqual(before);
            expect(new Set(left)).toEqual(new Set(before.filter((resource) => !next.includes(resource))));
            expect(left).toHaveLength(new Set(left).size);
            list = next;
          }
        }),
        { numRuns: 500 },
      );
    });

    test('is the list where there are no changes', () => {
      const list = ['a', 'b'].map(make);
      expect(merge(list, new Map(), ignore)).toEqual(list);
    });
  });
}

describe('update', () => {
  test('leaves every resource of a list whose keys changed with its own place as its hint', () => {
    fc.assert(
      fc.property(changes, (step) => {
        const next = update([], step);
        expect(next.map(({ at }) => at)).toEqual(next.map((_, i) => i));
      }),
    );
  });

  test('puts a replacement that knows its place there without a search', () => {
    const list = update([], new Map(['a', 'b', 'c'].map((k) => [k, make(k)])));
    const other = make('b');
    other.at = (list[1] as Resource).at;
    const next = update(list, new Map([['b', other]]));
    expect(next[1]).toBe(other);
    expect(next.map((r) => r.key)).toEqual(['a', 'b', 'c']);
  });

  test('does not take the place of another key for its own', () => {
    const list = update([], new Map(['a', 'b'].map((k) => [k, make(k)])));
    const other = make('c');
    other.at = 0;
    expect(update(list, new Map([['c', other]])).map((r) => r.key)).toEqual(['a', 'b', 'c']);
  });
});
