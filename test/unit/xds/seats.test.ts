import { expect, test } from 'vitest';
import { noSeat, seatCount, seatNames } from '../../../src/model/seats.ts';
import { Seats } from '../../../src/xds/seats.ts';

test('streams have seats of their own, from the first on', () => {
  const seats = new Seats();
  expect(['a', 'b', 'a'].map((node) => seats.take(node))).toEqual(['1', '2', '3']);
});

test('who comes back has the seat that it had, if that is free', () => {
  const seats = new Seats();
  const [a, b] = [seats.take('a'), seats.take('b')];
  seats.leave(a);
  seats.leave(b);
  expect(seats.take('b')).toBe(b);
  expect(seats.take('c')).toBe('3');
  expect(seats.take('a')).toBe(a);
});

test('however many come under however many names, the names of seats are a closed set', () => {
  const seats = new Seats();
  const seen = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const seat = seats.take(`istiod-${i}`);
    seen.add(seat);
    if (i % 3 === 0) seats.leave(seat);
  }
  expect(seen.size).toBe(seatCount + 1);
  expect([...seen].filter((seat) => !seatNames.includes(seat))).toEqual([]);
  expect(seats.take('one more')).toBe(noSeat);
  // There is nothing to give up where there was none.
  seats.leave(noSeat);
  expect(seats.take('one more')).toBe(noSeat);
});
