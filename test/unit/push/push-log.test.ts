import { expect, test } from 'vitest';
import { maxPushes, PushLog } from '../../../src/push/push-log.ts';

const push = (typeUrl: string, version = '1') => ({
  typeUrl,
  at: new Date(0),
  version,
  resources: 1,
  bytes: 10,
  cause: 'change' as const,
  waitedMs: 0,
});

test('an answer is that of the last response of its type', () => {
  const log = new PushLog();
  log.left(push('a', '1'));
  log.answered('a', 5, undefined);
  log.left(push('a', '2'));
  log.left(push('b', '1'));
  log.answered('a', 7, 'no');
  expect(log.all.map(({ typeUrl, version, answer }) => [typeUrl, version, answer])).toEqual([
    ['b', '1', undefined],
    ['a', '2', { afterMs: 7, error: 'no' }],
    ['a', '1', { afterMs: 5, error: undefined }],
  ]);
});

test('so many are kept, and so much of a refusal; a late answer to what is gone is nobody’s', () => {
  const log = new PushLog();
  log.left(push('gone'));
  for (let i = 0; i < maxPushes; i++) log.left(push(`t${i}`));
  log.answered('gone', 1, undefined);
  log.answered('t3', 1, 'x'.repeat(100_000));
  expect(log.all.length).toBe(maxPushes);
  expect(log.all.filter(({ answer }) => answer !== undefined).map(({ typeUrl }) => typeUrl)).toEqual(['t3']);
  expect(log.all.find(({ typeUrl }) => typeUrl === 't3')?.answer?.error?.length).toBe(500);
});
