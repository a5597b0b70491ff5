import type { LabelReason } from '../../model/label-reasons.ts';
import type { StreamView } from '../../xds/ads-server.ts';
import type { LabelledView } from '../../xds/revisions.ts';
import { countOf, numberText } from '../../model/texts.ts';

/** What istiods make of the label `istio.io/rev`. */
export type RevisionProblem = {
  readonly code: 'REVISION' | 'REVISION_DROPS' | 'REVISION_UNKNOWN';
  readonly what: string;
  /** What to do; undefined where it may well be meant so. */
  readonly next: string | undefined;
  readonly data: Readonly<Record<string, unknown>>;
};

const nexts: Readonly<Partial<Record<LabelReason, string>>> = {
  no_revision: 'give that istiod a revision, or take the label away at the source (docs/revisions.md)',
  unknown_revision: 'say which one it is with istiod.revision in the config',
  unknown_version: 'say which one it is with istiod.version in the config',
};

/** Values of the label in one line. */
const maxValues = 5;

const otherNext = 'point an istiod of that revision at the bridge, or mend the label at the source (docs/revisions.md)';

/** What is said of all istiods of one version and revision together. */
type Group = { readonly view: LabelledView; readonly stream: StreamView; count: number };

/**
 * One for each kind, reason, and sort of istiod. A label of another revision is a problem only where no istiod that is
 * connected takes it.
 */
export function revisionProblems(streams: readonly StreamView[]): RevisionProblem[] {
  const groups = new Map<string, Group>();
  for (const stream of streams) {
    for (const view of stream.labelled) {
      const key = [view.kind, view.reason, stream.version, stream.revision].join(' ');
      const group = groups.get(key);
      if (group === undefined) groups.set(key, { view, stream, count: 1 });
      else group.count++;
    }
  }
  return Array.from(groups.values(), (group) => problemOf(group, streams));
}

function problemOf({ view, stream, count }: Group, streams: readonly StreamView[]): RevisionProblem {
  const { kind, fate, reason, why, labels, names, resources } = view;
  const nowhere = reason === 'other_revision' ? untaken(view, streams) : [];
  const data = { kind, reason, version: stream.version, revision: stream.revision, resources, labels, names };
  const who = `${countOf(count, 'istiod')} (${stream.version})`;
  const which = Object.keys(labels).length === 0 ? '' : ` (${valuesText(labels)})`;
  if (nowhere.length > 0) {
    const untold = Object.fromEntries(nowhere.map((label) => [label, labels[label] ?? 0]));
    const what = `${kind} with the label istio.io/rev (${valuesText(untold)}): no istiod that is connected takes them`;
    return { code: 'REVISION_DROPS', what, next: otherNext, data };
  }
  const becomes = fate === 'may be dropped' ? fate : `${resources === 1 ? 'is' : 'are'} ${fate}`;
  const what = `${numberText(resources)} ${kind}${which} ${becomes} by ${who}: ${why}`;
  const code =
    reason === 'no_revision' ? 'REVISION_DROPS' : fate === 'may be dropped' ? 'REVISION_UNKNOWN' : 'REVISION';
  return { code, what, next: nexts[reason], data };
}

/** `canary 3, stable 1`. */
export function valuesText(labels: Readonly<Record<string, number>>): string {
  const values = Object.entries(labels).map(([label, count]) => `${label} ${numberText(count)}`);
  return values.length > maxValues ? [...values.slice(0, maxValues), '…'].join(', ') : values.join(', ') || '-';
}

/** Values of the label that no stream takes, as far as is known. */
function untaken({ kind, labels }: LabelledView, streams: readonly StreamView[]): string[] {
  const takes =
    (label: string) =>
    ({ revision, labelled }: StreamView) =>
      revision === label ||
      labelled.some((one) => one.kind === kind && one.fate !== 'dropped' && Object.hasOwn(one.labels, label));
  return Object.keys(labels).filter((label) => !streams.some(takes(label)));
}
