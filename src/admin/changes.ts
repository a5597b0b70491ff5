import type { Effect } from '../model/effects.ts';
import { shortName } from '../model/kinds.ts';
import type { JournalEntry, JournalPage } from '../observe/journal.ts';
import { resourceToObject, toYaml } from '../schema/object.ts';
import { viewResourceBytes } from '../wire/resource-view.ts';
import type { ChangeDetail, ChangeFilter, ChangePage, ChangeView } from './views.ts';

/** Changed lines that are looked for, and the time that it may take: two large forms that have nothing in common are not compared for minutes. */
const diffLimits = { maxEditLength: 2000, timeout: 200 } as const;

/** A page of the journal. */
export function changePage({ entries, last }: JournalPage): ChangePage {
  return { rows: entries.map(changeView), last };
}

function changeView(entry: JournalEntry): ChangeView {
  const { id, batch, at, origin, kind, cause, effect, others } = entry;
  return {
    id,
    batch,
    at: at.toISOString(),
    source: origin ?? null,
    kind: shortName(kind),
    resource: effect?.key ?? null,
    what: effect?.sort ?? 'others',
    counts: others ?? null,
    why: cause,
    sentFrom: effect?.sentFrom === origin ? null : (effect?.sentFrom ?? null),
    note: effect?.note ?? null,
    forms: formsOf(entry),
  };
}

function formsOf({ effect, isFaded }: JournalEntry): string {
  if (isFaded) return 'dropped';
  if (effect?.isTooLarge === true) return 'too_large';
  return effect !== undefined && isComplete(effect) ? 'kept' : 'none';
}

/** True where each form is there that there was. */
function isComplete({ sort, before, after }: Effect): boolean {
  if (sort === 'quarantined') return false;
  return (sort === 'added' || before !== undefined) && (sort === 'removed' || after !== undefined);
}

/** An entry with what there is of its forms: decoded and compared now. */
export async function changeDetail(entry: JournalEntry): Promise<ChangeDetail> {
  const { effect } = entry;
  const [before, after] = [objectOf(effect?.before), objectOf(effect?.after)];
  const isKept = effect !== undefined && formsOf(entry) === 'kept';
  const diff = isKept ? await unifiedDiff(yamlOf(before), yamlOf(after)) : null;
  return { ...changeView(entry), before: before ?? null, after: after ?? null, diff };
}

function objectOf(bytes: Buffer | undefined): object | undefined {
  return bytes === undefined ? undefined : resourceToObject(viewResourceBytes(bytes)).object;
}

function yamlOf(object: object | undefined): string {
  return object === undefined ? '' : toYaml([object]);
}

/** The difference of two texts, each '' or of whole lines, in the form of `diff -u`; '' where there is none. */
export async function unifiedDiff(before: string, after: string): Promise<string> {
  if (before === after) return '';
  // Loaded when the first one looks: it takes a start 40 ms.
  const { createTwoFilesPatch, FILE_HEADERS_ONLY } = await import('diff');
  const options = { ...diffLimits, headerOptions: FILE_HEADERS_ONLY };
  const patch = createTwoFilesPatch('before', 'after', before, after, undefined, undefined, options);
  return patch ?? wholeDiff(before, after);
}

/** The same, as if no line were in both. */
function wholeDiff(before: string, after: string): string {
  const [old, now] = [before, after].map((text) => text.split('\n').slice(0, -1)) as [string[], string[]];
  const range = ({ length }: string[]) => (length === 0 ? '0,0' : `1,${length}`);
  const lines = [...old.map((line) => `-${line}`), ...now.map((line) => `+${line}`)];
  return ['--- before', '+++ after', `@@ -${range(old)} +${range(now)} @@`, ...lines, ''].join('\n');
}

/** What a query asks for; an empty text does not matter. */
export function changeFilter(query: (name: string) => string | undefined): ChangeFilter {
  const of = (name: string) => query(name)?.trim() || undefined;
  return { source: of('source'), kind: of('kind'), name: of('name') };
}

/** Where the changes are that a filter lets through. */
export function changesHref(
  path: string,
  filter: ChangeFilter,
  page: { readonly limit?: number; readonly after?: number } = {},
): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ ...page, ...filter })) {
    if (value !== undefined) query.set(name, String(value));
  }
  return query.size === 0 ? path : `${path}?${query.toString()}`;
}
