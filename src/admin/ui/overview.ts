import { html } from 'hono/html';
import { findingsOf, type Seen } from '../findings/findings.ts';
import { holdsOf, nextOfHold } from '../findings/holds.ts';
import { countOf, numberText, sizeText } from '../../model/texts.ts';
import type { DialledSource } from '../findings/tls-problem.ts';
import type { BridgeView, HoldView, OriginView, ReloadReport, SnapshotView, TlsView } from '../views.ts';
import { lastChanges } from './changes.ts';
import { type Health, hrefOf, type Html, podOf, progressColumns, section, streamHref, tableOf, time } from './parts.ts';

/** What is read of the config. */
type ConfigPart = {
  readonly reload: ReloadReport;
  readonly tls: readonly TlsView[];
  readonly sources: readonly DialledSource[];
};

/** What is late or missing, the way from the sources to the istiods in numbers, and what the guard holds. */
export async function overview(view: BridgeView): Promise<Html[]> {
  await view.refresh();
  const origins = view.origins();
  const snapshot = view.snapshots();
  const streams = view.streams();
  const sinks = view.sinks();
  const { reload, tls, sources } = view.config() as ConfigPart;
  const kinds = origins.flatMap((origin) => origin.kinds);
  const sum = (of: (kind: (typeof kinds)[number]) => number) => kinds.reduce((total, kind) => total + of(kind), 0);
  const seen: Seen = {
    origins,
    snapshot,
    streams,
    sinks,
    quarantined: { held: sum(({ quarantined }) => quarantined), invalid: sum(({ invalid }) => invalid) },
    conflicts: view.conflicts(0, 1),
    state: view.state(),
    reload,
    tls,
    sources,
  };
  const findings = findingsOf(seen, Date.now());
  return [
    section('findings', 'Is all well?', verdict(findings, streams.length)),
    section('flow', 'From the sources to istiod', flow(seen)),
    section('guard', 'Removals that are held', guard(holdsOf(origins))),
    section('changes', 'Last changes', lastChanges(view.changes({}, 10))),
    section('kinds', 'What istiod is given', kindTable(snapshot)),
    section('sources', 'What the sources say', sourceTable(origins)),
  ];
}

function verdict(findings: readonly string[], streams: number): Html {
  if (findings.length === 0 && streams > 0) return html`<p class="verdict state good">✓ All is well.</p>`;
  if (findings.length === 0) {
    return html`<p class="verdict state warn">Nothing is wrong, but no istiod is connected.</p>
<p>istiod connects where its mesh config says so: <code>configSources: [{address: "xds://HOST:PORT"}]</code>.</p>`;
  }
  return html`<p class="verdict state bad">! ${countOf(findings.length, 'thing')} to look at:</p>
<ul class="findings">${findings.map((text) => html`<li>${text}</li>`)}</ul>`;
}

function flow({ origins, snapshot, streams, sinks }: Seen): Html {
  const resources = snapshot.reduce((total, one) => total + one.resources, 0);
  const bytes = snapshot.reduce((total, one) => total + one.bytes, 0);
  const waiting = snapshot.filter(({ complete }) => !complete).length;
  const health: Health = waiting > 0 ? 'bad' : snapshot.some(({ stale }) => stale.length > 0) ? 'warn' : 'good';
  return html`<div class="flow">
<div><h3>Sources</h3>${cards(origins.map(sourceCard), 'none in the config')}</div>
<div class="arrow" aria-hidden="true">→</div>
<div><h3>Isthmus</h3>${cards([
    card(health, 'this bridge', [
      `${countOf(resources, 'resource')}, ${sizeText(bytes)}`,
      waiting === 0 ? 'everything is complete' : `${countOf(waiting, 'kind')} not complete yet`,
    ]),
  ])}</div>
<div class="arrow" aria-hidden="true">→</div>
<div><h3>istiods</h3>${cards([...streams.map(streamCard), ...sinks.map(({ peer, node }) => card('good', `old Pilot ${podOf(node) || peer}`, [peer]))], 'none is connected')}</div>
</div>`;
}

function cards(all: readonly Html[], none = ''): Html {
  return all.length === 0 ? html`<p class="state warn">${none}</p>` : html`<ul class="cards">${all}</ul>`;
}

function card(health: Health, title: Html | string, lines: readonly string[]): Html {
  return html`<li class="card ${health}">${title}${lines.map((line) => html`<p>${line}</p>`)}</li>`;
}

function sourceCard({ name, address, connection, kinds }: OriginView): Html {
  const resources = kinds.reduce((total, { received }) => total + received, 0);
  const held = kinds.reduce((total, { hold }) => total + (hold?.removals ?? 0), 0);
  const quarantined = kinds.reduce((total, one) => total + one.quarantined, 0);
  const isConnected = connection.state === 'connected';
  return card(isConnected ? (held + quarantined > 0 ? 'warn' : 'good') : 'bad', sourceLink(name), [
    `${connection.state} · ${address ?? 'not in the config any more'}`,
    countOf(resources, 'resource'),
    ...(held > 0 ? [`${numberText(held)} removals held`] : []),
    ...(quarantined > 0 ? [`${numberText(quarantined)} quarantined`] : []),
  ]);
}

function streamCard({ id, node, peer, version, types }: ReturnType<BridgeView['streams']>[number]): Html {
  const sent = types.filter(({ sentVersion }) => sentVersion !== null);
  const acked = sent.filter(({ sentVersion, ackedVersion }) => sentVersion === ackedVersion).length;
  const isRefused = types.some(({ nack, tooLarge }) => nack !== null || tooLarge);
  const health: Health = isRefused ? 'bad' : acked < sent.length || sent.length === 0 ? 'warn' : 'good';
  return card(health, html`<a href="${streamHref(id)}">${podOf(node) || peer}</a>`, [
    `Istio ${version}`,
    sent.length === 0 ? 'nothing was sent yet' : `${acked} of ${sent.length} types acknowledged`,
    ...(isRefused ? ['something was refused, or is too large'] : []),
  ]);
}

function guard(holds: readonly HoldView[]): Html {
  if (holds.length === 0) return html`<p>None: what the sources removed has been removed.</p>`;
  return tableOf(
    'Resources stay although their source does not name them any more, until it says so again or somebody lets them go',
    [
      { title: 'Source', cell: ({ origin }) => origin, isHead: true },
      { title: 'Kind', cell: ({ kind }) => kind },
      { title: 'Held', cell: ({ removals, of }) => `${numberText(removals)} of ${numberText(of)}`, isNumber: true },
      { title: 'Why', cell: ({ reason }) => reason },
      { title: 'Since', cell: ({ since }) => time(since) },
      { title: 'Next', cell: nextText },
      { title: 'Let go', cell: releaseForm },
    ],
    holds,
  );
}

function nextText({ state, until }: HoldView): Html | string {
  if (until === null) return 'the source speaks';
  if (state === 'answered') return `the source ${nextOfHold({ state, until })}`;
  if (state === 'asked') return html`the source was asked again at ${time(until)}, and has not answered`;
  return html`the source is asked again at ${time(until)}`;
}

function releaseForm({ origin, kind, removals }: HoldView): Html {
  return html`<form method="post" action="/ui/guard/release"><input type="hidden" name="origin" value="${origin}">
<input type="hidden" name="kind" value="${kind}">
<button aria-label="Remove ${numberText(removals)} ${kind} of ${origin} now">Remove them now</button></form>`;
}

function kindTable(snapshot: readonly SnapshotView[]): Html {
  const isQuiet = ({ complete, resources, stale, overdue }: SnapshotView) =>
    complete && resources === 0 && stale.length + overdue.length === 0;
  const shown = snapshot.filter((one) => !isQuiet(one));
  const table = tableOf(
    'Kinds that a source may hold; others are answered as empty',
    [
      { title: 'Kind', cell: ({ kind }) => html`<a href="${hrefOf(kind)}">${kind}</a>`, isHead: true },
      { title: 'State', cell: stateOf },
      { title: 'Resources', cell: ({ resources }) => numberText(resources), isNumber: true },
      { title: 'Size', cell: ({ bytes }) => sizeText(bytes), isNumber: true },
      { title: 'Version', cell: ({ version }) => version ?? '–' },
    ],
    shown,
  );
  const quiet = snapshot.filter(isQuiet).map(({ kind }) => kind);
  return html`${shown.length === 0 ? '' : table}${quiet.length === 0 ? '' : html`<p>Complete, and empty: ${quiet.join(', ')}.</p>`}`;
}

function stateOf({ complete, waitingFor, stale, overdue }: SnapshotView): Html {
  if (!complete)
    return html`<span class="state bad">waits for ${waitingFor.join(', ') || 'what was known before'}</span>`;
  if (stale.length > 0) return html`<span class="state warn">stale: ${stale.join(', ')} has not spoken yet</span>`;
  if (overdue.length > 0) return html`<span class="state warn">${overdue.join(', ')} counts as empty</span>`;
  return html`<span class="state good">complete</span>`;
}

function sourceTable(origins: readonly OriginView[]): Html {
  const all = origins.flatMap(({ name, kinds }) => kinds.map((kind) => ({ name, ...kind })));
  const hasSome = ({ received, effective, quarantined, withheld }: KindOfSource) =>
    received + effective + quarantined + withheld > 0;
  const shown = all.filter(hasSome);
  const table = tableOf(
    'Received: what the source says. Released: what the guard lets through. Sent: without what is quarantined',
    [
      { title: 'Source', cell: ({ name }) => sourceLink(name), isHead: true },
      { title: 'Kind', cell: ({ kind }) => html`<a href="${hrefOf(kind)}">${kind}</a>` },
      ...progressColumns,
      { title: 'Last change', cell: ({ lastChangeAt }) => time(lastChangeAt) },
    ],
    shown,
  );
  const others = all.filter((one) => !hasSome(one));
  return html`${shown.length === 0 ? '' : table}${others.length === 0 ? '' : html`<ul>${emptyOnes(others)}</ul>`}`;
}

type KindOfSource = OriginView['kinds'][number];

/** Kinds of which a source has nothing, a line for each source and state. */
function emptyOnes(rows: readonly (KindOfSource & { readonly name: string })[]): Html[] {
  const groups = new Map<string, { name: string; sync: string; kinds: string[] }>();
  for (const { name, sync, kind } of rows) {
    const id = `${sync} ${name}`;
    const group = groups.get(id) ?? { name, sync, kinds: [] };
    group.kinds.push(kind);
    groups.set(id, group);
  }
  return Array.from(
    groups.values(),
    ({ name, sync, kinds }) => html`<li>${sourceLink(name)}, ${sync}, nothing of: ${kinds.join(', ')}</li>`,
  );
}

function sourceLink(name: string): Html {
  return html`<a href="/ui/sources/${encodeURIComponent(name)}">${name}</a>`;
}
