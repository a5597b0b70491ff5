import { html } from 'hono/html';
import type { HtmlEscapedString } from 'hono/utils/html';
import { numberText } from '../../model/texts.ts';
import type { OriginView } from '../views.ts';

/** Text that is HTML already. */
export type Html = HtmlEscapedString | Promise<HtmlEscapedString>;

/** How something is: as it should be · worth a look · services are late, or will be lost. */
export type Health = 'good' | 'warn' | 'bad';

/** A moment in time, to the second. */
export function time(at: string | null): Html {
  if (at === null) return html`–`;
  return html`<time datetime="${at}">${at.slice(0, 19).replace('T', ' ')}</time>`;
}

/** One column of a {@link tableOf}. */
export type Column<Row> = {
  readonly title: string;
  readonly cell: (row: Row) => Html | string;
  readonly isNumber?: boolean;
  /** True where it says which row it is. */
  readonly isHead?: boolean;
};

/** A table that can be scrolled sideways by itself, with the keyboard too. @param caption what it is a table of. */
export function tableOf<Row>(caption: string, columns: readonly Column<Row>[], rows: readonly Row[]): Html {
  const heads = columns.map(
    ({ title, isNumber }) => html`<th scope="col" class="${isNumber === true ? 'number' : ''}">${title}</th>`,
  );
  const lines = rows.map((row) => {
    const cells = columns.map(({ cell, isNumber, isHead }) => {
      if (isHead === true) return html`<th scope="row" class="key">${cell(row)}</th>`;
      return html`<td class="${isNumber === true ? 'number' : 'key'}">${cell(row)}</td>`;
    });
    return html`<tr>${cells}</tr>\n`;
  });
  return html`<div class="scroll" role="region" aria-label="${caption}" tabindex="0"><table><caption><span>${caption}</span></caption>
<thead><tr>${heads}</tr></thead><tbody>${lines}</tbody></table></div>`;
}

/** How far a collection of a source is, whatever else a table says of it. */
export const progressColumns: readonly Column<OriginView['kinds'][number]>[] = [
  { title: 'State', cell: ({ sync, retiredSince }) => (retiredSince === null ? sync : `${sync}, retired`) },
  { title: 'Received', cell: ({ received }) => numberText(received), isNumber: true },
  { title: 'Released', cell: ({ released }) => numberText(released), isNumber: true },
  { title: 'Sent', cell: ({ effective }) => numberText(effective), isNumber: true },
  { title: 'Quarantined', cell: ({ quarantined }) => numberText(quarantined), isNumber: true },
];

/** A list of names and what they stand for. */
export function facts(all: readonly (readonly [string, Html | string])[]): Html {
  return html`<dl>${all.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl>`;
}

/** A part of a page that is kept up to date. @param id of the page's own. */
export function section(id: string, title: string, content: Html | readonly Html[]): Html {
  return html`<section id="${id}" data-live aria-labelledby="${id}-title"><h2 id="${id}-title">${title}</h2>
${content}</section>`;
}

/** The link to the next page of a list. */
export function nextLink(href: string | undefined, left: string): Html | string {
  return href === undefined ? '' : html`<p><a rel="next" href="${href}">${left}</a></p>`;
}

/** Where the page of a kind, or of a resource of it, is. */
export function hrefOf(kind: string, resource = ''): string {
  const name = resource === '' ? '' : `/${resource.split('/').map(encodeURIComponent).join('/')}`;
  return `/ui/kinds/${encodeURIComponent(kind)}${name}`;
}

/** Where the page of a stream of an istiod is. */
export function streamHref(id: number): string {
  return `/ui/streams/${id}`;
}

/** `istiod-7d4f.istio-system` of `sidecar~192.0.2.2~istiod-7d4f.istio-system~istio-system.svc.cluster.local`. */
export function podOf(node: string): string {
  return node.split('~')[2] ?? node;
}
