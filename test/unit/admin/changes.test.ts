import { applyPatch } from 'diff';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { changeDetail, changesHref, unifiedDiff } from '../../../src/admin/changes.ts';
import type { Effect } from '../../../src/model/effects.ts';
import type { JournalEntry } from '../../../src/observe/journal.ts';
import { legacyResource, serviceEntry } from '../../support/resources.ts';

const textOf = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');

describe('a difference', () => {
  test('takes the one text to the other', async () => {
    const text = fc.array(fc.constantFrom('a', 'b', '- c', '+d', ''), { maxLength: 30 }).map(textOf);
    await fc.assert(
      fc.asyncProperty(text, text, async (before, after) => {
        const diff = await unifiedDiff(before, after);
        expect(diff === '').toBe(before === after);
        expect(applyPatch(before, diff)).toBe(after);
      }),
    );
  });

  test('of two that are large and have nothing in common is there at once, and is one too', async () => {
    const many = (content: string) => textOf(Array.from({ length: 20_000 }, (_, i) => `${content}${i}`));
    const [before, after] = [many('a'), many('b')];
    const diff = await unifiedDiff(before, after);
    expect(diff.split('\n').slice(0, 4)).toEqual(['--- before', '+++ after', '@@ -1,20000 +1,20000 @@', '-a0']);
    expect(applyPatch(before, diff)).toBe(after);
    expect(applyPatch('', await unifiedDiff('', after))).toBe(after);
    expect(applyPatch(before, await unifiedDiff(before, ''))).toBe('');
  });
});

describe('a change', () => {
  const form = (content: string) => legacyResource('shop/a', content);
  const parts = { key: 'shop/a', before: undefined, after: undefined, isTooLarge: false, sentFrom: undefined };
  const detailOf = (effect: Partial<Effect>, isFaded = false) => {
    const entry: JournalEntry = {
      id: 1,
      batch: 1,
      at: new Date(0),
      origin: 'one',
      kind: serviceEntry.id,
      cause: 'message',
      effect: { sort: 'changed', note: undefined, ...parts, ...effect },
      others: undefined,
      isFaded,
    };
    return changeDetail(entry);
  };

  test('has both forms and their difference', async () => {
    const { before, after, diff, forms, kind, source } = await detailOf({ before: form('a'), after: form('b') });
    expect([kind, source, forms]).toEqual(['ServiceEntry', 'one', 'kept']);
    expect([before, after]).toMatchObject([{ spec: { hosts: ['a'] } }, { spec: { hosts: ['b'] } }]);
    expect(diff?.split('\n').filter((line) => /^[+-] /.test(line))).toEqual(['-    - a', '+    - b']);
  });

  test.each<[string, Partial<Effect>, boolean, string, string | undefined]>([
    ['that added something', { sort: 'added', after: form('b') }, false, 'kept', '+'],
    ['that removed something', { sort: 'removed', before: form('a') }, false, 'kept', '-'],
    ['of which one form is too large', { before: form('a'), isTooLarge: true }, false, 'too_large', undefined],
    ['of which one form is not there any more', { after: form('a') }, false, 'none', undefined],
    ['whose forms made room for newer ones', {}, true, 'dropped', undefined],
    ['that is none, since it is quarantined', { sort: 'quarantined' }, false, 'none', undefined],
  ])('%s', async (_, effect, isFaded, forms, sign) => {
    const { diff, ...change } = await detailOf(effect, isFaded);
    expect(change.forms).toBe(forms);
    const signs = diff
      ?.split('\n')
      .slice(2, -1)
      .map((line) => line[0]);
    expect(diff === null ? undefined : [...new Set(signs)].filter((one) => one !== '@').join()).toBe(sign);
  });
});

test('the link of a filter says the same again, and nothing of what does not matter', () => {
  expect(changesHref('/x', {})).toBe('/x');
  expect(changesHref('/x', { source: 'a b', name: undefined, kind: 'K&"' }, { after: 3 })).toBe(
    '/x?after=3&source=a+b&kind=K%26%22',
  );
});
