import { html } from 'hono/html';
import { countsText, whyText } from '../change-texts.ts';
import { changesHref } from '../changes.ts';
import type { ChangeDetail, ChangeFilter, ChangePage, ChangeView } from '../views.ts';
import { countOf, numberText } from '../../model/texts.ts';
import { facts, hrefOf, type Html, nextLink, section, tableOf, time } from './parts.ts';

/** Where the page of all changes is. */
export const changesPath = '/ui/changes';

/** Changes of one page. */
export const changeRows = 100;

/** What the filter can be set to. */
export type ChangeChoices = { readonly sources: readonly string[]; readonly kinds: readonly string[] };

/** A page of what has changed lately. */
export function changesList(
  page: ChangePage,
  filter: ChangeFilter,
  choices: ChangeChoices,
  next: string | undefined,
): Html[] {
  const isFiltered = Object.values(filter).some((value) => value !== undefined);
  const none = isFiltered
    ? 'Nothing of that is kept.'
    : 'Nothing has changed since this bridge was started: it keeps no changes over a restart.';
  const table = html`${changeTable('The newest first', page.rows)}${nextLink(next, 'Older changes')}`;
  return [
    filterForm(filter, choices),
    section('list', 'Changes in what istiod is given', page.rows.length === 0 ? html`<p>${none}</p>` : table),
  ];
}

/** The last few, for the overview. */
export function lastChanges({ rows }: ChangePage): Html {
  if (rows.length === 0) return html`<p>None since this bridge was started.</p>`;
  return html`${changeTable('The newest first', rows)}<p><a href="${changesPath}">All recent changes</a></p>`;
}

function changeTable(caption: string, rows: readonly ChangeView[]): Html {
  return tableOf(
    caption,
    [
      { title: 'Resource', cell: resourceOf, isHead: true },
      { title: 'What', cell: whatOf },
      { title: 'Time', cell: ({ at }) => time(at) },
      { title: 'Source', cell: ({ source }) => source ?? '–' },
      { title: 'Kind', cell: ({ kind }) => html`<a href="${hrefOf(kind)}">${kind}</a>` },
      { title: 'Why', cell: (change) => html`<span class="long">${whyText(change)}</span>` },
      { title: 'Forms', cell: detailLink },
    ],
    rows,
  );
}

function resourceOf({ kind, resource, what, counts, why }: ChangeView): Html | string {
  if (resource === null) return counts === null ? '–' : countsText(counts, why);
  // What has no usable name has no page.
  const hasPage = what !== 'quarantined' || resource.includes('/');
  return hasPage ? html`<a href="${hrefOf(kind, resource)}">${resource}</a>` : resource;
}

function whatOf({ what, why }: ChangeView): Html | string {
  if (what === 'others') return why === 'restart' ? 'known before' : 'not named one by one';
  const health = { added: 'good', removed: 'bad', quarantined: 'warn' }[what];
  return health === undefined ? what : html`<span class="state ${health}">${what}</span>`;
}

function detailLink({ id, resource, what, forms }: ChangeView): Html | string {
  if (forms === 'none' || resource === null) return '–';
  const name = { added: 'As added', removed: 'As removed' }[what] ?? 'Difference';
  return html`<a href="${changesPath}/${id}" aria-label="${name}: ${resource}">${name}</a>`;
}

function filterForm(filter: ChangeFilter, { sources, kinds }: ChangeChoices): Html {
  return html`<form class="filter" action="${changesPath}" aria-label="Which changes">
${choice('source', 'Source', sources, filter.source)}${choice('kind', 'Kind', kinds, filter.kind)}
<span class="field"><label for="name">Name</label><input id="name" name="name" value="${filter.name ?? ''}" maxlength="253"></span>
<button>Show</button></form>`;
}

/** What was asked for stays to be chosen, be it known or not. */
function choice(name: string, title: string, values: readonly string[], chosen: string | undefined): Html {
  const all = [...new Set([...values, ...(chosen === undefined ? [] : [chosen])])];
  const options = all.map((value) =>
    value === chosen ? html`<option selected>${value}</option>` : html`<option>${value}</option>`,
  );
  return html`<span class="field"><label for="${name}">${title}</label><select id="${name}" name="${name}"><option value="">any</option>${options}</select></span>`;
}

/** Why a form that there was is not shown. */
const missingForms: Readonly<Record<string, string>> = {
  too_large: 'A form of it is larger than 64 KiB, and was not kept.',
  dropped: 'Its forms had to make room for those of newer changes.',
  none: 'Not all of its forms were kept.',
};

/** One change: who, when, why, and what is different now. */
export function changePage(change: ChangeDetail): Html[] {
  const { at, source, kind, resource, what, batch, diff, forms } = change;
  const about = facts([
    ['When', html`${time(at)} UTC`],
    ['Kind', html`<a href="${hrefOf(kind)}">${kind}</a>`],
    ['Resource', resourceOf(change)],
    ['What', whatOf(change)],
    ['Source', source ?? 'none'],
    ['Why', whyText(change)],
    ['Change no.', `${numberText(change.id)}, of message or decision no. ${numberText(batch)}`],
  ]);
  const title = what === 'changed' ? 'What is different now' : 'The resource';
  const missing = html`<p>${missingForms[forms] ?? 'There is nothing to show.'}</p>`;
  return [
    section('about', 'What happened', about),
    ...(resource === null || what === 'quarantined'
      ? []
      : [section('diff', title, diff === null ? missing : diffOf(diff))]),
    html`<p><a href="${changesHref(changesPath, { kind, name: resource ?? undefined })}">All changes of it that are kept</a></p>`,
  ];
}

/** A unified diff: what a line is, its sign says, and a word that screen readers read; the colour only repeats it. */
function diffOf(diff: string): Html {
  // Behind the names of the two sides.
  const lines = diff.split('\n').slice(2, -1);
  if (lines.length === 0) return html`<p>Nothing that YAML can show.</p>`;
  const of = (sign: string) => lines.filter((line) => line.startsWith(sign)).length;
  return html`<p>${countOf(of('+'), 'line')} added, ${numberText(of('-'))} removed.</p>
<pre class="diff" tabindex="0" role="region" aria-label="The difference, as YAML">${lines.map(lineOf)}</pre>`;
}

function lineOf(line: string): Html {
  const [sign, text] = [line.slice(0, 1), line.slice(1)];
  if (sign === '+') return html`<ins><span class="aside">added:</span>+${text}\n</ins>`;
  if (sign === '-') return html`<del><span class="aside">removed:</span>-${text}\n</del>`;
  return html`<span class="${sign === '@' ? 'place' : ''}">${line}\n</span>`;
}
