import { expect, test } from 'vitest';
import { alertNames } from '../../support/alert-rules.ts';
import { findPrometheus } from '../../support/prometheus/install.ts';
import { quietQueries } from '../../support/prometheus/quiet-queries.ts';
import { tellStory } from '../../support/prometheus/story.ts';
import { skipWhere } from '../../support/skip-where.ts';

test('in a minute or two, every alert fires and resolves where it should, and every query has data', async (context) => {
  const found = await findPrometheus();
  if ('absent' in found) return skipWhere(true, found.absent, context);
  const told = await tellStory(found, { waits: 120, windows: 30, hangsMs: 0 });
  expect(told.strays).toEqual([]);
  expect(told.fired.toSorted()).toEqual(alertNames().toSorted());
  // It takes 30 seconds for an answer to be late: the long form has the time for it.
  expect(await quietQueries(told)).toEqual(['Isthmus / istiod stream / Refused, late, too large: {{kind}} late']);
}, 600_000);
