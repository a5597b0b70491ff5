import { html } from 'hono/html';
import { numberText, sizeText } from '../../model/texts.ts';
import type { BridgeView } from '../views.ts';
import { facts, type Html, podOf, section, streamHref, tableOf, time } from './parts.ts';

type StreamView = ReturnType<BridgeView['streams']>[number];
type PushView = NonNullable<ReturnType<BridgeView['pushes']>>[number];

/** What an istiod is called. */
export function streamName({ node, peer }: StreamView): string {
  return podOf(node) || peer;
}

/** Every istiod: what it asked for, and how far it is. */
export function streamsPage(
  streams: ReturnType<BridgeView['streams']>,
  sinks: ReturnType<BridgeView['sinks']>,
): Html[] {
  const parts = streams.map((stream) => {
    const name = streamName(stream);
    const link = html`<p><a href="${streamHref(stream.id)}" aria-label="Last pushes to ${name}">Last pushes</a></p>`;
    return section(`stream-${stream.id}`, name, html`${streamParts(stream)}${link}`);
  });
  const none = section(
    'none',
    'No istiod is connected',
    html`<p>Its mesh config has to name this bridge in configSources.</p>`,
  );
  const pilots = tableOf(
    'Old Pilots that read legacy MCP from this bridge',
    [
      { title: 'Pilot', cell: ({ node, peer }) => node || peer, isHead: true },
      { title: 'Since', cell: ({ since }) => time(since) },
      { title: 'Collections', cell: ({ collections }) => numberText(collections.length), isNumber: true },
    ],
    sinks,
  );
  return [
    ...(parts.length === 0 ? [none] : parts),
    ...(sinks.length === 0 ? [] : [section('sinks', 'Old Pilots', pilots)]),
  ];
}

/** A type, which may go on in the next line before its last part. */
function typeName(typeUrl: string): Html {
  const last = typeUrl.lastIndexOf('/') + 1;
  return html`${typeUrl.slice(0, last)}<wbr>${typeUrl.slice(last)}`;
}

type TypeOfStream = ReturnType<BridgeView['streams']>[number]['types'][number];

function typeState({ nack, tooLarge, awaitingAck, sentVersion }: TypeOfStream): Html {
  if (nack !== null) return html`<span class="state bad long">refused: ${nack}</span>`;
  if (tooLarge) return html`<span class="state bad">too large for it: it keeps what it had</span>`;
  if (sentVersion === null) return html`<span class="state warn">not sent yet</span>`;
  return awaitingAck ? html`<span class="state warn">sent</span>` : html`<span class="state good">acknowledged</span>`;
}

function streamParts({ node, peer, profile, version, revision, since, types, labelled }: StreamView): Html {
  const about = facts([
    ['Address', peer],
    ['Node', node || 'it does not say'],
    ['Istio version', version],
    ['Revision', revision === null ? 'unknown' : revision || 'none'],
    ['Treated as', profile],
    ['Connected since', time(since)],
  ]);
  const table = tableOf(
    'Types that it asked for',
    [
      { title: 'Type', cell: ({ typeUrl }) => typeName(typeUrl), isHead: true },
      { title: 'State', cell: typeState },
      { title: 'Size', cell: ({ bytes }) => (bytes === null ? '–' : sizeText(bytes)), isNumber: true },
      { title: 'It takes', cell: ({ maxBytes }) => sizeText(maxBytes), isNumber: true },
      { title: 'Sent', cell: ({ sentVersion }) => sentVersion ?? '–' },
      {
        title: 'Acknowledged',
        cell: ({ ackedVersion, sentVersion }) =>
          ackedVersion === null ? '–' : ackedVersion === sentVersion ? 'what was sent' : ackedVersion,
      },
    ],
    types,
  );
  const drops = labelled.map(
    ({ kind, resources, fate, why }) => html`<li>${numberText(resources)} ${kind} ${fate}: ${why}</li>`,
  );
  const labels = drops.length === 0 ? '' : html`<h3>Label istio.io/rev</h3><ul class="findings">${drops}</ul>`;
  return html`${about}${table}${labels}`;
}

/** One istiod, with what it was sent last. */
export function streamPage(stream: StreamView, pushes: readonly PushView[]): Html[] {
  const none = html`<p>Nothing yet: a type is sent once all of its sources have spoken.</p>`;
  return [
    section('about', 'What it has', streamParts(stream)),
    section('pushes', 'Last pushes', pushes.length === 0 ? none : pushTable(pushes)),
  ];
}

/** Why a response was sent, in words. */
const pushCauses: Readonly<Record<string, string>> = {
  subscription: 'it asked for the type',
  change: 'a source said something',
  release: 'the guard let removals go',
  reload: 'sources came, left, or have another order',
  verdict: 'a form that breaks a rule of Istio gave way',
};

function pushTable(pushes: readonly PushView[]): Html {
  return tableOf(
    'Responses on this stream, the newest first',
    [
      { title: 'Time', cell: ({ at }) => time(at), isHead: true },
      { title: 'Kind', cell: ({ kind, typeUrl }) => (kind === 'other' ? typeUrl : kind) },
      { title: 'Resources', cell: ({ resources }) => numberText(resources), isNumber: true },
      { title: 'Size', cell: ({ bytes }) => sizeText(bytes), isNumber: true },
      { title: 'Why', cell: ({ cause }) => pushCauses[cause] ?? cause },
      { title: 'Waited', cell: ({ waitedMs }) => msText(waitedMs), isNumber: true },
      { title: 'Answer', cell: answerOf },
      { title: 'After', cell: ({ answeredAfterMs: ms }) => (ms === null ? '–' : msText(ms)), isNumber: true },
      { title: 'Version', cell: ({ version }) => version || '–' },
    ],
    pushes,
  );
}

function answerOf({ answer, error }: PushView): Html {
  if (answer === null) return html`<span class="state warn">none yet</span>`;
  if (answer === 'ack') return html`<span class="state good">acknowledged</span>`;
  return html`<span class="state bad long">refused: ${error ?? ''}</span>`;
}

/** `12 ms`, `1.2 s`. */
function msText(ms: number): string {
  return ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`;
}
