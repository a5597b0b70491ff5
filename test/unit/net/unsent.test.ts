import { expect, test } from 'vitest';
import { Unsent } from '../../../src/net/unsent.ts';
import { settle } from '../../support/settle.ts';

/** Hands messages of these sizes over; returns which of them were, and what ends the way of each. */
function start(limit: number, ...sizes: readonly number[]) {
  const unsent = new Unsent(limit);
  const handed: number[] = [];
  const sent: (() => void)[] = [];
  const all = sizes.map((size, i) =>
    unsent.whenRoom(async () => {
      handed.push(i);
      const forget = unsent.count(size);
      await new Promise<void>((resolve) => sent.push(resolve));
      forget();
    }),
  );
  return { unsent, handed, sent, all };
}

test('one message goes beyond the limit, the others wait their turn', async () => {
  const { handed, sent, all } = start(100, 60, 60, 60, 60);
  await settle();
  expect(handed).toEqual([0, 1]);
  sent[0]?.();
  await settle();
  // There are 60 left: one more fits, and not both that waited.
  expect(handed).toEqual([0, 1, 2]);
  sent[1]?.();
  await settle();
  expect(handed).toEqual([0, 1, 2, 3]);
  for (const end of sent) end();
  await Promise.all(all);
});

test('what fails, or has nothing to hand over, keeps nobody waiting', async () => {
  const { unsent, handed, sent } = start(1, 10, 10);
  await settle();
  expect(handed).toEqual([0]);
  const failing = unsent.whenRoom(() => Promise.reject(new Error('gone')));
  const idle = unsent.whenRoom(() => Promise.resolve());
  sent[0]?.();
  await settle();
  sent[1]?.();
  await expect(failing).rejects.toThrow('gone');
  await idle;
  expect(handed).toEqual([0, 1]);
});

test('is forgotten once, however often that is said', async () => {
  const unsent = new Unsent(10);
  const forget = unsent.count(10);
  forget();
  forget();
  const stillThere = unsent.count(10);
  let isHanded = false;
  const later = unsent.whenRoom(async () => {
    isHanded = true;
  });
  await settle();
  expect(isHanded).toBe(false);
  stillThere();
  await later;
  expect(isHanded).toBe(true);
});
