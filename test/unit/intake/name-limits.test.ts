import { expect, test } from 'vitest';
import { legacyResource, serviceEntryBody, serviceEntry } from '../../support/resources.ts';
import { SourceView } from '../../support/source-view.ts';
import { field, fields } from '../../support/wire-bytes.ts';

test('a name that is too long is too long whatever is held', async () => {
  const bare = 'x'.repeat(1020);
  const before = new SourceView();
  await before.take([legacyResource(bare)]);
  await before.take([legacyResource(`default/${bare}`)]);
  const afresh = new SourceView();
  await afresh.take([legacyResource(`default/${bare}`)]);
  expect(Object.keys(before.contents)).toEqual(Object.keys(afresh.contents));
});

test('a bad resource whose name may be another one than the first that is read takes no good one with it', async () => {
  const source = new SourceView();
  await source.take([legacyResource('a/held')]);
  const body = field(2, fields(field(1, `type.googleapis.com/${serviceEntry.body}`), field(2, serviceEntryBody({}))));
  // Go merges both: the last name counts, and this is a/held.
  const twice = fields(field(1, field(1, 'a/other')), field(1, field(1, 'a/held')), body);
  const change = await source.take([twice]);
  // Either a/held was named, or nobody can tell which one it is: then the guard withholds the removal.
  const isWithheld = change.quarantined.some(({ named }) => !named);
  expect(isWithheld ? [] : change.missing).toEqual([]);
});
