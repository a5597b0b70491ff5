import { describe, expect, test } from 'vitest';
import type { Change, Quarantined } from '../../../src/model/change.ts';
import { Guard } from '../../../src/store/guard.ts';
import { newChange } from '../../support/resources.ts';

const stranger = (place: number): Quarantined => ({ key: `#${place}`, named: false, reason: 'bad_name', message: '' });
const named = (key: string): Quarantined => ({ key, named: true, reason: 'no_body', message: '' });

/** A full message that lacks `missing` and holds so many resources whose names can not be read. */
const full = (missing: readonly string[], strangers = 0, ...others: readonly Quarantined[]): Change =>
  newChange({ missing, quarantined: [...Array.from({ length: strangers }, (_, i) => stranger(i)), ...others] });

describe('a full message', () => {
  test('whose resources can all be read is believed', () => {
    expect(new Guard().judge(full(['a/1', 'a/2']))).toEqual({ removals: ['a/1', 'a/2'], withheld: [] });
  });

  test('with a resource that can not be read proves no removal: it may be any of the missing ones', () => {
    expect(new Guard().judge(full(['a/1', 'a/2'], 1))).toEqual({ removals: [], withheld: ['a/1', 'a/2'] });
  });

  test('is not believed either when it comes again, until fewer resources are unreadable', () => {
    const guard = new Guard();
    for (let i = 0; i < 3; i++) expect(guard.judge(full(['a/1'], 1)).removals).toEqual([]);
    expect(guard.judge(full(['a/1'])).removals).toEqual(['a/1']);
  });

  test('is believed where as many were unreadable beside all that is held: those are none of it', () => {
    const guard = new Guard();
    guard.judge(full([], 2));
    expect(guard.judge(full(['a/1'], 2)).removals).toEqual(['a/1']);
    expect(guard.judge(full(['a/2'], 3)).removals).toEqual([]);
  });

  test('that is believed with fewer unreadable resources lowers the number for the next one', () => {
    const guard = new Guard();
    guard.judge(full([], 2));
    guard.judge(full(['a/1'], 0));
    expect(guard.judge(full(['a/2'], 1))).toEqual({ removals: [], withheld: ['a/2'] });
  });

  test('with bad resources whose names can be read is believed', () => {
    expect(new Guard().judge(full(['a/1'], 0, named('a/2'))).removals).toEqual(['a/1']);
  });
});

describe('an incremental message', () => {
  test('is believed: it names what is gone', () => {
    const change = newChange({ full: false, missing: ['a/1'], quarantined: [stranger(0)] });
    expect(new Guard().judge(change)).toEqual({ removals: ['a/1'], withheld: [] });
  });

  test('says nothing about what is unreadable beside the whole state', () => {
    const guard = new Guard();
    guard.judge(newChange({ full: false, quarantined: [stranger(0)] }));
    expect(guard.judge(full(['a/1'], 1)).withheld).toEqual(['a/1']);
  });
});
