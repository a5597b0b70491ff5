/** What an istiod can take. One row per generation; facts measured on 1.9.9, 1.11.8, 1.12.9, 1.16, 1.18.1, 1.24.0, 1.30.3. */
export type IstiodProfile = {
  readonly name: 'up-to-1.11' | '1.12-and-newer';
  /**
   * Whether resources carry their version. 1.11 refuses every update of a resource that has one
   * (pilot memory/store.go, "conflicting resource version"); 1.9 and 1.10 ignore it.
   */
  readonly versioned: boolean;
  /** Largest response that it can receive; undefined = as large as gRPC allows. ≤ 1.11 kept gRPC's default. */
  readonly maxResponseBytes: number | undefined;
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
  maxResponseBytes: undefined,
  mayEndStream: true,
};

/**
 * The profile of a peer. Up to 1.11 every istiod calls itself `…~test-1.default~…`, a name that was left in the
 * client by mistake; 1.12 and newer send their pod's name (adsc.go, node id). `version` overrides what is seen.
 *
 * @param version `1.24`, `1.24.0`, …; undefined = look at the node id.
 */
export function profileOf(nodeId: string, version?: string): IstiodProfile {
  if (version !== undefined) {
    const minor = Number(version.split('.')[1]);
    return minor <= 11 ? upTo111 : from112;
  }
  return nodeId.includes('~test-1.default~') ? upTo111 : from112;
}
