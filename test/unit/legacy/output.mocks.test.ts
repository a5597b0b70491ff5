import * as fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { StoreOffers } from '../../../src/legacy/output.ts';
import type { Offer } from '../../../src/legacy/source.ts';
import { droppedCollections } from '../../../src/model/dropped.ts';
import { knownCollections } from '../../../src/model/kinds.ts';
import { readResources } from '../../../src/wire/legacy-messages.ts';
import { viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { bodies } from '../../../src/wire/root.ts';
import { requireKind, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';

// What else would take a hundred thousand resources: many turns, each with a few.
vi.mock('../../../src/model/sizes.ts', async () => (await import('../../support/tiny-sizes.ts')).tinySizes);

const se = serviceEntry.collection ?? '';
const we = workloadEntry.collection ?? '';

/** Name → content. */
function contentsOf(offer: Offer | undefined): Record<string, string> | undefined {
  if (offer === undefined) return undefined;
  const bytes = Buffer.concat(offer.parts.map((part) => part.bytes));
  const { spans } = readResources(bytes);
  const contents: Record<string, string> = {};
  for (let i = 0; i < spans.length; i += 2) {
    const { name, body } = viewResourceBytes(bytes.subarray(spans[i], spans[i + 1]));
    const { hosts } = bodies().lookupType(serviceEntry.body).decode(body) as unknown as { hosts: string[] };
    contents[name] = hosts.join();
  }
  return contents;
}

test('knows every collection that a Pilot or a Mixer of 1.1 to 1.8 asks for, and no other', () => {
  const offers = new StoreOffers(new StoreLab().store);
  for (const collection of knownCollections)
    expect([offers.knows(collection), offers.isCarried(collection)]).toEqual([true, true]);
  for (const { collection } of droppedCollections)
    expect([offers.knows(collection), offers.isCarried(collection)]).toEqual([true, false]);
  for (const other of ['', 'k8s/core/v1/pods', 'istio/mesh/v1alpha1/MeshConfig', `${se}x`])
    expect(offers.knows(other)).toBe(false);
});

test('a kind is offered once it is complete, with its content and the version that istiod is given', async () => {
  const lab = new StoreLab();
  lab.addOrigin('one', serviceEntry);
  lab.addOrigin('two', serviceEntry);
  const offers = new StoreOffers(lab.store);
  await lab.say('one', serviceEntry, { 'x/1': 'a' });
  lab.flush();
  expect([offers.identity(se), offers.take(se)]).toEqual([undefined, undefined]);
  await lab.say('two', serviceEntry, { 'x/2': 'b' });
  lab.flush();
  const offer = offers.take(se);
  expect(contentsOf(offer)).toEqual({ 'x/1': 'a', 'x/2': 'b' });
  const snapshot = lab.store.snapshot(serviceEntry.id);
  expect([offer?.version, offer?.identity]).toEqual([snapshot?.version, snapshot?.identity]);
  expect(offers.identity(se)).toBe(snapshot?.identity);
});

test('what nobody can hold is empty at once, under the version of everything that is empty', async () => {
  const lab = new StoreLab();
  const offers = new StoreOffers(lab.store);
  const unexpected = offers.take(we);
  expect(contentsOf(unexpected)).toEqual({});
  lab.addOrigin('one', workloadEntry);
  expect(offers.take(we)).toBeUndefined();
  await lab.say('one', workloadEntry, {});
  lab.flush();
  const empty = offers.take(we);
  expect([empty?.version, empty?.identity]).toEqual([unexpected?.version, unexpected?.identity]);
});

test('what is not carried is empty, unless somebody may have something in it', async () => {
  const [first, second] = droppedCollections.map(({ collection }) => collection) as [string, string];
  let held = new Set([first]);
  const offers = new StoreOffers(new StoreLab().store, (collection) => held.has(collection));
  expect([offers.identity(first), offers.take(first)]).toEqual([undefined, undefined]);
  await offers.prepare(first, true);
  expect(contentsOf(offers.take(second))).toEqual({});
  held = new Set();
  expect(contentsOf(offers.take(first))).toEqual({});
  expect(offers.identity(first)).toBe(offers.identity(second));
});

test('an unexpected kind is no matter of what is not carried', () => {
  const offers = new StoreOffers(new StoreLab().store, () => true);
  expect(contentsOf(offers.take(requireKind('Gateway').collection ?? ''))).toEqual({});
});

test('whatever changes while it is made ready in turns, what is taken is that of the moment', async () => {
  const step = fc.record({
    changes: fc.array(fc.tuple(fc.nat(30), fc.constantFrom('x', 'y', 'longer', undefined)), { maxLength: 8 }),
    isListed: fc.boolean(),
    isPublished: fc.boolean(),
    isForgotten: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 6 }), async (steps) => {
      const lab = new StoreLab(noGuard);
      lab.addOrigin('one', serviceEntry);
      const offers = new StoreOffers(lab.store);
      const contents = new Map(Array.from({ length: 25 }, (_, i) => [`x/${i}`, 'x']));
      for (const { changes, isListed, isPublished, isForgotten } of steps) {
        for (const [i, content] of changes) {
          if (content === undefined) contents.delete(`x/${i}`);
          else contents.set(`x/${i}`, content);
        }
        if (isForgotten) offers.clear();
        // Two streams at once, while the message is being taken.
        const ready = Promise.all([offers.prepare(se, isListed), offers.prepare(se, !isListed)]);
        await lab.say('one', serviceEntry, Object.fromEntries(contents));
        if (isPublished) lab.flush();
        await ready;
        await offers.prepare(se, isListed);
        expect(contentsOf(offers.take(se))).toEqual(lab.published(serviceEntry));
        const listed = offers.take(se)?.parts.every((part) => !isListed || part.isListed);
        expect(listed ?? true).toBe(true);
      }
    }),
    { numRuns: 60 },
  );
});
