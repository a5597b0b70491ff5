import { isInNetwork } from '../net/network.ts';

/** How a source that dials us is known; all that is given has to be so. */
export type SourceMatch = {
  /** A name in its client certificate (SAN), as `spiffe://cluster.local/ns/istio-system/sa/galley`. */
  readonly identity?: string | undefined;
  /** Headers of its stream, by name in lower case: Galley's `--sinkMeta`. */
  readonly meta?: Readonly<Record<string, string>> | undefined;
  /** Its IP address, or a network of such as `10.0.0.0/8`. */
  readonly address?: string | undefined;
};

/** Who has opened a stream, as far as that is seen. */
export type Caller = {
  /** Names in its client certificate; none without TLS. */
  readonly identities: readonly string[];
  /** Values of a header, by its name in lower case. */
  readonly meta: (name: string) => readonly string[];
  /** Names of all its headers. */
  readonly metaNames: readonly string[];
  /** IP address. */
  readonly host: string;
  readonly port: number;
};

/** What is looked at first: what can be forged the least. */
const order = ['identity', 'meta', 'address'] as const;

/**
 * Whose stream this is: the first entry, in their order, that says an identity and holds; then the first that says headers;
 * then the first that says an address. Undefined where none holds.
 */
export function findMatch<Entry extends { readonly match: SourceMatch }>(
  entries: Iterable<Entry>,
  caller: Caller,
): Entry | undefined {
  const matching = [...entries].filter(({ match }) => holds(match, caller));
  for (const criterion of order) {
    const found = matching.find(({ match }) => match[criterion] !== undefined);
    if (found !== undefined) return found;
  }
  return undefined;
}

function holds({ identity, meta = {}, address }: SourceMatch, caller: Caller): boolean {
  if (identity !== undefined && !caller.identities.includes(identity)) return false;
  if (address !== undefined && !isInNetwork(caller.host, address)) return false;
  return Object.entries(meta).every(([name, value]) => valuesOf(caller, name).includes(value));
}

/** HTTP/2 joins the values of a header that is there twice. */
function valuesOf({ meta }: Caller, name: string): string[] {
  return meta(name).flatMap((value) => [value, ...value.split(/, ?/)]);
}
