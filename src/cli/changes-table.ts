import { countsText, whyText } from '../admin/change-texts.ts';
import type { ChangeView } from '../admin/views.ts';
import { table } from './terminal.ts';

/** What has changed lately in what istiod is given, for people. */
export function changesTable(changes: readonly ChangeView[]): string {
  return table(
    ['TIME', 'SOURCE', 'KIND', 'NAME', 'WHAT', 'WHY'],
    changes.map((change) => {
      const { at, source, kind, resource, what, counts, why } = change;
      const name = resource ?? (counts === null ? '' : countsText(counts, why));
      return [at, source ?? '-', kind, name, what, whyText(change)];
    }),
  );
}
