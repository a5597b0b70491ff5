import { describe, expect, test } from 'vitest';
import type { News } from '../../../src/model/news.ts';
import { Progress } from '../../../src/push/progress.ts';

const said = (since: number): News => ({ since, cause: 'change' });

/** One that was sent everything at 10, and acknowledged it at 20. */
function begun(): Progress {
  const progress = new Progress(0);
  progress.left(100, 10);
  progress.acked(20);
  return progress;
}

describe('the first response', () => {
  test('is for a subscription, and no way of anything', () => {
    const progress = new Progress(0);
    expect(progress.left(100, 10)).toEqual({ cause: 'subscription', waitedMs: 10 });
    expect(progress.behindSince).toBe(10);
    expect(progress.acked(20)).toBeUndefined();
    expect(progress.behindSince).toBeUndefined();
  });

  test('that waits until all is complete has not waited in a queue', () => {
    const progress = new Progress(0);
    progress.changed(said(5000), 6000);
    expect(progress.left(100, 6010)).toEqual({ cause: 'subscription', waitedMs: 10 });
    expect(progress.acked(6050)).toBeUndefined();
  });
});

describe('a change', () => {
  test('has taken from its message to its ACK', () => {
    const progress = begun();
    progress.changed(said(100), 150);
    expect(progress.behindSince).toBe(100);
    expect(progress.left(100, 400)).toEqual({ cause: 'change', waitedMs: 250 });
    expect(progress.behindSince).toBe(100);
    expect(progress.acked(500)).toBe(400);
    expect(progress.behindSince).toBeUndefined();
  });

  test('of several that leave together, the oldest counts, with its cause', () => {
    const progress = begun();
    progress.changed({ since: 120, cause: 'release' }, 150);
    progress.changed(said(160), 200);
    expect(progress.left(100, 400)).toEqual({ cause: 'release', waitedMs: 250 });
    expect(progress.acked(500)).toBe(380);
  });

  test('that came while an answer was owed is one of its own', () => {
    const progress = begun();
    progress.changed(said(100), 150);
    progress.left(100, 160);
    progress.changed(said(200), 250);
    expect(progress.behindSince).toBe(100);
    expect(progress.acked(300)).toBe(200);
    expect(progress.behindSince).toBe(200);
    progress.left(100, 550);
    expect(progress.acked(600)).toBe(400);
  });

  test('that was refused is on its way until a later response is taken', () => {
    const progress = begun();
    progress.changed(said(100), 150);
    progress.left(100, 160);
    progress.nacked();
    expect(progress.behindSince).toBe(100);
    // Nothing else is to be had: it stays so.
    expect(progress.isSent()).toBeUndefined();
    expect(progress.behindSince).toBe(100);
    progress.changed(said(1000), 1050);
    progress.left(100, 1060);
    expect(progress.acked(1100)).toBe(1000);
  });
});

describe('what left before it was published', () => {
  test('counts at its ACK, where that is owed', () => {
    const progress = begun();
    // The form of a resource was another one already.
    progress.left(100, 120);
    progress.changed(said(110), 150);
    expect(progress.isSent()).toBeUndefined();
    expect(progress.behindSince).toBe(110);
    expect(progress.acked(200)).toBe(90);
  });

  test('counts as soon as that is seen, where it was acknowledged', () => {
    const progress = begun();
    progress.left(100, 120);
    expect(progress.acked(130)).toBeUndefined();
    progress.changed(said(110), 150);
    expect(progress.isSent()).toBe(20);
    expect(progress.behindSince).toBeUndefined();
  });

  test('is nothing where it only changed back', () => {
    const progress = begun();
    progress.changed(said(100), 150);
    expect(progress.isSent()).toBeUndefined();
    expect(progress.behindSince).toBeUndefined();
    progress.changed(said(300), 350);
    expect(progress.left(100, 360).waitedMs).toBe(10);
  });
});

test('what was sent and answered is added up', () => {
  const progress = begun();
  progress.left(50, 30);
  progress.nacked();
  const { pushes, acks, nacks, bytes, waitedMs } = progress;
  expect({ pushes, acks, nacks, bytes, waitedMs }).toEqual({ pushes: 2, acks: 1, nacks: 1, bytes: 150, waitedMs: 10 });
});
