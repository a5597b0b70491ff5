import { describe, expect, test } from 'vitest';
import { revisionProblems } from '../../../../src/admin/findings/revision-problems.ts';
import type { Tally } from '../../../../src/model/census.ts';
import type { StreamView } from '../../../../src/xds/ads-server.ts';
import { describeMinors } from '../../../../src/xds/istiod-version.ts';
import { labelledViews } from '../../../../src/xds/revisions.ts';

const se = 'ServiceEntry';

/** A stream of an istiod that is served so many ServiceEntries of each label. */
function stream(
  minor: number | undefined,
  revision: string | undefined,
  labels: Readonly<Record<string, number>>,
): StreamView {
  const minors = minor === undefined ? undefined : { from: minor, to: minor };
  const tally = (count: number): Tally => ({ count, names: ['x/1'] });
  const census = {
    labels: new Map(Object.entries(labels).map(([label, count]) => [label, tally(count)])),
    otherLabels: { count: 0, names: [] },
    unaddressedHosts: 0,
  };
  return {
    id: 1,
    peer: '192.0.2.1:1',
    node: 'n',
    profile: '1.12-and-newer',
    version: describeMinors(minors),
    revision: revision ?? null,
    since: '',
    types: [],
    labelled: labelledViews(se, census, { minors, revision }),
  };
}

const shown = (...streams: readonly StreamView[]) =>
  revisionProblems(streams).map(({ code, what, next }) => [code, what, next === undefined]);

describe('what is worth a warning', () => {
  test('nothing, where nothing has the label or it is as it should be', () => {
    expect(shown()).toEqual([]);
    expect(shown(stream(24, 'canary', { canary: 3 }))).toEqual([]);
  });

  test('1.13 to 1.18 without a revision drops all that is labelled; once for all that are alike', () => {
    const one = stream(16, '', { canary: 3, stable: 1 });
    expect(shown(one, one)).toEqual([
      [
        'REVISION_DROPS',
        '4 ServiceEntry (canary 3, stable 1) are dropped by 2 istiods (1.16): ' +
          'istiod 1.13 to 1.18 without a revision drops every resource that has the label',
        false,
      ],
    ]);
  });

  test('a label that no istiod takes which is connected', () => {
    const labels = { canary: 3, stable: 1, lost: 2 };
    expect(shown(stream(24, 'stable', labels), stream(24, 'canary', labels))).toEqual([
      ['REVISION_DROPS', expect.stringMatching(/^ServiceEntry .*\(lost 2\): no istiod .* takes them$/), false],
      ['REVISION_DROPS', expect.stringMatching(/\(lost 2\)/), false],
    ]);
  });

  test('not one that another one takes, by its revision or whatever it says', () => {
    const labels = { canary: 3 };
    const stable = stream(24, 'stable', labels);
    const info = ['REVISION', expect.stringMatching(/^3 ServiceEntry \(canary 3\) are dropped by 1 istiod/), true];
    expect(shown(stable, stream(24, 'canary', labels))).toEqual([info]);
    expect(shown(stable, stream(24, '', labels))).toEqual([
      info,
      ['REVISION', expect.stringMatching(/are taken by/), true],
    ]);
    expect(shown(stable, stream(12, undefined, labels))).toEqual([
      info,
      ['REVISION', expect.stringMatching(/up to 1\.12 ignores the label/), true],
    ]);
  });

  test('what cannot be seen, with what to set', () => {
    const labels = { canary: 3 };
    const [revision] = revisionProblems([stream(24, undefined, labels)]);
    expect(revision).toMatchObject({
      code: 'REVISION_UNKNOWN',
      what: '3 ServiceEntry (canary 3) may be dropped by 1 istiod (1.24): unknown revision: it will drop those whose label is not its own',
      next: expect.stringContaining('istiod.revision'),
      data: { labels, names: ['x/1'], resources: 3 },
    });
    const [version] = revisionProblems([stream(undefined, '', labels)]);
    expect(version).toMatchObject({ code: 'REVISION_UNKNOWN', next: expect.stringContaining('istiod.version') });
  });

  test('one, and many values in a few words', () => {
    expect(shown(stream(16, '', { canary: 1 }))[0]?.[1]).toMatch(
      /^1 ServiceEntry \(canary 1\) is dropped by 1 istiod \(1\.16\): /,
    );
    const labels = Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`r${i}`, 1]));
    expect(shown(stream(16, '', labels))[0]?.[1]).toMatch(/^9 ServiceEntry \(r0 1, r1 1, r2 1, r3 1, r4 1, …\) are/);
  });
});
