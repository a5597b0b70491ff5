import { expect, test } from 'vitest';
import { ResourcePool } from '../../../src/model/resource.ts';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { newRow } from '../../support/resources.ts';

const arena = new Arena();
const pool = new ResourcePool();
const newSnapshot = (): Snapshot => ({
  kind: 'k',
  version: 'v',
  pool,
  rows: Int32Array.of(newRow(pool, 'a/1', 'x', arena), newRow(pool, 'a/2', 'x', arena)),
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
