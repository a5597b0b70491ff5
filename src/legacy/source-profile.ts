import type { Collection } from '../model/kinds.ts';

/**
 * `resourceSource`: Istio 1.1 to 1.8 and all others · `aggregated-1.1`: the older service of Istio 1.1, which names
 * collections · `aggregated-1.0`: that of Istio 1.0, which names body types.
 */
export const sourceProtocols = ['resourceSource', 'aggregated-1.1', 'aggregated-1.0'] as const;

export type SourceProtocol = (typeof sourceProtocols)[number];

/**
 * What a message that is not marked as a change means: `full`, the whole state of its collection · `merge`, no more than
 * what it names: nothing is ever gone because it is not named.
 */
export const stateForms = ['full', 'merge'] as const;

/**
 * When an empty message is taken at its word: `believed`, as the guard takes any other · `heldAtFirst`, not where it is the
 * first of its collection on a stream, as of a server that has just started · `held`, never at once. What is held, the
 * source is asked again about (docs/guard.md).
 */
export const emptyForms = ['believed', 'heldAtFirst', 'held'] as const;

/** What is done with names that have more slashes than one, or nothing behind the last. See NameRules. */
export const slashForms = ['refuse', 'escape'] as const;

/** A source's habits. Every one can be set in the config file, too. */
export type SourceProfile = {
  readonly protocol: SourceProtocol;
  /** SinkNode.id of our requests; a SinkNode is sent in any case. Galley 1.0 keeps its snapshot under "" and serves nobody else. */
  readonly sinkNodeId: string;
  /** Whether changes are asked for instead of whole states. Galley's first incremental message lies about its flag. */
  readonly incremental: boolean;
  readonly state: (typeof stateForms)[number];
  /** What to ask for. @default all that istiod 1.9 and newer has a place for */
  readonly collections: readonly Collection[] | undefined;
  /** Collection → the name under which this source has it. */
  readonly askAs: Readonly<Record<Collection, string>>;
  /** Namespace of bare names. @default "default", and bare names of mesh-wide kinds are quarantined */
  readonly defaultNamespace: string | undefined;
  readonly slashes: (typeof slashForms)[number];
  readonly empty: (typeof emptyForms)[number];
  /** A collection other than serviceentries that stays silent for so long while others speak counts as empty. */
  readonly silentCollectionMs: number;
  /** Between two HTTP/2 pings. @default 6 minutes: old servers answer more of them with GOAWAY */
  readonly pingMs: number | undefined;
  /** Whether a second connection harms: to the first one, or to the server. */
  readonly oneConnection: boolean;
};

/** What is right for a server nobody has studied: asks for whole states, sends few pings, has no name. */
export const defaultSourceProfile: SourceProfile = {
  protocol: 'resourceSource',
  sinkNodeId: '',
  incremental: false,
  state: 'full',
  collections: undefined,
  askAs: {},
  defaultNamespace: undefined,
  slashes: 'refuse',
  empty: 'believed',
  silentCollectionMs: 30_000,
  pingMs: undefined,
  oneConnection: false,
};

const networking = (...plurals: readonly string[]): readonly Collection[] =>
  plurals.map((plural) => `istio/networking/v1alpha3/${plural}`);

const serviceEntries = networking('serviceentries');

const profile = (differences: Partial<SourceProfile>): SourceProfile => ({ ...defaultSourceProfile, ...differences });

/** Every Nacos: it knows nothing of services until the first of them stirs after its start. */
const nacos = { collections: serviceEntries, empty: 'heldAtFirst' } as const;

/**
 * The built-in profiles. Why each differs from `default` is in docs/profiles.md, and in the page of the server in
 * docs/servers. None of them turns a repair on.
 */
export const sourceProfiles = {
  default: defaultSourceProfile,
  /** Whatever embeds istio.io/istio/pkg/mcp: it ends the stream over a collection that it does not know. */
  'pkg-mcp': profile({}),
  /** Galley 1.1 to 1.6. */
  galley: profile({}),
  'galley-1.0': profile({
    protocol: 'aggregated-1.0',
    collections: networking('virtualservices', 'gateways', 'serviceentries', 'destinationrules', 'envoyfilters'),
  }),
  /** It ends when a client leaves, and says that nothing is there when Consul does not answer. */
  'consul-mcp': profile({ collections: serviceEntries, empty: 'held', oneConnection: true }),
  /** 1.1.4 to 2.0.0, and 1.4: serves the first client alone. */
  'nacos-1': profile({ ...nacos, oneConnection: true }),
  /** 2.0.1 to 2.0.3. */
  'nacos-2.0.x': profile(nacos),
  /** 2.0.4 to 2.5. */
  'nacos-2': profile(nacos),
  'nacos-3': profile(nacos),
  /** Sends what has changed only, some of it without saying so; feeds the first client alone, and only under no name. */
  'nacos-istio': profile({
    collections: serviceEntries,
    askAs: { [serviceEntries.join()]: 'istio/networking/v1alpha3/synthetic/serviceentries' },
    incremental: true,
    state: 'merge',
    oneConnection: true,
  }),
  /** Sends the one service that has changed as though it were all. */
  'istio-consul': profile({ collections: serviceEntries, state: 'merge' }),
  /** Knows these, and twelve more that are always empty. */
  copilot: profile({
    collections: networking('gateways', 'sidecars', 'virtualservices', 'destinationrules', 'serviceentries'),
    empty: 'heldAtFirst',
  }),
  /** SAP's: reads files, half-written ones too. */
  'service-manager': profile({
    collections: networking('gateways', 'virtualservices', 'serviceentries'),
    empty: 'held',
  }),
  hango: profile({
    collections: networking('virtualservices', 'gateways', 'destinationrules', 'serviceentries'),
    slashes: 'escape',
  }),
  /** Feeds only the client that came last. */
  champly: profile({
    collections: networking('virtualservices', 'serviceentries', 'envoyfilters'),
    oneConnection: true,
  }),
} as const satisfies Readonly<Record<string, SourceProfile>>;

export type ProfileName = keyof typeof sourceProfiles;

export const profileNames = Object.keys(sourceProfiles) as readonly ProfileName[];
