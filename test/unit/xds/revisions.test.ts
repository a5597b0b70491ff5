import { describe, expect, test } from 'vitest';
import type { LabelReason } from '../../../src/model/label-reasons.ts';
import type { KindCensus } from '../../../src/model/census.ts';
import { labelledViews, reasonOf } from '../../../src/xds/revisions.ts';
import { isInRevision } from '../../support/istiod/apply.ts';
import { profiles } from '../../support/istiod/profile.ts';

const exactly = (minor: number) => ({ from: minor, to: minor });

describe('why an istiod takes or drops a resource with the label', () => {
  test.each<[number, string, string, LabelReason]>([
    [9, '', 'canary', 'label_ignored'],
    [12, 'stable', 'canary', 'label_ignored'],
    [13, '', 'canary', 'no_revision'],
    [18, '', 'canary', 'no_revision'],
    [18, '', '', 'own_revision'],
    [18, 'stable', '', 'other_revision'],
    [18, 'stable', 'canary', 'other_revision'],
    [18, 'canary', 'canary', 'own_revision'],
    [19, '', 'canary', 'takes_all'],
    [30, 'stable', 'canary', 'other_revision'],
    [30, 'canary', 'canary', 'own_revision'],
  ])('1.%i of revision "%s", label "%s": %s', (minor, revision, label, expected) => {
    expect(reasonOf(label, { minors: exactly(minor), revision })).toBe(expected);
  });

  test.each<[object | undefined, string | undefined, LabelReason]>([
    [undefined, undefined, 'unknown_revision'],
    [exactly(9), undefined, 'label_ignored'],
    [exactly(30), undefined, 'unknown_revision'],
    [undefined, '', 'unknown_version'],
    [{ from: 18, to: 23 }, '', 'unknown_version'],
    [{ from: 18, to: 23 }, 'stable', 'other_revision'],
    [{ from: 18, to: 23 }, 'canary', 'own_revision'],
    [{ from: 12, to: undefined }, 'stable', 'unknown_version'],
    [{ from: 12, to: undefined }, 'canary', 'own_revision'],
    [{ from: 13, to: 17 }, '', 'no_revision'],
    [{ from: 24, to: undefined }, '', 'takes_all'],
    [{ from: 24, to: undefined }, undefined, 'unknown_revision'],
  ])('versions %j of revision %j, label "canary": %s', (minors, revision, expected) => {
    expect(reasonOf('canary', { minors: minors as { from: number; to: number } | undefined, revision })).toBe(expected);
  });

  test('is what every istiod of the tests does', () => {
    for (const profile of Object.values(profiles)) {
      const minor = Number(profile.version.split('.')[1]);
      for (const revision of ['', 'default', 'canary']) {
        for (const label of ['', 'default', 'canary', 'other']) {
          const reason = reasonOf(label, { minors: exactly(minor), revision });
          const takes = reason !== 'no_revision' && reason !== 'other_revision';
          expect(takes, `${profile.version} ${revision} ${label}`).toBe(isInRevision(profile, revision, label));
        }
      }
    }
  });
});

const tally = (...names: readonly string[]) => ({ count: names.length, names });
const census = (labels: KindCensus['labels'], otherLabels = tally()): KindCensus => ({
  labels,
  otherLabels,
  unaddressedHosts: 0,
});

describe('the report', () => {
  test('is by reason, with the names of all its labels in order', () => {
    const labels = new Map([
      ['canary', tally('x/2', 'x/4')],
      ['own', tally('x/1')],
      ['stable', tally('x/3')],
    ]);
    expect(labelledViews('ServiceEntry', census(labels), { minors: exactly(24), revision: 'own' })).toEqual([
      {
        kind: 'ServiceEntry',
        fate: 'dropped',
        reason: 'other_revision',
        why: 'the label names another revision, this istiod is own',
        resources: 3,
        labels: { canary: 2, stable: 1 },
        names: ['x/2', 'x/3', 'x/4'],
      },
    ]);
  });

  test('has twenty names, and all that are counted', () => {
    const names = (from: string) => Array.from({ length: 20 }, (_, i) => `${from}/${String(i).padStart(2, '0')}`);
    const labels = new Map([
      ['a', { count: 100, names: names('m') }],
      ['b', { count: 50, names: names('b') }],
    ]);
    const [view] = labelledViews('Gateway', census(labels, { count: 7, names: ['a/1'] }), {
      minors: exactly(16),
      revision: '',
    });
    expect(view).toMatchObject({ resources: 157, labels: { a: 100, b: 50 }, fate: 'dropped', reason: 'no_revision' });
    expect(view?.names).toEqual(['a/1', ...names('b').slice(0, 19)]);
  });

  test('has nothing of what is as it should be', () => {
    expect(labelledViews('Gateway', census(new Map()), { minors: undefined, revision: undefined })).toEqual([]);
    const own = new Map([['canary', tally('x/1')]]);
    expect(labelledViews('Gateway', census(own), { minors: undefined, revision: 'canary' })).toEqual([]);
  });

  test('is remembered for each sort of istiod, as long as nothing is counted anew', () => {
    const counted = census(new Map([['canary', tally('x/1')]]));
    const reasonsOf = (minor: number, revision: string) =>
      labelledViews('Gateway', counted, { minors: exactly(minor), revision }).map(({ reason }) => reason);
    for (let i = 0; i < 100; i++) expect(reasonsOf(24, `r${i}`)).toEqual(['other_revision']);
    for (let i = 0; i < 2; i++) {
      expect([reasonsOf(16, ''), reasonsOf(24, ''), reasonsOf(24, 'canary')]).toEqual([
        ['no_revision'],
        ['takes_all'],
        [],
      ]);
    }
    const sort = { minors: exactly(16), revision: '' };
    expect(labelledViews('Gateway', counted, sort)).toBe(labelledViews('Gateway', counted, sort));
    expect(labelledViews('Gateway', census(new Map()), sort)).toEqual([]);
  });

  test('keeps labels with the names of object members apart', () => {
    const labels = new Map(['__proto__', 'constructor', 'toString'].map((label) => [label, tally(`x/${label}`)]));
    const [view] = labelledViews('Gateway', census(labels), { minors: undefined, revision: undefined });
    expect(Object.entries(view?.labels ?? {})).toEqual([...labels.keys()].map((label) => [label, 1]));
    expect(view).toMatchObject({ fate: 'may be dropped', reason: 'unknown_revision', resources: 3 });
  });
});
