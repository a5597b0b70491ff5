/**
 * What becomes of a resource in what istiod is given. A closed set. `quarantined`: nothing does, although its source has
 * sent another form of it.
 */
export const effectSorts = ['added', 'changed', 'removed', 'quarantined'] as const;

export type EffectSort = (typeof effectSorts)[number];

/**
 * Why. A closed set. `message`: a source said so · `released_by_operator`, `confirmed_by_source`: the guard has let removals
 * go · `source_removed`: the config confirmed that a source goes · `precedence`: sources came, left, or have another order ·
 * `verdict`: a form that breaks a rule of Istio gave way to another source's · `restart`: an earlier process knew it.
 */
export type EffectCause =
  | 'message'
  | 'released_by_operator'
  | 'confirmed_by_source'
  | 'source_removed'
  | 'precedence'
  | 'verdict'
  | 'restart';

/** How many there were of each. */
export type EffectCounts = Readonly<Record<EffectSort, number>>;

/** One resource, by name. */
export type Effect = {
  readonly sort: EffectSort;
  /** `namespace/name`, or a stand-in where a quarantined one has no usable name. */
  readonly key: string;
  /** The `istio.mcp.v1alpha1.Resource` as it was sent until then; undefined where there was none, or it was not copied. */
  readonly before: Buffer | undefined;
  /** The same of what is sent from then on. */
  readonly after: Buffer | undefined;
  /** True where a form is too large to be copied. */
  readonly isTooLarge: boolean;
  /** Whose form is sent from then on, where that is not the source that the change came from. */
  readonly sentFrom: string | undefined;
  /** For people; of what is quarantined: why. */
  readonly note: string | undefined;
};

/** What one message, or one decision, has changed of a kind. */
export type Effects = {
  /** Undefined where no source has said anything. */
  readonly origin: string | undefined;
  /** Kind.id. */
  readonly kind: string;
  readonly cause: EffectCause;
  /** The first few, what is removed before what is not. */
  readonly named: readonly Effect[];
  /** The others, which are only counted. */
  readonly others: EffectCounts;
};
