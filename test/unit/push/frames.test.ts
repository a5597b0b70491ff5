import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { ResourcePool } from '../../../src/model/resource.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { spliceResources } from '../../../src/wire/frame.ts';
import { newRow, serviceEntry } from '../../support/resources.ts';
import { StoreLab } from '../../support/store-lab.ts';

const arena = new Arena();
const pool = new ResourcePool();
const newSnapshot = (): Snapshot => ({
  kind: 'k',
  version: 'v',
  identity: 'i',
  pool,
  rows: Int32Array.of(newRow(pool, 'a/1', 'x', arena), newRow(pool, 'a/2', 'x', arena)),
  stamps: new Int32Array(1),
  bytes: 0,
});

test('each form of a snapshot is built once, and shared', () => {
  const snapshot = newSnapshot();
  const versioned = frameOf(snapshot, { versioned: true });
  const unversioned = frameOf(snapshot, { versioned: false });
  expect(frameOf(snapshot, { versioned: true })).toBe(versioned);
  expect(frameOf(snapshot, { versioned: false })).toBe(unversioned);
  expect(versioned.length).toBeGreaterThan(unversioned.length);
  expect(frameOf(newSnapshot(), { versioned: true })).not.toBe(versioned);
});

test('what did not change is taken from the frame before: the bytes are those of a frame made afresh', async () => {
  const lab = new StoreLab();
  lab.addOrigin('only', serviceEntry);
  const names = Array.from({ length: 1300 }, (_, i) => `a/${String(i).padStart(4, '0')}`);
  const step = fc.record({
    changes: fc.array(fc.tuple(fc.constantFrom(...names), fc.constantFrom('x', 'y', 'longer', undefined)), {
      maxLength: 4,
    }),
    isAskedFor: fc.boolean(),
  });
  const contents = new Map(names.map((name) => [name, 'x']));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
      for (const { changes, isAskedFor } of steps) {
        for (const [name, content] of changes) {
          if (content === undefined) contents.delete(name);
          else contents.set(name, content);
        }
        await lab.say('only', serviceEntry, Object.fromEntries(contents));
        lab.flush();
        const snapshot = lab.store.snapshot(serviceEntry.id) as Snapshot;
        if (!isAskedFor) continue;
        const afresh = spliceResources(snapshot.pool, snapshot.rows).toBuffer();
        expect(frameOf(snapshot, { versioned: true }).toBuffer().equals(afresh)).toBe(true);
      }
    }),
    { numRuns: 25 },
  );
});
