import { resource, type SourceStream } from '../legacy-source.ts';
import { type Request, say, Server } from './server.ts';

/** A resource of a server: its kind, name and body. */
export type Item = {
  readonly collection: string;
  /** Of istio.networking.v1alpha3. */
  readonly kind: string;
  readonly name: string;
  readonly body: Uint8Array;
  readonly version?: string;
  readonly createTime?: object;
};

/** What servers that embed istio.io/istio/pkg/mcp have in common: a counter as nonce, and the end of the stream for what they don't know. */
export abstract class Choosy extends Server {
  protected items: readonly Item[] = [];
  /** Collections that are answered. */
  protected abstract readonly known: readonly string[];
  /** Collections that are taken, and stay silent for ever. */
  protected readonly silent: readonly string[] = [];

  protected answer(stream: SourceStream, { collection, responseNonce }: Request): void {
    if (!this.known.includes(collection) && !this.silent.includes(collection)) {
      stream.end(3, `unsupported collection "${collection}"`);
      return;
    }
    if (responseNonce === '' && this.known.includes(collection)) this.send(stream, collection);
  }

  /** Sends the whole state of a collection. */
  protected send(stream: SourceStream, collection: string): void {
    const resources = this.items
      .filter((item) => item.collection === collection)
      .map(({ name, kind, body, version = '', createTime }) =>
        resource(name, kind, body, { version, ...(createTime === undefined ? {} : { createTime }) }),
      );
    stream.send({ collection, systemVersionInfo: this.systemVersion(collection), resources });
  }

  protected sendAll(): void {
    for (const stream of this.streams) this.sendKnown(stream);
  }

  /** Sends all that a sink has asked for. */
  protected sendKnown(stream: SourceStream): void {
    for (const collection of this.known) if (stream.asked.includes(collection)) this.send(stream, collection);
  }

  protected systemVersion(_collection: string): string {
    return '';
  }
}

const networking = (plural: string) => `istio/networking/v1alpha3/${plural}`;

/** Galley 1.3 to 1.6: `namespace/name`, versions of Kubernetes, a collection and a number for each state. */
export class Galley extends Choosy {
  #generation = 0;
  // Of what Isthmus asks for, Galley 1.5 does not know these.
  protected readonly known = [
    ...['serviceentries', 'virtualservices', 'gateways', 'destinationrules', 'sidecars', 'envoyfilters'].map(
      networking,
    ),
    ...['authorizationpolicies', 'peerauthentications', 'requestauthentications'].map(
      (one) => `istio/security/v1beta1/${one}`,
    ),
  ];

  set(...items: readonly Item[]): void {
    this.#generation++;
    this.items = items.map((item) => ({ version: '4711', createTime: { seconds: 1_580_000_000 }, ...item }));
    this.sendAll();
  }

  protected override systemVersion(collection: string): string {
    return `${collection}/${this.#generation}`;
  }
}

/** A server of one's own that embeds snapshot.InMemory: a collection that was never set is silent for ever. */
export class OwnServer extends Choosy {
  protected readonly known = [networking('serviceentries')];
  protected override readonly silent = ['virtualservices', 'gateways'].map(networking);

  set(...items: readonly Item[]): void {
    this.items = items;
    this.sendAll();
  }
}

/** cloudfoundry/copilot: nothing before its first tick; no create_time, and names with and without a namespace. */
export class Copilot extends Choosy {
  #hasTicked = false;
  protected readonly known = [
    ...['gateways', 'sidecars', 'virtualservices', 'destinationrules', 'serviceentries', 'envoyfilters'].map(
      networking,
    ),
    ...['authentication/v1alpha1/policies', 'rbac/v1alpha1/serviceroles'].map((one) => `istio/${one}`),
  ];

  /** What Cloud Foundry has, at the next tick. */
  tick(...items: readonly Item[]): void {
    this.#hasTicked = true;
    this.items = items;
    this.sendAll();
  }

  protected override send(stream: SourceStream, collection: string): void {
    if (this.#hasTicked) super.send(stream, collection);
  }

  protected override forget(): void {
    this.#hasTicked = false;
    this.items = [];
  }
}

/** Peripli/service-manager-istio-mcp-server: bare names, collections with a version "N.0", and silence where nothing was ever read. */
export class ServiceManager extends Choosy {
  #reads = 0;
  protected readonly known = ['gateways', 'virtualservices', 'serviceentries'].map(networking);
  protected override readonly silent = ['destinationrules', 'sidecars', 'envoyfilters'].map(networking);

  /** Reads its folder, of which these files can be read at this moment. */
  reload(...items: readonly Item[]): void {
    this.#reads++;
    this.items = items.map((item) => ({ ...item, createTime: { seconds: 1_560_000_000 + this.#reads } }));
    this.sendAll();
  }

  protected override systemVersion(): string {
    return `${this.#reads}.0`;
  }
}

/** champly/mcpserver: only who came last is told of changes. */
export class Champly extends Choosy {
  protected readonly known = ['virtualservices', 'serviceentries', 'envoyfilters'].map(networking);

  set(...items: readonly Item[]): void {
    this.items = items;
    const last = this.streams.at(-1);
    if (last !== undefined) this.sendKnown(last);
  }
}

/** hango-io/api-plane: everything it has stands in each version, and all collections have one nonce in one second. */
export class Hango extends Server {
  #items: readonly Item[] = [];
  #date = 0;

  /** Its database has these now. */
  poll(...items: readonly Item[]): void {
    this.#items = items;
    this.#date++;
    const collections = new Set(items.map(({ collection }) => collection));
    for (const stream of this.streams) for (const collection of collections) this.#send(stream, collection);
  }

  protected override answer(stream: SourceStream, { collection, responseNonce }: Request): void {
    if (responseNonce === '') this.#send(stream, collection);
  }

  #send(stream: SourceStream, collection: string): void {
    const resources = this.#items
      .filter((item) => item.collection === collection)
      .map(({ name, kind, body, version = '' }) => resource(name, kind, body, { version, createTime: { seconds: 1 } }));
    const nonce = `Snapshot:[2023-04-0${this.#date + 1} 08:00:00]`;
    const dump = `${nonce} ${JSON.stringify(this.#items.map(({ name }) => name))} `;
    say(stream, { collection, nonce, resources, systemVersionInfo: dump + 'x'.repeat(2 ** 20) });
  }
}
