import { isUpTo111, minorOf } from './istiod-version.ts';

/** What an istiod can take. One row per generation; facts measured on 1.9.9, 1.11.8, 1.12.9, 1.16, 1.18.1, 1.24.0, 1.30.3. */
export type IstiodProfile = {
  readonly name: 'up-to-1.11' | '1.12-and-newer';
  /**
   * Whether resources carry their version. 1.11 refuses every update of a resource that has one
   * (pilot memory/store.go, "conflicting resource version"); 1.9 and 1.10 ignore it.
   */
  readonly versioned: boolean;
  /** Largest response that it can receive. ≤ 1.11 kept gRPC's default, later ones say MaxInt32 (adsc.go). */
  readonly maxResponseBytes: number;
  /**
   * Whether we may end its streams: 1.10 and 1.11 never come back after the 11th disconnect (adsc.go, an error
   * channel of 10 that nobody reads).
   */
  readonly mayEndStream: boolean;
};

const upTo111: IstiodProfile = {
  name: 'up-to-1.11',
  versioned: false,
  maxResponseBytes: 4 << 20,
  mayEndStream: false,
};

const from112: IstiodProfile = {
  name: '1.12-and-newer',
  versioned: true,
  maxResponseBytes: 2 ** 31 - 1,
  mayEndStream: true,
};

/**
 * The profile of a peer, by its name.
 *
 * @param version overrides what is seen: `1.24`, `1.24.0`, …; undefined = look at the node id.
 */
export function profileOf(nodeId: string, version?: string): IstiodProfile {
  const isOld = version === undefined ? isUpTo111(nodeId) : minorOf(version) <= 11;
  return isOld ? upTo111 : from112;
}

/**
 * What the label `istio.io/rev` does (adsc.go and config/model.go ObjectInRevision). `ignored`: nothing. `exact`: what has
 * another value than the istiod's own revision is dropped, whether it has one or not. `unset takes all`: the same, but an
 * istiod without a revision drops nothing.
 */
export type RevisionRule = 'ignored' | 'exact' | 'unset takes all';

/** The rule of a minor version of Istio 1. */
export function revisionRuleOf(minor: number): RevisionRule {
  if (minor <= 12) return 'ignored';
  return minor <= 18 ? 'exact' : 'unset takes all';
}
