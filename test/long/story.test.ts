import { expect, test } from 'vitest';
import { alertNames } from '../support/alert-rules.ts';
import { findPrometheus } from '../support/prometheus/install.ts';
import { quietQueries } from '../support/prometheus/quiet-queries.ts';
import { tellStory } from '../support/prometheus/story.ts';
import { skipWhere } from '../support/skip-where.ts';

test('in five minutes or so, every alert fires and resolves where it should, and every query has data', async (context) => {
  const found = await findPrometheus();
  if ('absent' in found) return skipWhere(true, found.absent, context);
  const told = await tellStory(found, { waits: 30, windows: 8, hangsMs: 20_000 });
  expect(told.strays).toEqual([]);
  expect(told.fired.toSorted()).toEqual(alertNames().toSorted());
  expect(await quietQueries(told)).toEqual([]);
});
