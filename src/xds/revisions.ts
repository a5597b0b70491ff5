import { type KindCensus, namesOfTally, type Tally } from '../model/census.ts';
import type { LabelReason } from '../model/label-reasons.ts';
import { type RevisionRule, revisionRuleOf } from './istiod-profile.ts';
import type { Minors } from './istiod-version.ts';

/** What is known of an istiod, as far as revisions go. */
export type Revisioned = {
  /** Undefined = it may be any version. */
  readonly minors: Minors | undefined;
  /** '' = it has none; undefined = that is not known. */
  readonly revision: string | undefined;
};

/** What becomes of a resource there. */
export type LabelFate = 'taken' | 'dropped' | 'may be dropped';

/** Resources of one kind that have the label, and meet with the same fate. */
export type LabelledView = {
  readonly kind: string;
  readonly fate: LabelFate;
  readonly reason: LabelReason;
  /** For people. */
  readonly why: string;
  readonly resources: number;
  /** Value of the label → how many have it; of values beyond the first 200 nothing is in here. */
  readonly labels: Readonly<Record<string, number>>;
  /** The first twenty of them. */
  readonly names: readonly string[];
};

const rules: readonly RevisionRule[] = ['ignored', 'exact', 'unset takes all'];

const fates: Readonly<Record<LabelReason, LabelFate>> = {
  own_revision: 'taken',
  label_ignored: 'taken',
  takes_all: 'taken',
  no_revision: 'dropped',
  other_revision: 'dropped',
  unknown_revision: 'may be dropped',
  unknown_version: 'may be dropped',
};

/** Why an istiod takes or drops a resource with this value of the label. */
export function reasonOf(label: string, istiod: Revisioned): LabelReason {
  const [first, ...others] = new Set(
    possibleRules(istiod.minors).map((rule) => reasonBy(rule, label, istiod.revision)),
  );
  if (first !== undefined && others.length === 0) return first;
  return istiod.revision === undefined ? 'unknown_revision' : 'unknown_version';
}

function reasonBy(rule: RevisionRule, label: string, revision: string | undefined): LabelReason {
  if (label === revision) return 'own_revision';
  if (rule === 'ignored') return 'label_ignored';
  if (revision === undefined) return 'unknown_revision';
  if (revision !== '') return 'other_revision';
  return rule === 'exact' ? 'no_revision' : 'takes_all';
}

function possibleRules(minors: Minors | undefined): readonly RevisionRule[] {
  if (minors === undefined) return rules;
  const { from, to } = minors;
  const first = rules.indexOf(revisionRuleOf(from));
  const last = to === undefined ? rules.length - 1 : rules.indexOf(revisionRuleOf(to));
  return rules.slice(first, last + 1);
}

/** What was made of a census for each sort of istiod: a mesh has few sorts, and they are asked for at every look and scrape. */
const made = new WeakMap<KindCensus, Map<string, readonly LabelledView[]>>();

/** Sorts of istiods that are remembered for each census. */
const maxSorts = 64;

/**
 * What an istiod makes of the labelled resources of one kind, by reason; nothing of those that it takes because the label
 * is its own revision, as it should be.
 */
export function labelledViews(kind: string, census: KindCensus, istiod: Revisioned): readonly LabelledView[] {
  const sorts = made.get(census) ?? new Map<string, readonly LabelledView[]>();
  made.set(census, sorts);
  const { minors, revision } = istiod;
  const sort = JSON.stringify([kind, minors?.from, minors?.to, revision]);
  const before = sorts.get(sort);
  if (before !== undefined) return before;
  const views = makeViews(kind, census, istiod);
  if (sorts.size >= maxSorts) sorts.clear();
  sorts.set(sort, views);
  return views;
}

function makeViews(kind: string, { labels, otherLabels }: KindCensus, istiod: Revisioned): LabelledView[] {
  const byReason = new Map<LabelReason, { labels: [string, number][]; tallies: Tally[] }>();
  const add = (reason: LabelReason, tally: Tally, label?: string) => {
    if (reason === 'own_revision' || tally.count === 0) return;
    const group = byReason.get(reason) ?? { labels: [], tallies: [] };
    byReason.set(reason, group);
    group.tallies.push(tally);
    if (label !== undefined) group.labels.push([label, tally.count]);
  };
  for (const [label, tally] of labels) add(reasonOf(label, istiod), tally, label);
  // Nobody has so many revisions that his own one is among these.
  add(reasonOf('\0', istiod), otherLabels);
  return Array.from(byReason, ([reason, group]) => ({
    kind,
    fate: fates[reason],
    reason,
    why: sentenceOf(reason, istiod.revision),
    resources: group.tallies.reduce((sum, { count }) => sum + count, 0),
    labels: Object.fromEntries(group.labels),
    names: group.tallies
      .flatMap(({ names }) => names)
      .toSorted()
      .slice(0, namesOfTally),
  }));
}

function sentenceOf(reason: LabelReason, revision: string | undefined): string {
  switch (reason) {
    case 'own_revision':
      return 'the label is the revision of this istiod';
    case 'label_ignored':
      return 'istiod up to 1.12 ignores the label: it takes all, whatever the label says';
    case 'takes_all':
      return 'istiod 1.19 and newer without a revision takes all, whatever the label says';
    case 'no_revision':
      return 'istiod 1.13 to 1.18 without a revision drops every resource that has the label';
    case 'other_revision':
      return `the label names another revision, this istiod is ${revision}`;
    case 'unknown_revision':
      return 'unknown revision: it will drop those whose label is not its own';
    case 'unknown_version':
      return revision === ''
        ? 'unknown version: without a revision, 1.13 to 1.18 drops every resource that has the label, others take all'
        : 'unknown version: 1.13 and newer drops those whose label is not its own revision, older ones take all';
    default:
      return reason satisfies never;
  }
}
