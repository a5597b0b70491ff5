import { expect, test } from 'vitest';
import { type SizeLevel, sizeLevel } from '../../../src/model/size-level.ts';

test.each<[number, SizeLevel, SizeLevel]>([
  [0, 'low', 'low'],
  [799, 'low', 'low'],
  [800, 'low', 'near'],
  [1000, 'low', 'near'],
  [1001, 'low', 'over'],
  [799, 'near', 'near'],
  [700, 'near', 'near'],
  [699, 'near', 'low'],
  [1001, 'near', 'over'],
  [1000, 'over', 'near'],
  [700, 'over', 'near'],
  [699, 'over', 'low'],
])('%i of 1000, after %s, is %s', (bytes, before, expected) => {
  expect(sizeLevel(bytes, 1000, before)).toBe(expected);
});
