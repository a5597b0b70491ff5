import { expect, test } from 'vitest';
import { alertNames } from '../../support/alert-rules.ts';
import { firings } from '../../support/prometheus/alert-times.ts';
import { findPrometheus } from '../../support/prometheus/install.ts';
import { quick } from '../../support/prometheus/pace.ts';
import { quietQueries } from '../../support/prometheus/quiet-queries.ts';
import { Story } from '../../support/prometheus/story.ts';
import { tellStory } from '../../support/prometheus/tell-story.ts';
import { skipWhere } from '../../support/skip-where.ts';

test('in a minute, every alert fires and resolves where it should, and every query has data', async (context) => {
  const found = await findPrometheus();
  if ('absent' in found) return skipWhere(true, found.absent, context);
  const story = new Story(quick);
  await tellStory(story, found);
  const told = story.end();
  expect((await firings(told)).filter(({ isExpected }) => !isExpected)).toEqual([]);
  expect(told.fired.toSorted()).toEqual(alertNames().toSorted());
  // It takes 30 seconds for an answer to be late: the long form has the time for it.
  expect(await quietQueries(told)).toEqual(['Isthmus / istiod stream / Refused, late, too large: {{kind}} late']);
}, 600_000);
