import type { FieldDifference } from './compare.ts';

/** What became of a resource, where it is not equal on both sides. A closed set; docs/migrate-verify.md has all. */
export type ResourceStatus = 'missing' | 'changed' | 'extra' | 'shadowed' | 'refused' | 'byRevision' | 'unreadable';

/** Those that are no loss: istiod drops such a resource by a rule of its own. */
export const harmless: ReadonlySet<ResourceStatus> = new Set(['byRevision']);

/** One resource that is not equal. */
export type ResourceReport = {
  readonly status: ResourceStatus;
  readonly kind: string;
  /** `namespace/name`. */
  readonly name: string;
  /** As far as it is known. */
  readonly why?: string;
  /** Where it is `changed` or `shadowed`: what differs. */
  readonly fields?: readonly FieldDifference[];
};

/** Resources of which a part was not compared, or is not used by istiod; sentences. */
export type Remark = { readonly kind: string; readonly name: string; readonly what: readonly string[] };

/** Something that is not as it should be, and is no single resource. */
export type Problem = {
  /** Stable: scripts may rely on it. */
  readonly code: string;
  /** An `error` keeps the verdict from being `equal`. */
  readonly severity: 'error' | 'warning';
  /** Whom it is about: an address, or a source. */
  readonly subject: string;
  readonly what: string;
  /** What to do about it. */
  readonly next: string;
  /** True where it may pass by waiting. */
  readonly mayPass: boolean;
};

/** Why a side said nothing. */
export type Failure = { readonly message: string; readonly hint: string | null };

export type BridgeReport = {
  /** `HOST:PORT` of its xDS port. */
  readonly address: string;
  readonly error: Failure | null;
  readonly resources: number;
  readonly kinds: readonly {
    readonly kind: string;
    readonly resources: number;
    readonly bytes: number;
    /** Largest response that istiod of that version takes. */
    readonly limitBytes: number;
  }[];
  /** Kinds that it has said nothing of: no source has spoken of them yet. */
  readonly silent: readonly string[];
};

export type IstiodReport = {
  readonly url: string;
  /** `NAMESPACE/NAME` where its Pod was found in the cluster, else null. */
  readonly pod: string | null;
  readonly error: Failure | null;
  /** As it says itself, or null. */
  readonly version: string | null;
  /** `/ready`; null where that port does not tell. */
  readonly ready: boolean | null;
  /** Addresses of `configSources` in its mesh config now; null where it does not tell. */
  readonly configSources: readonly string[] | null;
  /** False where the bridge, or it, does not say all: then what follows is empty, and says nothing. */
  readonly compared: boolean;
  /** Resources that it has and the bridge serves, and that say the same. */
  readonly equal: number;
  /** Kind → how many it has that the bridge does not serve, and that come from elsewhere: from Kubernetes, or made by itself. */
  readonly elsewhere: Readonly<Record<string, number>>;
  readonly differences: readonly ResourceReport[];
  /** Equal as far as JSON shows it. */
  readonly notCompared: readonly Remark[];
  /** Fields that were sent, and that this istiod does not use. */
  readonly passedOver: readonly Remark[];
};

/** What a bridge says of its sources. */
export type AdminReport = {
  readonly url: string;
  readonly error: Failure | null;
  /** `/readyz`: it listens. */
  readonly ready: boolean | null;
  /** `/syncz`: every source has spoken of everything. */
  readonly complete: boolean | null;
  readonly sources: readonly SourceReport[];
  /** What is not sent as it came. */
  readonly quarantined: readonly QuarantinedReport[];
};

export type SourceReport = {
  readonly name: string;
  readonly address: string | null;
  readonly connection: string;
  readonly kinds: readonly {
    readonly kind: string;
    readonly sync: string;
    /** As the source says. */
    readonly received: number;
    /** What is sent of it. */
    readonly effective: number;
    readonly quarantined: number;
    /** Removals that the guard holds: the source does not name them any more, and they are sent. */
    readonly held: number;
    readonly lastMessageAt: string | null;
  }[];
};

export type QuarantinedReport = {
  readonly source: string;
  readonly kind: string;
  readonly name: string;
  readonly reason: string;
  readonly message: string;
  /** `nothing` · `last_good` · `as_received` · `other_source`. */
  readonly sent: string;
};

/** What a legacy server says itself, beside what the bridge serves. */
export type DirectReport = {
  readonly address: string;
  readonly error: Failure | null;
  /** False where the bridge, or it, does not say all. */
  readonly compared: boolean;
  readonly equal: number;
  /** Resources that the bridge serves and it does not have: they may be of another source. */
  readonly notThere: number;
  readonly differences: readonly ResourceReport[];
};

/** `unknown`: a side could not be asked, or did not say everything; then nothing is proved. */
export type Verdict = 'equal' | 'different' | 'unknown';

export type VerifyReport = {
  readonly verdict: Verdict;
  /** The version in whose name the bridge was asked; null = a new one. */
  readonly toVersion: string | null;
  readonly lookedAt: string;
  /** From the beginning of the first look to the end of the last one. */
  readonly tookMs: number;
  readonly bridge: BridgeReport;
  /** Null where --admin was not given. */
  readonly admin: AdminReport | null;
  readonly istiods: readonly IstiodReport[];
  readonly direct: readonly DirectReport[];
  readonly problems: readonly Problem[];
};

/** What of a report says the verdict. */
type Judged = Pick<VerifyReport, 'bridge' | 'admin' | 'istiods' | 'direct' | 'problems'>;

/** A side that can't be asked, or does not say all, is neither equal nor different: it comes first. */
export function verdictOf({ bridge, admin, istiods, direct, problems }: Judged): Verdict {
  const sides = [bridge, ...(admin === null ? [] : [admin]), ...istiods, ...direct];
  if (sides.some(({ error }) => error !== null) || bridge.silent.length > 0) return 'unknown';
  const differs = [...istiods, ...direct].some(({ differences }) => differences.some(isLoss));
  return differs || problems.some(({ severity }) => severity === 'error') ? 'different' : 'equal';
}

/** True for what keeps two sides from being equal. */
export function isLoss({ status }: ResourceReport): boolean {
  return !harmless.has(status);
}
