import { beforeEach, describe, expect, test } from 'vitest';
import type { Change, Quarantined } from '../../../src/model/change.ts';
import { answerMs, defaultGuard, Guard, type Stream } from '../../../src/store/guard.ts';
import { newChange } from '../../support/resources.ts';

const stranger = (place: number): Quarantined => ({ key: `#${place}`, named: false, reason: 'bad_name', message: '' });
const named = (key: string): Quarantined => ({ key, named: true, reason: 'no_body', message: '' });

/** A full message that lacks `missing` and holds so many resources whose names can not be read. */
const full = (missing: readonly string[], strangers = 0, ...others: readonly Quarantined[]): Change =>
  newChange({ missing, quarantined: [...Array.from({ length: strangers }, (_, i) => stranger(i)), ...others] });

const incremental = (missing: readonly string[], ...confirmed: readonly string[]): Change =>
  newChange({ full: false, missing, confirmed });

const keys = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `a/${from + i}`);

const { holdMs } = defaultGuard;

let guard: Guard;
/** What is held, as the holding has it. */
let held: Set<string>;
let now: number;
let stream: Stream & { isLive: boolean };

/** A new stream of the source; the old one is over. */
function reconnect(): void {
  stream.isLive = false;
  stream = { startedAt: now, isLive: true };
}

/** Says something to the guard, and does what it says. Returns how many left, and how many stay all the same. */
function judge(change: Change, brings: readonly string[] = []): [number, number] {
  const before = held.size;
  for (const key of brings) held.add(key);
  const { removals, withheld } = guard.judge(change, {
    before,
    after: held.size,
    has: (key) => held.has(key),
    spokenOf: () => [...brings, ...change.confirmed, ...change.missing, ...change.quarantined.map(({ key }) => key)],
    now,
    date: new Date(now),
    stream,
  });
  for (const key of removals) held.delete(key);
  return [removals.length, withheld.length];
}

/** What is due, done. */
function act(): 'ask' | 'believe' | undefined {
  const what = guard.due(now);
  if (what === 'ask') guard.ask();
  if (what === 'believe') {
    for (const key of guard.hold?.keys ?? []) held.delete(key);
    guard.believe(held.size);
  }
  return what;
}

beforeEach(() => {
  guard = new Guard();
  held = new Set();
  now = 1_000_000;
  stream = { startedAt: now, isLive: true };
});

describe('a full message with names that can not be read', () => {
  beforeEach(() => {
    judge(full([]), keys(0, 5));
  });

  test('proves no removal: it may be any of the missing ones; not either when it comes again', () => {
    for (let i = 0; i < 3; i++) expect(judge(full(['a/1', 'a/2'], 1))).toEqual([0, 2]);
    expect(guard.hold).toBeUndefined();
    expect(judge(full(['a/1', 'a/2']))).toEqual([2, 0]);
  });

  test('is believed where as many were unreadable beside all that is held: those are none of it', () => {
    judge(full([], 2));
    expect(judge(full(['a/1'], 2))).toEqual([1, 0]);
    expect(judge(full(['a/2'], 3))).toEqual([0, 1]);
  });

  test('that is believed with fewer unreadable resources lowers the number for the next one', () => {
    judge(full([], 2));
    judge(full(['a/1'], 0));
    expect(judge(full(['a/2'], 1))).toEqual([0, 1]);
  });

  test('with bad resources whose names can be read is believed', () => {
    expect(judge(full(['a/1'], 0, named('a/2')))).toEqual([1, 0]);
  });

  test('is believed once the operator has released what it withheld', () => {
    judge(full(['a/1'], 1));
    held.delete('a/1');
    guard.release(held.size);
    expect(judge(full(['a/2'], 1))).toEqual([1, 0]);
  });

  test('says nothing of it where it is incremental: that names what is gone', () => {
    const change = newChange({ full: false, missing: ['a/1'], quarantined: [stranger(0)] });
    expect(judge(change)).toEqual([1, 0]);
    expect(judge(full(['a/2'], 1)), 'and it proves nothing for the next full one').toEqual([0, 1]);
  });
});

describe('what is held', () => {
  test.each<[string, number, number, [number, number]]>([
    ['the last one goes', 1, 0, [1, 0]],
    ['both of two go', 2, 0, [0, 2]],
    ['one of two goes', 2, 1, [1, 0]],
    ['20 of 21 go: no more than minRemoved', 21, 1, [20, 0]],
    ['21 of 22 go', 22, 1, [0, 21]],
    ['21 of 42 go: no more than half', 42, 21, [21, 0]],
    ['22 of 43 go', 43, 21, [0, 22]],
    ['all of 1000 go', 1000, 0, [0, 1000]],
    ['400 of 1000 go', 1000, 600, [400, 0]],
  ])('%s', (_what, count, left, expected) => {
    for (const change of [full(keys(left, count)), incremental(keys(left, count))]) {
      guard = new Guard();
      held = new Set();
      judge(full([]), keys(0, count));
      expect(judge(change)).toEqual(expected);
    }
  });

  test('all are replaced by others: as many are gone as if nothing had come', () => {
    judge(full([]), keys(0, 30));
    expect(judge(full(keys(0, 30)), keys(100, 130))).toEqual([0, 30]);
  });

  test('pods come and go: as many come as go', () => {
    judge(full([]), keys(0, 100));
    for (let i = 0; i < 50; i++)
      expect(judge(full(keys(5 * i, 5 * i + 5)), keys(100 + 5 * i, 105 + 5 * i))).toEqual([5, 0]);
    expect(held.size).toBe(100);
  });

  test('in portions, it is measured against the highest count of the last 10 minutes', () => {
    judge(full([]), keys(0, 100));
    expect(judge(full(keys(80, 100)))).toEqual([20, 0]);
    now += 60_000;
    expect(judge(full(keys(60, 80)))).toEqual([20, 0]);
    now += 60_000;
    expect(judge(full(keys(40, 60)))).toEqual([0, 20]);
    expect(guard.hold).toMatchObject({ reason: 'mass_removal', of: 100 });
  });

  test('the same portions, a quarter of an hour apart, pass', () => {
    judge(full([]), keys(0, 100));
    for (let left = 80; left >= 20; left -= 20) {
      now += 900_000;
      expect(judge(full(keys(left, left + 20)))).toEqual([20, 0]);
    }
  });

  test('one by one, all go, however fast, and in whatever message', () => {
    judge(full([]), keys(0, 1000));
    for (let i = 0; i < 1000; i++) {
      const change = i % 3 === 0 ? incremental([`a/${i}`]) : full([`a/${i}`]);
      expect(judge(change)).toEqual([1, 0]);
    }
    expect(held.size).toBe(0);
  });

  test('what came out of a file counts, before the source has said anything', () => {
    for (const key of keys(0, 50)) held.add(key);
    expect(judge(full(keys(0, 50)))).toEqual([0, 50]);
    expect(guard.hold).toMatchObject({ reason: 'emptied', of: 50 });
  });

  test('nothing, where hold is 0', () => {
    guard = new Guard({ ...defaultGuard, holdMs: 0 });
    judge(full([]), keys(0, 50));
    expect(judge(full(keys(0, 50)))).toEqual([50, 0]);
  });
});

describe('while it is held', () => {
  const until = 1_000_000 + holdMs;

  beforeEach(() => {
    judge(full([]), keys(0, 100));
    expect(judge(full(keys(0, 100)))).toEqual([0, 100]);
    now += 1000;
  });

  test('the same again does not extend it', () => {
    for (let i = 0; i < 50; i++, now += 1000) expect(judge(full(keys(0, 100)))).toEqual([0, 100]);
    expect(guard.hold).toMatchObject({ until, reason: 'emptied' });
  });

  test('everything again ends it, and nothing was lost', () => {
    expect(judge(full([]))).toEqual([0, 0]);
    expect([guard.hold, held.size]).toEqual([undefined, 100]);
  });

  test('some of it again: the rest stays, however little it is', () => {
    expect(judge(full(keys(40, 100)))).toEqual([0, 60]);
    expect(judge(full(['a/99']))).toEqual([0, 1]);
    expect(guard.hold?.keys).toEqual(new Set(['a/99']));
    expect(guard.hold?.until).toBe(until);
  });

  test('what is missing beyond it leaves where it is little altogether, and joins it where it is much', () => {
    expect(judge(full(['a/1', 'a/2']))).toEqual([0, 2]);
    expect(judge(full(['a/1', 'a/2', 'a/3', 'a/4']))).toEqual([2, 2]);
    expect(held.has('a/3')).toBe(false);
    expect(judge(full(keys(0, 60).filter((key) => held.has(key))))).toEqual([0, 58]);
    expect(guard.hold).toMatchObject({ until, keys: { size: 58 } });
  });

  test('a removal by name, of one, is believed at once; of many it is no more than it was', () => {
    expect(judge(incremental(['a/7']))).toEqual([1, 0]);
    expect(judge(incremental(['a/8', 'a/9']))).toEqual([0, 2]);
    expect(guard.hold).toMatchObject({ until, keys: { size: 99 } });
  });

  test('what comes incrementally is received again', () => {
    judge(incremental([], ...keys(0, 99)));
    expect(guard.hold?.keys).toEqual(new Set(['a/99']));
    judge(incremental([], 'a/99'));
    expect(guard.hold).toBeUndefined();
  });

  test('all of it again and something else missing is another hold', () => {
    judge(incremental([]), keys(100, 300));
    judge(full(keys(100, 300)));
    expect(guard.hold).toMatchObject({ until: now + holdMs, keys: { size: 200 } });
  });
});

describe('the end of a hold', () => {
  beforeEach(() => {
    judge(full([]), keys(0, 100));
    now += 60_000;
    judge(full(keys(0, 100)));
    now += holdMs - 1;
  });

  /** Comes to the moment at which the source is asked. */
  function ask(): void {
    expect([guard.state, guard.due(now)]).toEqual(['held', undefined]);
    now += 1;
    expect(act()).toBe('ask');
    expect(guard.state).toBe('asked');
  }

  test('the source is asked; what it says is believed once it has stood for 30 s', () => {
    ask();
    reconnect();
    now += 100;
    expect(judge(full(keys(0, 100)))).toEqual([0, 100]);
    expect([guard.state, guard.dueAt]).toEqual(['answered', now + answerMs]);
    now += answerMs - 1;
    expect(act()).toBeUndefined();
    now += 1;
    expect([act(), held.size, guard.hold]).toEqual(['believe', 0, undefined]);
  });

  test('what it says on the old stream is no answer', () => {
    ask();
    judge(full(keys(0, 100)));
    now += 3_600_000;
    expect([act(), guard.state, held.size]).toEqual([undefined, 'asked', 100]);
  });

  test('a source that answers nothing is not believed, ever', () => {
    ask();
    reconnect();
    now += 30 * 86_400_000;
    expect([act(), guard.state, held.size]).toEqual([undefined, 'asked', 100]);
  });

  test('a source that is away is heard when it is back', () => {
    stream.isLive = false;
    ask();
    now += 3_600_000;
    expect(act()).toBeUndefined();
    reconnect();
    judge(full(keys(0, 100)));
    now += 10_000;
    // It had only just started.
    judge(full([]));
    expect([guard.hold, held.size]).toEqual([undefined, 100]);
  });

  test('a source that says it and goes away is not believed, however often', () => {
    ask();
    for (let i = 0; i < 10; i++) {
      reconnect();
      judge(full(keys(0, 100)));
      now += answerMs - 1;
      stream.isLive = false;
      now += 1;
      expect([act(), held.size]).toEqual([undefined, 100]);
    }
  });

  test('a source that has all and nothing by turns is not believed', () => {
    ask();
    reconnect();
    for (let i = 0; i < 100; i++, now += 20_000) {
      judge(full(i % 2 === 0 ? keys(0, 100) : keys(1, 100)));
      act();
    }
    expect(held.size).toBe(100);
  });

  test('what comes to it after the question has to stand for 30 s too', () => {
    ask();
    reconnect();
    judge(full(keys(0, 60)));
    now += 20_000;
    judge(full(keys(0, 100)));
    expect(guard.dueAt).toBe(now + answerMs);
  });

  test('what can not be read takes an answer back', () => {
    ask();
    reconnect();
    judge(full(keys(0, 100)));
    judge(full(keys(0, 100), 1));
    now += answerMs;
    expect([act(), guard.state]).toEqual([undefined, 'asked']);
  });

  test('a stream that began just before the question is an answer: the source has other collections, which were asked for', () => {
    now -= 2000;
    reconnect();
    judge(full(keys(0, 100)));
    now += 2000;
    expect(guard.state).toBe('held');
    now += 1;
    expect(guard.due(now)).toBe('ask');
    expect(guard.ask()).toBeLessThanOrEqual(stream.startedAt);
    expect(guard.state).toBe('answered');
  });

  test('what is left then is what the next removals are measured against', () => {
    held = new Set(keys(0, 60));
    guard.release(held.size);
    expect(judge(full(keys(0, 25))), '65 of 100 would be too much').toEqual([25, 0]);
  });
});

describe('an empty message of a source that says so when it only cannot tell', () => {
  const doubtful = (missing: readonly string[]): Change => newChange({ missing, isDoubtful: true });

  beforeEach(() => {
    judge(full([]), keys(0, 1));
  });

  test('is held, even where it takes a single resource; the same from another source is not', () => {
    expect(judge(doubtful(['a/0']))).toEqual([0, 1]);
    expect(guard.hold).toMatchObject({ reason: 'emptied', of: 1 });
    // What is held stays so, whatever comes on the same stream.
    expect(judge(full(['a/0']))).toEqual([0, 1]);
    expect(judge(full([]))).toEqual([0, 0]);
    expect(guard.hold).toBeUndefined();
    expect(judge(full(['a/0']))).toEqual([1, 0]);
  });

  test('is believed once the source, asked again, has said the same on a new stream, and that has stood', () => {
    judge(doubtful(['a/0']));
    now += holdMs;
    expect(act()).toBe('ask');
    reconnect();
    expect(judge(doubtful(['a/0']))).toEqual([0, 1]);
    now += answerMs;
    expect(act()).toBe('believe');
    expect(held.size).toBe(0);
  });

  test('is not held where nothing is ever held, and where something is left', () => {
    judge(full([]), keys(1, 2));
    expect(judge(doubtful(['a/0']))).toEqual([1, 0]);
    guard.options = { ...defaultGuard, holdMs: 0 };
    expect(judge(doubtful(['a/1']))).toEqual([1, 0]);
  });
});
