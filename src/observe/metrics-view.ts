/** Of one source and kind. */
export type HoldingNumbers = {
  readonly source: string;
  readonly kind: string;
  readonly synced: boolean;
  /** True where what was known before is served. */
  readonly stale: boolean;
  /** True where it counts as empty because its source was waited for long enough. */
  readonly overdue: boolean;
  /** Resources that are served although the config does not name their source, or collection, any more. */
  readonly retired: number;
  readonly received: number;
  readonly released: number;
  readonly effective: number;
  /** Of the effective ones, as they stand in a response. */
  readonly bytes: number;
  /** When the last message came, and when what is sent was another thing last; undefined where that is not known. */
  readonly lastMessageAtMs: number | undefined;
  readonly lastChangeAtMs: number | undefined;
  readonly quarantined: ReadonlyMap<string, number>;
  readonly invalid: ReadonlyMap<string, number>;
  /** Resources whose removal the guard holds. */
  readonly held: number;
};

/** What became of the responses of one kind on one stream; of streams that share a seat, on all of them. */
export type SeatNumbers = {
  readonly seat: string;
  readonly kind: string;
  readonly pushes: number;
  readonly acks: number;
  readonly nacks: number;
  readonly bytes: number;
  readonly waitedMs: number;
  readonly behindMs: number;
};

/** The present state, read at every scrape. */
export type MetricsView = {
  sources(): Iterable<{ readonly name: string; readonly connected: boolean }>;
  holdings(): Iterable<HoldingNumbers>;
  /** Of collections that istiod 1.9 and newer has no place for. */
  dropped(): Iterable<{ readonly source: string; readonly collection: string; readonly resources: number }>;
  kinds(): Iterable<{
    readonly kind: string;
    readonly complete: boolean;
    readonly resources: number;
    /** When what is given became what it is; undefined before there is anything. */
    readonly publishedAtMs: number | undefined;
  }>;
  /** Bytes of the last whole state of each collection, or of a larger change since, and what is taken at most. */
  messages(): Iterable<{
    readonly source: string;
    readonly collection: string;
    readonly bytes: number;
    readonly limit: number;
  }>;
  streams(): number;
  /** One for each seat of an istiod and kind that it has asked for; see model/seats. */
  seats(): Iterable<SeatNumbers>;
  /** What is known of those who have seats. @returns `version`: which versions it may be of, as a text of a closed set. */
  seatInfos(): Iterable<{ readonly seat: string; readonly profile: string; readonly version: string }>;
  /** Streams of legacy sinks. */
  sinks(): number;
  /** Collections that legacy sinks were answered as empty because the bridge does not carry them. */
  uncarried(): Iterable<{ readonly collection: string; readonly streams: number }>;
  /** The largest last response of each kind to the istiods of each profile, and what those can receive. */
  pushSizes(): Iterable<{
    readonly kind: string;
    readonly profile: string;
    readonly bytes: number;
    readonly limit: number;
  }>;
  /** Resources that an istiod drops, or may drop, because of their label istio.io/rev. */
  droppedByRevision(): Iterable<{ readonly kind: string; readonly reason: string; readonly resources: number }>;
  /** Undefined while nobody has counted. */
  unaddressedHosts(): number | undefined;
  /** What several sources have; reasons that do not occur may be left out. */
  conflicts(): Iterable<{ readonly kind: string; readonly reason: string; readonly count: number }>;
  /** How the last reading of the config went, when what is in force was read, and settings that need a restart. */
  config(): { readonly hasFailed: boolean; readonly readAtMs: number; readonly pending: number };
  /** Certificates and CAs that are in use. */
  certificates(): Iterable<{ readonly use: string; readonly role: 'certificate' | 'ca'; readonly endsAtMs: number }>;
  /** TLS files, by what they are for. */
  tlsFiles(): Iterable<{ readonly use: string; readonly isRefused: boolean }>;
  /** The last-known-good files; undefined where there is no state folder. */
  state(): { readonly isFailing: boolean; readonly unreadable: number; readonly unsaved: number } | undefined;
};
