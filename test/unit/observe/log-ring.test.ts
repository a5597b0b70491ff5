import { expect, test } from 'vitest';
import { LogRing } from '../../../src/observe/log-ring.ts';

test('the newest lines are kept, in their order', () => {
  const ring = new LogRing(3);
  for (let i = 1; i <= 20; i++) {
    ring.write(`${i}\n`);
    const kept = [i - 2, i - 1, i].filter((one) => one > 0).map((one) => `${one}\n`);
    expect(ring.last(1000)).toEqual(kept);
  }
  expect(ring.last(2)).toEqual(['19\n', '20\n']);
});

test('so many characters at most, but one line always', () => {
  const ring = new LogRing(100, 10);
  for (const line of ['aaaa\n', 'bbbb\n', 'cccc\n']) ring.write(line);
  expect(ring.last(100)).toEqual(['bbbb\n', 'cccc\n']);
  ring.write('x'.repeat(50));
  expect(ring.last(100)).toEqual(['x'.repeat(50)]);
  ring.write('d\n');
  expect(ring.last(100)).toEqual(['d\n']);
});
