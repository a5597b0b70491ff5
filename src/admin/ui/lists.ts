import { html } from 'hono/html';
import { sentText } from '../findings/quarantine-problems.ts';
import { countOf, numberText, sizeText } from '../../model/texts.ts';
import type { BridgeView, OriginView, QuarantineView, ResourceRow } from '../views.ts';
import type { SearchResult } from '../search.ts';
import { facts, hrefOf, type Html, nextLink, progressColumns, section, tableOf, time } from './parts.ts';

/** Rows of one page. */
export const pageRows = 200;

/** One source, as far as it is known. */
export function sourcePage(origin: OriginView): Html[] {
  const { address, connection, profile, kinds, dropped } = origin;
  const about = facts([
    ['Address', address ?? 'not in the config any more'],
    ['State', connection.state],
    ['Since', time(connection.since)],
    ['Streams so far', numberText(connection.streams)],
    ['Last error', connection.lastError ?? 'none'],
    ['Next try', connection.retryInMs === null ? '–' : `in ${(connection.retryInMs / 1000).toFixed(1)} s`],
    ['Istio version', connection.version ?? 'it does not say'],
    ['Profile', profile === null ? '–' : profile.configured],
    ['Looks like', profile?.looksLike ?? 'nothing that is known'],
    ['Collections it refuses', Object.keys(connection.unsupportedCollections).join(', ') || 'none'],
  ]);
  const table = tableOf(
    'What it says, by kind',
    [
      { title: 'Kind', cell: ({ kind }) => html`<a href="${hrefOf(kind)}">${kind}</a>`, isHead: true },
      ...progressColumns,
      { title: 'Held', cell: ({ withheld }) => numberText(withheld), isNumber: true },
      { title: 'Messages', cell: ({ messages }) => numberText(messages), isNumber: true },
      {
        title: 'Size',
        cell: ({ messageBytes }) => (messageBytes === null ? '–' : sizeText(messageBytes)),
        isNumber: true,
      },
      {
        title: 'Repaired',
        cell: ({ repairs }) =>
          Object.entries(repairs)
            .map(([what, n]) => `${what} ${numberText(n)}`)
            .join(', ') || '–',
      },
      { title: 'Last change', cell: ({ lastChangeAt }) => time(lastChangeAt) },
    ],
    kinds,
  );
  const gone = dropped.filter(({ resources }) => resources !== null && resources > 0);
  const droppedTable = tableOf(
    'What it has that istiod has no place for',
    [
      { title: 'Collection', cell: ({ collection }) => collection, isHead: true },
      { title: 'Resources', cell: ({ resources }) => numberText(resources ?? 0), isNumber: true },
      { title: 'What replaces them', cell: ({ instead }) => instead },
    ],
    gone,
  );
  return [
    section('about', 'Connection', about),
    section('kinds', 'Collections', table),
    ...(gone.length === 0 ? [] : [section('dropped', 'Not sent', droppedTable)]),
  ];
}

/** Resources of a kind, a page of them. */
export function kindPage(kind: string, rows: readonly ResourceRow[], next: string | undefined, total: number): Html[] {
  const table = tableOf(
    `${countOf(total, 'resource')} in all, by name`,
    [
      { title: 'Resource', cell: ({ key }) => html`<a href="${hrefOf(kind, key)}">${key}</a>`, isHead: true },
      { title: 'Size', cell: ({ bytes }) => sizeText(bytes), isNumber: true },
      { title: 'Version', cell: ({ version }) => version },
    ],
    rows,
  );
  return [section('resources', 'Sent to istiod', html`${table}${nextLink(next, 'Next page')}`)];
}

/** What is known of one resource. */
export type ResourceFacts = {
  /** As YAML; undefined where nothing is sent. */
  readonly sent: string | undefined;
  readonly sources: readonly string[];
  readonly quarantined: readonly QuarantineView[];
};

/** One resource: what is sent of it, who has it, and what is wrong with it. */
export function resourcePage({ sent, sources, quarantined }: ResourceFacts): Html[] {
  const reasons = quarantined.map(
    ({ source, message, sent: what, since }) =>
      html`<li>${source} sent a form that is not valid, since ${time(since)}: ${message}. What is sent: ${sentText(what)}.</li>`,
  );
  return [
    section('about', 'Who has it', html`<p>${sources.join(', ') || 'no source'}</p>`),
    ...(reasons.length === 0 ? [] : [section('quarantine', 'Quarantine', html`<ul class="findings">${reasons}</ul>`)]),
    section(
      'sent',
      'What istiod is given',
      sent === undefined
        ? html`<p>Nothing of that name is sent.</p>`
        : html`<pre tabindex="0" role="region" aria-label="The resource as YAML">${sent}</pre>`,
    ),
  ];
}

/** A page of what is quarantined, behind how much of it there is and why. */
export function quarantineList(
  { rows }: ReturnType<BridgeView['quarantine']>,
  counts: ReturnType<BridgeView['quarantineCounts']>,
  next: string | undefined,
): Html[] {
  if (counts.length === 0)
    return [section('list', 'None', html`<p>Every resource that was received is sent as it came.</p>`)];
  const sums = tableOf(
    'How many, and why',
    [
      { title: 'Reason', cell: ({ reason }) => reason, isHead: true },
      { title: 'Not sent as they came', cell: ({ held }) => numberText(held), isNumber: true },
      { title: 'Sent all the same', cell: ({ invalid }) => numberText(invalid), isNumber: true },
      { title: 'Source', cell: ({ source }) => source },
      { title: 'Kind', cell: ({ kind }) => kind },
    ],
    counts,
  );
  const table = tableOf(
    'Resources that are not sent as they came, or break a rule of Istio',
    [
      {
        title: 'Resource',
        cell: ({ kind, resource }) => html`<a href="${hrefOf(kind, resource)}">${resource}</a>`,
        isHead: true,
      },
      // What is read first stands where a narrow window shows it.
      { title: 'Why', cell: ({ message }) => html`<span class="wide">${message}</span>` },
      { title: 'Sent', cell: ({ sent }) => sentText(sent) },
      { title: 'Reason', cell: ({ reason }) => reason },
      { title: 'Source', cell: ({ source }) => source },
      { title: 'Kind', cell: ({ kind }) => kind },
      { title: 'Since', cell: ({ since }) => time(since) },
    ],
    rows,
  );
  return [
    section('counts', 'In all', sums),
    section('list', 'One by one', html`${table}${nextLink(next, 'Next page')}`),
  ];
}

/** A page of what several sources have. */
export function conflictList(
  { counts, conflicts }: ReturnType<BridgeView['conflicts']>,
  next: string | undefined,
): Html[] {
  if (counts.length === 0)
    return [section('list', 'None', html`<p>No two sources have the same resource or host.</p>`)];
  const sums = tableOf(
    'How many, and what is done',
    [
      { title: 'Kind', cell: ({ kind }) => kind, isHead: true },
      { title: 'Reason', cell: ({ reason }) => reason },
      { title: 'Count', cell: (row) => numberText(row.count), isNumber: true },
      { title: 'What is done', cell: ({ done }) => done },
    ],
    counts,
  );
  const table = tableOf(
    'Each of them, oldest first',
    [
      {
        title: 'Resource or host',
        cell: ({ kind, resource, host }) =>
          resource === null ? (host ?? '–') : html`<a href="${hrefOf(kind, resource)}">${resource}</a>`,
        isHead: true,
      },
      { title: 'Sources', cell: ({ sources }) => html`<span class="wide">${sources.join(', ')}</span>` },
      { title: 'Done', cell: ({ done }) => done },
      { title: 'Kind', cell: ({ kind }) => kind },
      { title: 'Since', cell: ({ since }) => time(since) },
    ],
    conflicts,
  );
  return [
    section('counts', 'In all', sums),
    section('list', 'One by one', html`${table}${nextLink(next, 'Next page')}`),
  ];
}

/** What was found. */
export function searchPage(text: string, { matches, more }: SearchResult): Html[] {
  if (matches.length === 0) {
    return [
      section(
        'found',
        'Nothing',
        html`<p>No source has a resource with “${text}” in its name or body. Upper and lower case count.</p>`,
      ),
    ];
  }
  const table = tableOf(
    more ? `The first ${numberText(matches.length)}; there are more` : countOf(matches.length, 'resource'),
    [
      {
        title: 'Resource',
        cell: ({ kind, resource }) => html`<a href="${hrefOf(kind, resource)}">${resource}</a>`,
        isHead: true,
      },
      { title: 'Kind', cell: ({ kind }) => kind },
      {
        title: 'State',
        cell: ({ state }) => html`<span class="state ${state === 'sent' ? 'good' : 'bad'}">${state}</span>`,
      },
      { title: 'Sources', cell: ({ sources }) => sources.join(', ') },
      { title: 'Found in its', cell: (match) => match.in },
    ],
    matches,
  );
  return [section('found', `“${text}”`, table)];
}
