import * as fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';
import { OutputParts } from '../../../src/legacy/output-parts.ts';
import { ResourcePool } from '../../../src/model/resource.ts';
import { blockRows } from '../../../src/model/sizes.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { readResources } from '../../../src/wire/legacy-messages.ts';
import type { Part } from '../../../src/wire/legacy-source.ts';
import { keyOf, readRow } from '../../../src/wire/resource-frame.ts';
import { resourceBytes, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { newRow } from '../../support/resources.ts';

// A few resources to a part, so that a few of them are many parts.
vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

/** A list of rows that a test changes as a store does. */
class List {
  readonly pool = new ResourcePool();
  readonly arena = new Arena();
  rows: number[] = [];

  add(key: string, content = 'a'): void {
    const row = newRow(this.pool, key, content, this.arena);
    const at = this.rows.findIndex((other) => keyOf(this.pool, other) >= key);
    if (at < 0) this.rows.push(row);
    else if (keyOf(this.pool, this.rows[at] as number) === key) this.rows[at] = row;
    else this.rows.splice(at, 0, row);
  }

  remove(at: number): void {
    const [row] = this.rows.splice(at, 1);
    if (row !== undefined) this.pool.retire(row);
  }

  get snapshot(): Snapshot {
    const { pool } = this;
    const rows = Int32Array.from(this.rows);
    return { kind: 'k', version: 'v', identity: 'i', pool, rows, stamps: new Int32Array(1), bytes: 0 };
  }

  /** The Resource of each row, as istiod is given it. */
  get resources(): Buffer[] {
    return this.rows.map((row) => resourceBytes(readRow(this.pool, row)));
  }
}

function filled(count: number): List {
  const list = new List();
  for (let i = 0; i < count; i++) list.rows.push(newRow(list.pool, `x/${String(i).padStart(6, '0')}`, 'a', list.arena));
  return list;
}

/** The Resource messages in parts. */
function resourcesIn(parts: readonly Part[] | undefined): Buffer[] {
  const bytes = Buffer.concat((parts ?? []).map((part) => part.bytes));
  const { spans } = readResources(bytes);
  const resources: Buffer[] = [];
  for (let i = 0; i < spans.length; i += 2) resources.push(bytes.subarray(spans[i], spans[i + 1]));
  return resources;
}

test('a part has the very Resource messages of its rows, and knows names and versions', () => {
  const list = filled(3);
  const parts = new OutputParts().of(list.snapshot) ?? [];
  expect(resourcesIn(parts)).toEqual(list.resources);
  const views = list.resources.map((bytes) => viewResourceBytes(bytes));
  expect(parts.map(({ count }) => count)).toEqual([3]);
  expect(parts[0]?.listing.names).toEqual(views.map(({ name }) => name));
  expect(parts[0]?.listing.versions).toEqual(views.map(({ version }) => version));
  expect(new OutputParts().of(new List().snapshot)).toEqual([]);
});

describe('while one resource', () => {
  const many = 5 * blockRows;

  /** How many of the parts after a change are not those before it. */
  function fresh(change: (list: List) => void): number {
    const list = filled(many);
    const output = new OutputParts();
    const before = new Set(output.of(list.snapshot));
    expect(before.size).toBeGreaterThan(2);
    change(list);
    const after = output.of(list.snapshot) ?? [];
    expect(resourcesIn(after)).toEqual(list.resources);
    return after.filter((part) => !before.has(part)).length;
  }

  test('is another one, one part is', () => expect(fresh((list) => list.add('x/000007', 'bbbb'))).toBe(1));
  test('goes, one part is another one', () => expect(fresh((list) => list.remove(7))).toBe(1));
  test('comes, the others stay', () => expect(fresh((list) => list.add('x/000007a'))).toBeLessThanOrEqual(2));
  test('nothing happens, none is', () => expect(fresh(() => {})).toBe(0));
});

test('a large copy takes several calls, none of which forgets what the others did', () => {
  const list = filled(8 * blockRows);
  const output = new OutputParts();
  let calls = 0;
  let parts: Part[] | undefined;
  while (parts === undefined) {
    parts = output.of(list.snapshot, 1);
    calls++;
    // What comes meanwhile is in the result, too.
    if (calls === 2) list.add('x/000001a');
    if (calls > 100) throw new Error('it never ends');
  }
  expect(calls).toBeGreaterThan(2);
  expect(resourcesIn(parts)).toEqual(list.resources);
});

test('whatever comes, changes and goes, the parts are those of the moment', () => {
  const step = fc.record({
    do: fc.constantFrom('add' as const, 'remove' as const, 'look' as const),
    at: fc.nat(40),
    content: fc.constantFrom('a', 'b', 'ccc'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const list = new List();
      const output = new OutputParts();
      for (const { do: what, at, content } of steps) {
        if (what === 'add') list.add(`x/${at}`, content);
        else if (what === 'remove' && at < list.rows.length) list.remove(at);
        else expect(resourcesIn(output.of(list.snapshot))).toEqual(list.resources);
      }
      expect(resourcesIn(output.of(list.snapshot))).toEqual(list.resources);
    }),
    { numRuns: 100 },
  );
});
