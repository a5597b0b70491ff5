import { beforeEach, describe, expect, test } from 'vitest';
import type { Change, Quarantined, QuarantineReason } from '../../../src/model/change.ts';
import { ResourcePool } from '../../../src/model/resource.ts';
import { Holding } from '../../../src/store/holding.ts';
import { applyAtOnce, newRow } from '../../support/resources.ts';
import { contentsOf, heldBy } from '../../support/source-view.ts';

const at = (second: number) => new Date(second * 1000);
const bad = (key: string, reason: QuarantineReason = 'no_body'): Quarantined => ({
  key,
  named: !key.startsWith('#'),
  reason,
  message: `about ${key}`,
});

let holding: Holding;
let pool: ResourcePool;

const apply = (parts: Partial<Change>, second = 0) => applyAtOnce(holding, parts, at(second));
const upsert = (...keys: string[]) => keys.map((key) => newRow(pool, key, 'x', holding.arena));
const counts = () => ({ received: holding.received, released: holding.released, effective: holding.resources.size });

beforeEach(() => {
  pool = new ResourcePool();
  holding = new Holding(pool);
});

describe('before the first message', () => {
  test('a holding is waiting and empty', () => {
    expect(counts()).toEqual({ received: 0, released: 0, effective: 0 });
    expect(holding).toMatchObject({ sync: 'waiting', messages: 0, lastMessageAt: undefined });
  });

  test('even a message with nothing ends the waiting', () => {
    expect(apply({}, 7)).toEqual({ upserts: 0, removals: [], withheld: 0 });
    expect(holding).toMatchObject({ sync: 'synced', messages: 1, lastMessageAt: at(7) });
  });
});

describe('received, released and effective', () => {
  test('are the same while all is well', () => {
    apply({ upserts: upsert('a/1', 'a/2') });
    expect(counts()).toEqual({ received: 2, released: 2, effective: 2 });
    expect(apply({ missing: ['a/1'] }).removals).toEqual(['a/1']);
    expect(counts()).toEqual({ received: 1, released: 1, effective: 1 });
  });

  test('differ by what came in a bad form only', () => {
    apply({ upserts: upsert('a/1'), quarantined: [bad('a/2'), bad('#2')] });
    expect(counts()).toEqual({ received: 3, released: 3, effective: 1 });
  });

  test('are the same where a bad form has a good one that is sent', () => {
    apply({ upserts: upsert('a/1', 'a/2') });
    apply({ quarantined: [bad('a/2')] });
    expect(counts()).toEqual({ received: 2, released: 2, effective: 2 });
  });

  test('differ by what is withheld', () => {
    apply({ upserts: upsert('a/1', 'a/2') });
    expect(apply({ missing: ['a/2'], quarantined: [bad('#1')] })).toMatchObject({ removals: [], withheld: 1 });
    expect([...holding.withheld]).toEqual(['a/2']);
    expect(counts()).toEqual({ received: 2, released: 3, effective: 2 });
  });

  test('forget a removal of what was never held', () => {
    apply({ upserts: upsert('a/1') });
    expect(apply({ full: false, missing: ['a/9'] }).removals).toEqual([]);
    expect(counts()).toEqual({ received: 1, released: 1, effective: 1 });
  });
});

describe('what is withheld', () => {
  beforeEach(() => {
    apply({ upserts: upsert('a/1', 'a/2', 'a/3') });
    apply({ missing: ['a/2', 'a/3'], quarantined: [bad('#1')] });
  });

  test('is no longer so when a full message names it', () => {
    apply({ missing: ['a/3'], quarantined: [bad('#2')] });
    expect([...holding.withheld]).toEqual(['a/3']);
  });

  test('leaves once a full message that can be read does not name it', () => {
    expect(apply({ missing: ['a/2', 'a/3'] }).removals).toEqual(['a/2', 'a/3']);
    expect(counts()).toEqual({ received: 1, released: 1, effective: 1 });
  });

  test.each([
    ['another form', () => ({ upserts: upsert('a/2') })],
    ['the form that is held', () => ({ confirmed: ['a/2'] })],
    ['a bad form', () => ({ quarantined: [bad('a/2')] })],
  ])('is received again when an incremental message brings %s of it', (_what, parts) => {
    apply({ full: false, ...parts() });
    expect([...holding.withheld]).toEqual(['a/3']);
    // a/1, a/2 and the one that could not be read.
    expect(counts()).toEqual({ received: 3, released: 4, effective: 3 });
  });

  test('leaves when an incremental message says that it is removed', () => {
    expect(apply({ full: false, missing: ['a/2'] }).removals).toEqual(['a/2']);
    expect([...holding.withheld]).toEqual(['a/3']);
    expect(counts()).toEqual({ received: 2, released: 3, effective: 2 });
  });
});

describe('the quarantine', () => {
  const entries = () => Object.fromEntries(holding.quarantine);

  test('says since when, and whether a good form is sent', () => {
    apply({ upserts: upsert('a/1') });
    apply({ quarantined: [bad('a/1'), bad('a/2', 'wrong_kind')] }, 10);
    expect(entries()).toEqual({
      'a/1': { ...bad('a/1'), since: at(10), lastGoodSent: true },
      'a/2': { ...bad('a/2', 'wrong_kind'), since: at(10), lastGoodSent: false },
    });
  });

  test('keeps the first time while the reason stays, and takes a new one with a new reason', () => {
    apply({ quarantined: [bad('a/1'), bad('a/2')] }, 10);
    apply({ quarantined: [bad('a/1'), bad('a/2', 'malformed')] }, 20);
    expect(entries()).toMatchObject({ 'a/1': { since: at(10) }, 'a/2': { since: at(20), reason: 'malformed' } });
  });

  test('begins anew after a good form', () => {
    apply({ quarantined: [bad('a/1')] }, 10);
    apply({ upserts: upsert('a/1') }, 20);
    expect(entries()).toEqual({});
    apply({ quarantined: [bad('a/1')] }, 30);
    expect(entries()).toMatchObject({ 'a/1': { since: at(30), lastGoodSent: true } });
  });

  test('keeps what an incremental message does not speak of', () => {
    apply({ upserts: upsert('a/1'), quarantined: [bad('a/2')] }, 10);
    apply({ full: false, upserts: upsert('a/3'), quarantined: [bad('a/4')] }, 20);
    expect(entries()).toMatchObject({ 'a/2': { since: at(10) }, 'a/4': { since: at(20) } });
  });

  test.each([
    ['a good form of it comes', () => ({ upserts: upsert('a/1') })],
    ['the form that is held comes again', () => ({ confirmed: ['a/1'] })],
    ['it is removed', () => ({ missing: ['a/1'] })],
  ])('lets go when, incrementally, %s', (_what, parts) => {
    apply({ upserts: upsert('a/1') });
    apply({ full: false, quarantined: [bad('a/1')] });
    apply({ full: false, ...parts() });
    expect(entries()).toEqual({});
  });

  test('keeps the last good form through any number of bad ones', () => {
    apply({ upserts: upsert('a/1') });
    for (let i = 0; i < 5; i++) apply({ full: i % 2 === 0, quarantined: [bad('a/1')] });
    expect(contentsOf(heldBy(holding.resources))).toEqual({ 'a/1': 'x' });
    expect(apply({ missing: ['a/1'] }).removals).toEqual(['a/1']);
  });
});

test('a changed resource inherits the place of the one that it replaces', () => {
  apply({ upserts: upsert('a/1') });
  pool.setAt(holding.resources.get('a/1'), 17);
  apply({ upserts: upsert('a/1') });
  expect(pool.at(holding.resources.get('a/1'))).toBe(17);
});

describe('the revision', () => {
  /** True where a change is news. */
  const isNews = (parts: Partial<Change>): boolean => {
    const { revision } = holding;
    apply(parts);
    return holding.revision !== revision;
  };

  beforeEach(() => {
    apply({ upserts: upsert('a/1', 'a/2', 'a/3') });
  });

  test('is another one with everything that should outlive the process', () => {
    expect(isNews({ upserts: upsert('a/1') })).toBe(true);
    expect(isNews({ overwritten: 1 })).toBe(true);
    expect(isNews({ missing: ['a/1'] })).toBe(true);
    expect(isNews({ quarantined: [bad('a/2')] })).toBe(true);
    expect(isNews({ quarantined: [bad('a/2', 'bad_name')] })).toBe(true);
    expect(isNews({ quarantined: [{ ...bad('a/2', 'bad_name'), message: 'another' }] })).toBe(true);
    expect(isNews({})).toBe(true);
    expect(isNews({ missing: ['a/2'], quarantined: [bad('#0')] })).toBe(true);
    expect(isNews({ missing: ['a/2', 'a/3'], quarantined: [bad('#0')] })).toBe(true);
    expect(isNews({ full: false, confirmed: ['a/3'] })).toBe(true);
  });

  test('is the same where a message says what is known', () => {
    expect(isNews({})).toBe(false);
    expect(isNews({ full: false, confirmed: ['a/3'], missing: ['a/9'] })).toBe(false);
    apply({ quarantined: [bad('a/2'), bad('#7')] });
    expect(isNews({ quarantined: [bad('a/2'), bad('#7')] })).toBe(false);
  });

  test('is another one where a collection counts as empty, once', () => {
    const empty = new Holding(pool);
    const revisions = [empty.revision];
    for (const why of ['silent', 'silent', 'unsupported'] as const) {
      empty.countAsEmpty(why);
      revisions.push(empty.revision);
    }
    expect(revisions).toEqual([0, 1, 1, 2]);
  });
});
