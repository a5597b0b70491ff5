import { type IstiodVersion, pilotTypes } from './types.ts';

/** How one istiod behaves as a client of MCP-over-xDS. Where nothing else is said: pkg/adsc/adsc.go of that version. */
export type IstiodProfile = {
  readonly version: IstiodVersion;
  /** Subscriptions after MeshConfig, in order. */
  readonly types: readonly string[];
  /** As the gRPC library of that version calls itself; measured. */
  readonly userAgent: string;
  /** Up to 1.11 the name that the client library has by default; later the pod's (bootstrap/configcontroller.go). */
  readonly nodeId: string;
  /** Whether node metadata has ISTIO_REVISION (1.13 and newer). */
  readonly sendsRevision: boolean;
  /** 1.10 to 1.13 make their store with MakeSkipValidation (bootstrap/configcontroller.go). */
  readonly validates: boolean;
  /** A missing metadata or a body of another kind ends the process: 1.10 to 1.13, measured on 1.12.9. */
  readonly panics: boolean;
  /** Up to 1.13 a missing create_time is "timestamp: nil Timestamp", and the resource counts as absent. */
  readonly needsCreateTime: boolean;
  /**
   * What metadata.version does (pilot/pkg/config/memory/store.go): up to 1.10 nothing; in 1.11 one that is set makes
   * every update a conflict; later one that is equal to the stored one makes the resource be skipped.
   */
  readonly versions: 'ignored' | 'conflict' | 'compared';
  /** Label istio.io/rev: ignored up to 1.12; up to 1.18 an istiod without a revision takes only what has none. */
  readonly revisions: 'ignored' | 'exact' | 'unset takes all';
  /** Up to 1.11 the first response of each type goes into a channel as long as the list of types; nobody reads it. */
  readonly hasSyncChannel: boolean;
  /** gRPC's default up to 1.11, then MaxInt32. */
  readonly maxReceiveBytes: number;
  /** 1 MiB from 1.12 on, gRPC's default before. */
  readonly windowBytes: number;
  /** Errors of streams that fit into a channel that nobody reads: 1.10 and 1.11. The next one blocks for ever. */
  readonly errorChannel: number | undefined;
  /** From 1.16 on every type but MeshConfig needs one response; before, the check looked for three slashes. */
  readonly waitsForTypes: boolean;
  /** Client pings (bootstrap options --keepaliveInterval, --keepaliveTimeout), from 1.17 on. */
  readonly keepalive: { readonly afterMs: number; readonly timeoutMs: number } | undefined;
  /** What becomes of "Stop", 15 minutes after the last reset: -1 up to 1.15 = at once; pkg/backoff later = 60 s. */
  readonly afterStopMs: number;
  /** Where the backoff is reset: in handleRecv (1.16.7, 1.17.5, 1.18.2, 1.19.0 on), or after a *re*connect only. */
  readonly resetsBackoff: 'on stream' | 'on reconnect';
};

const upTo111: Omit<IstiodProfile, 'version' | 'types' | 'userAgent'> = {
  nodeId: 'sidecar~192.0.2.2~test-1.default~default.svc.cluster.local',
  sendsRevision: false,
  validates: false,
  panics: true,
  needsCreateTime: true,
  versions: 'conflict',
  revisions: 'ignored',
  hasSyncChannel: true,
  maxReceiveBytes: 4 << 20,
  windowBytes: 65_535,
  errorChannel: 10,
  waitsForTypes: false,
  keepalive: undefined,
  afterStopMs: 0,
  resetsBackoff: 'on reconnect',
};

const from112: typeof upTo111 = {
  ...upTo111,
  nodeId: 'sidecar~192.0.2.2~istiod-7d4f.istio-system~istio-system.svc.cluster.local',
  versions: 'compared',
  hasSyncChannel: false,
  maxReceiveBytes: 2 ** 31 - 1,
  windowBytes: 1 << 20,
  errorChannel: undefined,
};

const from116: typeof upTo111 = {
  ...from112,
  sendsRevision: true,
  validates: true,
  panics: false,
  needsCreateTime: false,
  revisions: 'exact',
  waitsForTypes: true,
  afterStopMs: 60_000,
  resetsBackoff: 'on stream',
};

const from117: typeof upTo111 = { ...from116, keepalive: { afterMs: 30_000, timeoutMs: 10_000 } };
const from119: typeof upTo111 = { ...from117, revisions: 'unset takes all' };

const profile = (version: IstiodVersion, grpc: string, rules: typeof upTo111): IstiodProfile => ({
  ...rules,
  version,
  types: pilotTypes[version],
  userAgent: `grpc-go/${grpc}`,
});

/** One per generation, each as its last patch release behaves. */
export const profiles: Readonly<Record<IstiodVersion, IstiodProfile>> = {
  '1.9': profile('1.9', '1.36.0', {
    ...upTo111,
    validates: true,
    panics: false,
    versions: 'ignored',
    errorChannel: undefined,
  }),
  '1.11': profile('1.11', '1.39.0', upTo111),
  '1.12': profile('1.12', '1.42.0', from112),
  '1.16': profile('1.16', '1.50.1', from116),
  '1.18': profile('1.18', '1.54.0', from117),
  '1.24': profile('1.24', '1.67.1', from119),
  '1.30': profile('1.30', '1.82.0', from119),
};

/** All of them, oldest first. */
export const allProfiles: readonly IstiodProfile[] = Object.values(profiles);
