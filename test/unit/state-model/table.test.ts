import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeIds } from '../../support/fake-istiod.ts';
import { life } from './events.ts';
import { Life } from './life.ts';
import { Meanings } from './meanings.ts';
import { propertyTimeoutMs, runs } from './runs.ts';

test(
  'whatever happens, all is as ADR 1 says, and a key leaves only where its source has proven that it removed it',
  async () => {
    const meanings = new Meanings();
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(life, fc.constantFrom(nodeIds.upTo111, nodeIds.from112), async ({ origins, events }, nodeId) => {
        const one = new Life(origins, nodeId, meanings);
        for (const event of events) await one.happen(event);
        await one.end();
        one.close();
        for (const outcome of one.outcomes) outcomes.add(outcome);
      }),
      runs(400),
    );
    expect([...outcomes].toSorted()).toEqual(['confirmed_by_source', 'recovered', 'released_by_operator']);
  },
  propertyTimeoutMs,
);
