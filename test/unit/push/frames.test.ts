import { expect, test } from 'vitest';
import type { Snapshot } from '../../../src/model/snapshot.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { newResource } from '../../support/resources.ts';

const arena = new Arena();
const newSnapshot = (): Snapshot => ({
  kind: 'k',
  version: 'v',
  resources: ['a/1', 'a/2'].map((key) => newResource(key, 'x', arena)),
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
