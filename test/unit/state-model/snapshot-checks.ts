import { expect } from 'vitest';
import type { Chunk } from '../../../src/model/resource.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { VersionSum } from '../../../src/store/version-sum.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { decodeDiscoveryResponse } from '../../../src/wire/xds-messages.ts';
import { serviceEntry } from '../../support/resources.ts';
import type { StoreLab } from '../../support/store-lab.ts';

/** What one snapshot says, after a look at everything that has to hold of it. */
export function contentOfSnapshot(snapshot: Snapshot): string {
  const { pool, rows, version, bytes } = snapshot;
  const sum = new VersionSum();
  let before = '';
  for (const row of rows) {
    const name = keyOf(pool, row);
    expect(name > before, `${name} after ${before}`).toBe(true);
    before = name;
    expect([pool.isListed(row), rows[pool.at(row)]]).toEqual([true, row]);
    sum.add(pool, row);
  }
  expect(version).toBe(sum.toString());
  expect(bytes).toBe(rows.reduce((all, row) => all + pool.bytes(row), 0));
  const linesOf = (versioned: boolean) =>
    decodeDiscoveryResponse(frameOf(snapshot, { versioned }).toBuffer())
      .resources.map(({ value }) => viewResourceBytes(value))
      .map((view) => `${view.name} ${view.version} ${view.body.toString('hex')}`)
      .join('\n');
  const text = linesOf(true);
  expect(linesOf(true), 'asked for twice, when pieces are joined').toBe(text);
  expect(linesOf(false)).toBe(text.replaceAll(/ \S{16} /g, '  '));
  return text;
}

/** Every row is somebody's, and every byte is counted by the arena of who holds it. */
export function expectAccounts(lab: StoreLab, origins: Iterable<string>): void {
  const { pool } = lab.store.snapshot(serviceEntry.id) as Snapshot;
  let rows = 0;
  for (const origin of origins) {
    const { resources, arena } = lab.store.holding(origin, serviceEntry.id);
    rows += resources.size;
    const live = new Map<Chunk, number>();
    for (const row of resources.values()) {
      const chunk = pool.chunk(row);
      expect(arena.has(chunk)).toBe(true);
      live.set(chunk, (live.get(chunk) ?? 0) + pool.bytes(row));
    }
    for (const [chunk, bytes] of live) expect(chunk.liveBytes).toBe(bytes);
  }
  expect(pool.size, 'no row is lost').toBe(rows);
}
