import type { EffectCounts } from '../model/effects.ts';
import type { Refusals } from '../legacy/collection-probe.ts';
import type { SinkStreamView } from '../legacy/source-listener.ts';
import type { PushView, StreamView } from '../xds/ads-server.ts';
import type { SearchResult } from './search.ts';

/** What the admin pages show. They read; they change nothing. */

/** Removals of one kind of one origin that the guard holds. */
export type HoldView = {
  readonly origin: string;
  readonly kind: string;
  readonly collection: string | null;
  /**
   * `emptied` · `mass_removal` · `unreadable_names`: of a message in which resources could not be read ·
   * `before_restart`: an earlier process withheld it, and the source has not spoken since.
   */
  readonly reason: string;
  /** Resources that stay although the source does not name them any more. */
  readonly removals: number;
  /** The highest count of the 10 minutes before. */
  readonly of: number;
  readonly since: string | null;
  /** When the source is asked again; null where that is of no use. */
  readonly until: string | null;
  /** `held` until then · `asked` until it has answered · `answered` until that has stood for 30 s. */
  readonly state: string;
};

/** One kind of one origin. */
export type HoldingView = {
  readonly kind: string;
  readonly collection: string | null;
  readonly sync: string;
  /** Since when nobody feeds it, as the config does not name its source or collection any more; null where somebody does. */
  readonly retiredSince: string | null;
  readonly received: number;
  readonly released: number;
  readonly effective: number;
  readonly quarantined: number;
  /** Resources that are sent as they came although they are not valid, because no better form of them is known. */
  readonly invalid: number;
  readonly withheld: number;
  /** What the guard holds; null where it is nothing. */
  readonly hold: Omit<HoldView, 'origin' | 'kind' | 'collection'> | null;
  readonly messages: number;
  readonly lastMessageAt: string | null;
  /** When what is sent of it was another thing last; null where that is not known. */
  readonly lastChangeAt: string | null;
  /** What was put right in the last message, as counts, by the names of `isthmus_repairs_total`. */
  readonly repairs: Readonly<Record<string, number>>;
  /** Bytes of the last whole state, or of a larger change since; null before the first message. */
  readonly messageBytes: number | null;
};

export type OriginView = {
  readonly name: string;
  /**
   * `mcp://HOST:PORT`, or `dials in`, with where from while it is connected. Null for a source that the config does not name
   * any more.
   */
  readonly address: string | null;
  /** The largest message that is taken, in bytes; null for a source that the config does not name any more. */
  readonly maxMessage: number | null;
  readonly connection: {
    /**
     * `awaited` where it is to dial the bridge, and has not, or has left. `retired` where the config does not name it any
     * more: nobody dials it.
     */
    readonly state: string;
    readonly since: string;
    readonly streams: number;
    readonly lastError: string | null;
    readonly retryInMs: number | null;
    /** Where its present or last stream came from, where it dials the bridge; null before, and for others. */
    readonly peer: string | null;
    /** The Istio that it says it is part of; null where it says nothing. */
    readonly version: string | null;
    /** Collections that the source does not know, with the time at which it said so. */
    readonly unsupportedCollections: Readonly<Record<string, string>>;
  };
  /** Its habits; null for a source that the config does not name any more. */
  readonly profile: ProfileView | null;
  readonly kinds: readonly HoldingView[];
  /** Collections that istiod 1.9 and newer has no place for, as far as the source was asked for them (`countDropped`). */
  readonly dropped: readonly DroppedView[];
};

/** Which server a source is taken for. What its habits are then, `/debug/config` says. */
export type ProfileView = {
  /** What the config says: a built-in profile, or `auto`. */
  readonly configured: string;
  /** Where that is `auto`, the built-in profile that it looks like; null while nobody can tell. */
  readonly looksLike: string | null;
  /** What says so. */
  readonly because: readonly string[];
  /** Habits of that profile that are not in force, since they would change what messages mean. */
  readonly notInForce: readonly string[];
};

/** What a source has in a collection of which nothing is sent. */
export type DroppedView = {
  readonly collection: string;
  /** Null while the source has not spoken of it, or where it does not know it. */
  readonly resources: number | null;
  /** The first few. */
  readonly names: readonly string[];
  readonly isRefused: boolean;
  /** What replaces it, or why nothing has to. */
  readonly instead: string;
};

export type QuarantineView = {
  readonly source: string;
  readonly kind: string;
  readonly resource: string;
  readonly reason: string;
  readonly message: string;
  readonly since: string;
  /** True where an earlier, good form of it is being sent meanwhile. */
  readonly lastGoodSent: boolean;
  /**
   * `last_good`: that form · `nothing` · `as_received`: the very form that is named here, which istiod from 1.14 on refuses,
   * because no better one is known · `other_source`: the form of another source that has the same key, and a good one.
   */
  readonly sent: string;
};

/** Resources of a source and kind that are quarantined for one reason. */
export type QuarantineCount = {
  readonly source: string;
  readonly kind: string;
  readonly reason: string;
  /** Of which something else is sent, or nothing. */
  readonly held: number;
  /** Sent as they came, although they break a rule. */
  readonly invalid: number;
};

export type QuarantinePage = {
  readonly rows: readonly QuarantineView[];
  /** Where the next page goes on; undefined where there is none. */
  readonly last: string | undefined;
};

/** Something that several sources have. */
export type ConflictView = {
  readonly kind: string;
  /** `namespace/name`; null where it is about a host. */
  readonly resource: string | null;
  readonly host: string | null;
  /** In order of precedence. */
  readonly sources: readonly string[];
  /** Of a host: the resources that name it, 20 at most. */
  readonly namedBy: readonly { readonly source: string; readonly resource: string }[];
  readonly reason: string;
  /** What is done about it. */
  readonly done: string;
  readonly since: string;
};

/** One page of what several sources have. */
export type ConflictPage = {
  /** How many there are in all, by kind and reason. */
  readonly counts: readonly {
    readonly kind: string;
    readonly reason: string;
    readonly count: number;
    readonly done: string;
    /** True where something that a source holds is not sent. */
    readonly leavesOut: boolean;
  }[];
  /** In the order in which they began. */
  readonly conflicts: readonly ConflictView[];
  /** What the next page begins behind; undefined where this is the last one. */
  readonly last: number | undefined;
};

export type SnapshotView = {
  readonly kind: string;
  readonly complete: boolean;
  /** Names of sources that have not spoken of the kind yet. */
  readonly waitingFor: readonly string[];
  /** Names of sources that have not spoken of it since the start, or are in the config no more; what was known is served. */
  readonly stale: readonly string[];
  /** Names of sources that have not spoken of it within their syncTimeout: it counts as empty. */
  readonly overdue: readonly string[];
  readonly version: string | null;
  readonly resources: number;
  readonly bytes: number;
  /** Value of the label `istio.io/rev` → how many have it, of the first 200 values; null before they were counted. */
  readonly labels: Readonly<Record<string, number>> | null;
  /** Hosts of ServiceEntries that ask istiod for a virtual address; null before they were counted. */
  readonly unaddressedHosts: number | null;
};

type CertificateView = {
  readonly subject: string;
  readonly issuer: string;
  readonly names: readonly string[];
  readonly validFrom: string;
  readonly validTo: string;
};

/** What TLS is spoken with. No key is in it. */
export type TlsView = {
  /** `xds`, `sink`, `source/NAME`. */
  readonly use: string;
  readonly files: { readonly cert: string | null; readonly key: string | null; readonly ca: string | null };
  /** In use; null where there is none. */
  readonly certificate: CertificateView | null;
  /** CAs that peers are verified by; empty where those of Node count, or peers show no certificate. */
  readonly authorities: readonly CertificateView[];
  /** Why the files can't be used as they are now; what was in use before stays so. */
  readonly refused: { readonly what: string; readonly next: string; readonly since: string } | null;
  /** True where no connection is possible. */
  readonly isUnusable: boolean;
};

/** The last-known-good files. */
export type StateReport = {
  readonly folder: string;
  /** Why nothing can be saved; null while all is well. */
  readonly failing: {
    readonly since: string;
    readonly code: string;
    readonly what: string;
    readonly hint: string;
  } | null;
  /** Files that could not be read at the start. */
  readonly problems: readonly { readonly file: string; readonly what: string; readonly next: string }[];
  /** Files of what the config does not name. */
  readonly unused: readonly {
    readonly file: string;
    readonly source: string;
    readonly kind: string;
    readonly resources: number;
  }[];
  readonly files: readonly {
    readonly source: string;
    readonly kind: string;
    /** True where something is held that is not in the file yet. */
    readonly isDue: boolean;
    readonly savedAt: string | null;
    readonly bytes: number | null;
  }[];
};

/** What came of reading the config again. */
export type ReloadReport = {
  /** Null where there is none. */
  readonly file: string | null;
  /** When what is in force was read. */
  readonly readAt: string;
  /** Why the last reading has changed nothing; null where it was good. */
  readonly failed: {
    readonly at: string;
    readonly message: string;
    /** `at`: a place in the file, or a flag. */
    readonly mistakes: readonly { readonly at: string; readonly what: string }[];
  } | null;
  /** What the file has that a restart alone takes. */
  readonly needsRestart: readonly { readonly setting: string; readonly inForce: unknown; readonly wanted: unknown }[];
};

/** One resource that became another one in what istiod is given, or all those of a message that are not named. */
export type ChangeView = {
  readonly id: number;
  /** Common to what one message, or one decision, has changed of a kind. */
  readonly batch: number;
  readonly at: string;
  /** Null where no source has said anything. */
  readonly source: string | null;
  readonly kind: string;
  /** `namespace/name`; null where it is many. */
  readonly resource: string | null;
  /** `added`, `changed`, `removed`; `quarantined`: what its source sent is not sent on; `others`: many, of which only `counts` are known. */
  readonly what: string;
  readonly counts: EffectCounts | null;
  /** One of model/effects. */
  readonly why: string;
  /** The source whose form is sent from then on, where that is another one. */
  readonly sentFrom: string | null;
  readonly note: string | null;
  /** What there is of its forms: `kept` · `too_large` to be kept · `dropped`, for newer ones · `none`. */
  readonly forms: string;
};

/** The newest first. */
export type ChangePage = {
  readonly rows: readonly ChangeView[];
  /** Where the next page goes on; undefined where there is none. */
  readonly last: number | undefined;
};

/** Which changes are meant; what is not given does not matter. */
export type ChangeFilter = {
  readonly source?: string | undefined;
  /** Its name, such as ServiceEntry. */
  readonly kind?: string | undefined;
  /** A part of `namespace/name`. */
  readonly name?: string | undefined;
};

/** One change with the resource before and after it, as Kubernetes objects; null where there was none, or it is not kept. */
export type ChangeDetail = ChangeView & {
  readonly before: object | null;
  readonly after: object | null;
  /** The unified diff of both as YAML; null where a form is missing that there was. */
  readonly diff: string | null;
};

/** One resource in a list. */
export type ResourceRow = { readonly key: string; readonly version: string; readonly bytes: number };

export type BridgeView = {
  readonly version: string;
  /** True once we listen. */
  ready(): boolean;
  origins(): OriginView[];
  snapshots(): SnapshotView[];
  /** Sorted by key, those behind `after` only; undefined for an unknown or incomplete kind. */
  resources(kind: string, after: string, limit: number): { rows: ResourceRow[]; more: boolean } | undefined;
  /** One resource as a Kubernetes object, as far as its kind can be read; undefined where there is none. */
  resource(kind: string, key: string): object | undefined;
  /** Who holds a resource, in order of precedence, and what of it is quarantined. */
  known(kind: string, key: string): { sources: readonly string[]; quarantined: readonly QuarantineView[] };
  /** Resources that hold `text`, which is not empty, in their name or body: so many at most. */
  search(text: string, limit: number): Promise<SearchResult>;
  /** Has what is counted in the background be that of now, or of a short while ago; see model/census. */
  refresh(): Promise<void>;
  streams(): StreamView[];
  /** The last responses of a stream, newest first; undefined where there is no such stream. */
  pushes(stream: number): PushView[] | undefined;
  /** Legacy MCP sinks: old Pilots. */
  sinks(): SinkStreamView[];
  /** @param after {@link QuarantinePage.last} of the page before; '' = the first page. */
  quarantine(after: string, limit: number): QuarantinePage;
  /** How many they are, by source, kind and reason. */
  quarantineCounts(): QuarantineCount[];
  /** What several sources have: behind `after`, so many at most. */
  conflicts(after: number, limit: number): ConflictPage;
  /** What has changed lately, the newest first. @param after {@link ChangePage.last} of the page before; undefined = the first page. */
  changes(filter: ChangeFilter, limit: number, after?: number): ChangePage;
  /** Undefined where there is no such change, or it is not kept any more. */
  change(id: number): Promise<ChangeDetail | undefined>;
  /** Null where there is no state folder. */
  state(): StateReport | null;
  /** What the guard holds. */
  holds(): HoldView[];
  /** What is in force, with a {@link ReloadReport} as `reload`. */
  config(): object;
  /** The newest lines of the log, each a JSON object with a line break behind it; the oldest first. */
  log(limit: number): string[];
  metrics(): Promise<{ text: string; contentType: string }>;
};

/** What was let go of one kind of one origin. */
export type ReleasedView = {
  readonly origin: string;
  readonly kind: string;
  readonly collection: string | null;
  /** Resources that left. */
  readonly removed: number;
};

/**
 * Lets go what the guard holds, of one origin, of one kind (its name, or its collection), or all of it.
 * @returns undefined where there is no such origin or kind.
 */
export type ReleaseHolds = (which: {
  readonly origin?: string | undefined;
  readonly kind?: string | undefined;
}) => Promise<ReleasedView[] | undefined>;

/** `{collection: time}` of what a source refuses. */
export function refusalsView(refused: Refusals): Record<string, string> {
  return Object.fromEntries(Array.from(refused, ([name, since]) => [name, new Date(since).toISOString()]));
}
