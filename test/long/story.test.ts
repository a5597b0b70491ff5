import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { messageOf } from '../../src/model/errors.ts';
import { alertNames } from '../support/alert-rules.ts';
import { firings } from '../support/prometheus/alert-times.ts';
import { findPrometheus } from '../support/prometheus/install.ts';
import { asInLife } from '../support/prometheus/pace.ts';
import { quietQueries } from '../support/prometheus/quiet-queries.ts';
import { isAsTold, type StoryOutcome, storyPage } from '../support/prometheus/story-page.ts';
import { Story } from '../support/prometheus/story.ts';
import { tellStory } from '../support/prometheus/tell-story.ts';
import { skipWhere } from '../support/skip-where.ts';

const page = join(import.meta.dirname, '../../docs/long-runs/story.md');

test('with the rules as they are shipped, every alert fires and resolves where it should, and every query has data', async (context) => {
  const found = await findPrometheus();
  if ('absent' in found) return skipWhere(true, found.absent, context);
  const story = new Story(asInLife);
  let failure: unknown;
  try {
    await tellStory(story, found);
  } catch (error) {
    failure = error;
  }
  const told = story.end();
  const outcome: StoryOutcome = {
    prometheus: await told.prometheus.version(),
    seconds: told.to - told.from,
    firings: await firings(told),
    quiet: await quietQueries(told),
    failure: failure === undefined ? undefined : messageOf(failure),
  };
  mkdirSync(dirname(page), { recursive: true });
  writeFileSync(page, storyPage(outcome));
  expect(failure).toBeUndefined();
  expect(told.fired.toSorted()).toEqual(alertNames().toSorted());
  expect(outcome.firings.filter(({ isExpected }) => !isExpected)).toEqual([]);
  expect(outcome.quiet).toEqual([]);
  expect(isAsTold(outcome)).toBe(true);
});
