import type { Child, Exit } from './child.ts';
import { kinds, workloadKinds } from './kinds.ts';
import type { Lab } from './lab.ts';
import { type Manifest, parseManifests } from './manifest.ts';
import { freePort, portOpen } from './ports.ts';
import { Hopeless, until } from './until.ts';

/** Something that happened on a stream, as the server saw it; `resources` is how many a push held. */
export type SourceEvent = {
  readonly stream: number;
  readonly what: 'open' | 'ask' | 'ack' | 'nack' | 'push' | 'end';
  readonly collection?: string;
  readonly nonce?: string;
  readonly incremental: boolean;
  readonly resources: number;
  readonly removed: readonly string[] | null;
  readonly code: number;
  readonly message?: string;
};

/** A resource in its own words: manifests for Istio's types, or bytes as they are to go out. */
type Entry = {
  readonly name: string;
  readonly type: string;
  /** Empty: one that was never used before. */
  readonly version: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: unknown;
  readonly raw?: string;
};

type Change = {
  readonly collection: string;
  readonly clear?: boolean;
  readonly put?: readonly Entry[];
  readonly remove?: readonly string[];
};

export type McpSourceOptions = {
  /** Collections that it knows. @default those of {@link kinds} */
  readonly collections?: readonly string[];
  /** Push changes where a sink asks for them. @default false */
  readonly incremental?: boolean;
  /** A sink on 127.0.0.1 that it dials, in place of being a server. */
  readonly sink?: SinkAddress;
  /** @default "mcp-source" */
  readonly name?: string;
};

/** Where a source dials in, and the headers with which it does. */
export type SinkAddress = {
  readonly port: number;
  readonly meta?: Readonly<Record<string, string>>;
  /** Files of mutual TLS, and what the certificate of the sink has to be for. @default plaintext */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string; readonly serverName: string };
};

function tlsArguments(tls: SinkAddress['tls']): string[] {
  if (tls === undefined) return [];
  return [`-cert=${tls.cert}`, `-key=${tls.key}`, `-ca=${tls.ca}`, `-server-name=${tls.serverName}`];
}

const collectionOf = new Map<string, string>(
  [...kinds, ...workloadKinds].map(({ kind, collection }) => [kind, collection]),
);

function collectionFor(kind: string): string {
  const collection = collectionOf.get(kind);
  if (collection === undefined) throw new Error(`no collection of ${kind}`);
  return collection;
}

function bodyType(kind: string): string {
  return `istio.networking.v1alpha3.${kind}`;
}

/** "Kind/namespace/name" in its two halves. */
function splitKey(key: string): { readonly kind: string; readonly name: string } {
  const at = key.indexOf('/');
  return { kind: key.slice(0, at), name: key.slice(at + 1) };
}

/** Istio's own legacy MCP source library (`pkg/mcp`), which serves what it is told to, or dials a sink. See go/mcp-source. */
export class McpSource {
  readonly port: number;
  readonly #controlPort: number;
  readonly #lab: Lab;
  readonly #binary: string;
  readonly #options: McpSourceOptions;
  readonly #truth = new Map<string, Manifest>();
  #child: Child | undefined;

  private constructor(lab: Lab, binary: string, options: McpSourceOptions, ports: readonly [number, number]) {
    this.#lab = lab;
    this.#binary = binary;
    this.#options = options;
    [this.port, this.#controlPort] = ports;
  }

  static async create(lab: Lab, binary: string, options: McpSourceOptions = {}): Promise<McpSource> {
    return new McpSource(lab, binary, options, [await freePort(), await freePort()]);
  }

  /** Resolves when it serves everything that it was told so far, also before it was started. */
  async start(): Promise<void> {
    const { collections = kinds.map(({ collection }) => collection), incremental = false, sink } = this.#options;
    const child = this.#lab.launch({
      name: this.#options.name ?? 'mcp-source',
      command: this.#binary,
      args: [
        `-listen=127.0.0.1:${this.port}`,
        `-control=127.0.0.1:${this.#controlPort}`,
        `-collections=${collections.join(',')}`,
        `-incremental=${incremental}`,
        ...(sink === undefined ? [] : [`-dial=127.0.0.1:${sink.port}`]),
        ...Object.entries(sink?.meta ?? {}).map(([key, value]) => `-meta=${key}=${value}`),
        ...tlsArguments(sink?.tls),
      ],
    });
    this.#child = child;
    await until('the source can be told what to serve', () => {
      if (child.exit) throw new Hopeless(`the source ended: ${JSON.stringify(child.exit)}`);
      return portOpen(this.#controlPort);
    });
    await this.#put([...this.#truth.values()]);
    await this.#post('/serve');
    if (sink === undefined) await until('the source serves', () => portOpen(this.port));
  }

  /** What it holds, by {@link Manifest.key}; without what {@link putRaw} gave it. */
  manifests(): ReadonlyMap<string, Manifest> {
    return this.#truth;
  }

  /** Adds or replaces what the YAML says, one push for each kind. @param version of each resource, else a new one */
  async put(yaml: string, version = ''): Promise<void> {
    await this.putManifests(parseManifests(yaml), version);
  }

  /** The same for manifests that were not written as YAML. */
  async putManifests(manifests: readonly Manifest[], version = ''): Promise<void> {
    await this.#put(manifests, version);
    for (const manifest of manifests) this.#truth.set(manifest.key, manifest);
  }

  /** Adds or replaces a resource whose body need not be one. */
  async putRaw(key: string, body: Uint8Array): Promise<void> {
    const { kind, name } = splitKey(key);
    const entry = { name, type: bodyType(kind), version: '', raw: Buffer.from(body).toString('base64') };
    await this.#apply({ collection: collectionFor(kind), put: [entry] });
    this.#truth.delete(key);
  }

  async remove(key: string): Promise<void> {
    await this.removeAll([key]);
  }

  /** Takes away several of one kind, in one push. */
  async removeAll(keys: readonly string[]): Promise<void> {
    const [first] = keys;
    if (first === undefined) return;
    const remove = keys.map((key) => splitKey(key).name);
    await this.#apply({ collection: collectionFor(splitKey(first).kind), remove });
    for (const key of keys) this.#truth.delete(key);
  }

  /** Takes away everything of one kind. */
  async clear(kind: string): Promise<void> {
    await this.#apply({ collection: collectionFor(kind), clear: true });
    for (const key of this.#truth.keys()) if (splitKey(key).kind === kind) this.#truth.delete(key);
  }

  /** Ends every stream with UNAVAILABLE, as a source does that has forgotten its watches. */
  async cancelStreams(): Promise<void> {
    await this.#post('/cancel');
  }

  /** All events of this process, from the `since`-th on. */
  async journal(since = 0): Promise<SourceEvent[]> {
    const response = await fetch(`${this.#control}/journal?since=${since}`);
    return (await response.json()) as SourceEvent[];
  }

  async kill(): Promise<Exit> {
    if (!this.#child) throw new Error('the source was not started');
    return this.#child.end('SIGKILL');
  }

  get #control(): string {
    return `http://127.0.0.1:${this.#controlPort}`;
  }

  async #put(manifests: readonly Manifest[], version = ''): Promise<void> {
    for (const [kind, collection] of collectionOf) {
      const put = manifests
        .filter((manifest) => manifest.kind === kind)
        .map(({ key, labels, annotations, spec }) => {
          return { name: splitKey(key).name, type: bodyType(kind), version, labels, annotations, spec };
        });
      if (put.length > 0) await this.#apply({ collection, put });
    }
  }

  /** While the process does not run, what it is told waits for its start. */
  async #apply(change: Change): Promise<void> {
    if (this.#child === undefined || this.#child.exit !== undefined) return;
    await this.#post('/apply', JSON.stringify(change));
  }

  async #post(path: string, body = ''): Promise<void> {
    const response = await fetch(`${this.#control}${path}`, { method: 'POST', body });
    if (!response.ok) throw new Error(`the source answered ${response.status}: ${await response.text()}`);
  }
}
