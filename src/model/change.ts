/** What a rule of Istio for resources is about. A closed set: part of a metric label. docs/validation.md has a row for each. */
export const violationCodes = [
  'addresses',
  'annotations',
  'conflict',
  'duplicates',
  'durations',
  'endpoints',
  'export_to',
  'headers',
  'hosts',
  'labels',
  'locality',
  'missing',
  'names',
  'numbers',
  'ports',
  'protocols',
  'regex',
  'selectors',
  'subsets',
  'tls',
  'unsupported',
  'weights',
] as const;

export type ViolationCode = (typeof violationCodes)[number];

/**
 * Why a resource that a source sent is not sent on, or not in this form. A closed set: it is a metric label. Those that
 * begin with `invalid_` say which rules of Istio it breaks.
 */
export const quarantineReasons = [
  'malformed',
  'no_metadata',
  'bad_name',
  'bare_mesh_wide_name',
  'no_body',
  'wrong_kind',
  ...violationCodes.map((code) => `invalid_${code}` as const),
] as const;

export type QuarantineReason = (typeof quarantineReasons)[number];

/** What is wrong with a resource. */
export type Fault = {
  readonly reason: QuarantineReason;
  /** For people: what is wrong and what to do. */
  readonly message: string;
};

/** A resource that was received and is not sent in this form. */
export type Quarantined = {
  /** `namespace/name`; where there is no usable name, a stand-in such as `#17` (its place in the message). */
  readonly key: string;
  /** False for a stand-in: the resource may be any of those that the message does not name. */
  readonly named: boolean;
  readonly reason: QuarantineReason;
  /** For people: what is wrong and what to do. */
  readonly message: string;
};

/**
 * Repairs of a body, which change what it means, so that each is off unless the operator turns it on. A closed set: part
 * of a metric label. docs/profiles.md has a row for each.
 */
export const bodyRepairs = ['invalid_labels', 'host_colons', 'missing_dot', 'zero_ports', 'service_ports'] as const;

export type BodyRepair = (typeof bodyRepairs)[number];

/** What was put right on the way in, as counts: shown to the operator, never silent. */
export type Repairs = {
  /** Names without a namespace that got the default one. */
  readonly bareNames: number;
  /** create_time that was there and not valid; it became the fixed constant. */
  readonly createTimes: number;
  /** Names that the message held more than once; the last one won. */
  readonly duplicates: number;
  /** Names that were written so that they are a namespace and a name; undefined where there was none. */
  readonly escapedNames?: number;
  /** Resources of the message whose body was repaired, by repair; undefined where there was none. */
  readonly bodies?: Readonly<Partial<Record<BodyRepair, number>>>;
};

/** What one message of one origin says about one kind, compared with what is held of that origin. */
export type Change = {
  /** New and changed resources: rows of the kind's pool. */
  readonly upserts: readonly number[];
  /** What is held of the key of each upsert, in the same order; noRow = nothing. Only a hint; may be empty. */
  readonly replaced: readonly number[];
  /** Keys of the last of the upserts, sorted: those of which nothing is held. Only a hint; may be empty. */
  readonly fresh: readonly string[];
  /** Resources that changed and have taken the place of what was held already. */
  readonly overwritten: number;
  /**
   * Keys that the source no longer has: for a full message those of the held ones that it does not name,
   * otherwise those that it says are removed.
   */
  readonly missing: readonly string[];
  /** Held keys that an incremental message brings unchanged, or with their other form in place already. Empty for a full one: it says so of all that it names. */
  readonly confirmed: readonly string[];
  readonly quarantined: readonly Quarantined[];
  /** Bad resources without a usable name beyond those that are listed; undefined where there are none. */
  readonly unlisted?: number;
  /** True where the message is the whole state. */
  readonly full: boolean;
  /**
   * True where the message would take the collection to nothing, and this source is known to say so when it only cannot
   * tell: that is held, however little it is. @default false
   */
  readonly isDoubtful?: boolean;
  /** Resources in the message, good and bad. */
  readonly received: number;
  readonly repairs: Repairs;
  /** Keys that the message held more than once, twenty at most; undefined where there was none. */
  readonly repeated?: readonly string[];
};
