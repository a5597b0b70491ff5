import { setTimeout as sleep } from 'node:timers/promises';
import { encodeMessage, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { mcpResource } from '../../support/istiod/wire.ts';
import { field } from '../../support/wire-bytes.ts';
import { messageType } from './contract.ts';
import type { Lab } from './lab.ts';
import type { Manifest } from './manifest.ts';
import { freePort } from './ports.ts';
import { until } from './until.ts';

/** The one collection that a {@link ServiceSource} has. */
export const serviceEntries = 'istio/networking/v1alpha3/serviceentries';

const bodyName = 'istio.networking.v1alpha3.ServiceEntry';
const bodyType = messageType(bodyName);
const bodyUrl = `type.googleapis.com/${bodyName}`;

export type ServiceOptions = {
  /** @default "shop" */
  readonly namespace?: string;
  /** Another one is another content. @default 0 */
  readonly revision?: number;
};

/** The service of this number: a ServiceEntry that every istiod takes. */
export function service(index: number, { namespace = 'shop', revision = 0 }: ServiceOptions = {}): Manifest {
  const name = `s-${index.toString().padStart(4, '0')}`;
  return {
    key: `ServiceEntry/${namespace}/${name}`,
    kind: 'ServiceEntry',
    labels: { revision: `r${revision}` },
    annotations: {},
    spec: {
      hosts: [`${name}.${namespace}.example.com`],
      addresses: [`240.3.${index >> 8}.${index & 255}`],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      location: 'MESH_INTERNAL',
      resolution: 'STATIC',
      endpoints: [{ address: `10.${revision & 127}.${index >> 8}.${index & 255}` }],
    },
  };
}

/** So many services, from the first. */
export function services(count: number, options: ServiceOptions = {}): Manifest[] {
  return Array.from({ length: count }, (_, index) => service(index, options));
}

/** "namespace/name", as the source writes it. */
function nameOf({ key }: Manifest): string {
  return key.slice(key.indexOf('/') + 1);
}

/** As part of a message. @param body other bytes than what the manifest says */
export function serviceBytes(manifest: Manifest, body?: Uint8Array): Buffer {
  const { labels, annotations, spec } = manifest;
  const metadata = { name: nameOf(manifest), labels, annotations, createTime: { seconds: 1_600_000_000 } };
  const value = body ?? bodyType.encode(bodyType.fromObject(spec as object)).finish();
  return field(3, mcpResource.encode({ metadata, body: { type_url: bodyUrl, value } }));
}

/** The same without its name, labels and all that. */
export function namelessBytes({ spec }: Manifest): Buffer {
  const value = bodyType.encode(bodyType.fromObject(spec as object)).finish();
  return field(3, mcpResource.encode({ body: { type_url: bodyUrl, value } }));
}

/** How a stream breaks. */
export const breaks = ['RST_STREAM', 'GOAWAY', 'a closed connection'] as const;

/**
 * A legacy server of ServiceEntries in the test's own process. It knows what is true, and can say something else;
 * every message is its whole state, to whoever has asked.
 */
export class ServiceSource {
  readonly port: number;
  readonly #truth = new Map<string, { readonly manifest: Manifest; readonly bytes: Buffer }>();
  /** What is said in the place of the truth. */
  #lie: readonly Buffer[] | undefined;
  #server: LegacySource | undefined;
  /** The newest message on the newest stream that was asked for. */
  #told: { readonly stream: SourceStream; readonly nonce: string } | undefined;
  #nonce = 0;

  private constructor(port: number) {
    this.port = port;
  }

  /** Listens until the suite is over. */
  static async create(lab: Lab): Promise<ServiceSource> {
    const source = new ServiceSource(await freePort());
    await source.start();
    lab.onClose(() => source.kill());
    return source;
  }

  /** What is true, by {@link Manifest.key}. */
  manifests(): ReadonlyMap<string, Manifest> {
    return new Map(Array.from(this.#truth, ([key, { manifest }]) => [key, manifest]));
  }

  /** Adds and replaces, and takes away, in one message, unless something else than the truth is being said. */
  change(put: readonly Manifest[], remove: readonly string[] = []): void {
    this.note(put, remove);
    if (this.#lie === undefined) this.#sayToAll();
  }

  /** The same, without a word. */
  note(put: readonly Manifest[], remove: readonly string[] = []): void {
    for (const key of remove) this.#truth.delete(key);
    for (const manifest of put) this.#truth.set(manifest.key, { manifest, bytes: serviceBytes(manifest) });
  }

  /** Says this instead of the truth, now and to everyone who asks, until {@link tellTruth}. */
  lie(said: Iterable<Manifest>, ...more: readonly Buffer[]): void {
    this.#lie = [...Array.from(said, (manifest) => serviceBytes(manifest)), ...more];
    this.#sayToAll();
  }

  tellTruth(): void {
    this.#lie = undefined;
    this.#sayToAll();
  }

  /** Resolves once a stream is open and has acknowledged what was said last. */
  async heard(): Promise<void> {
    await until('the source is heard', () => {
      const { stream, nonce } = this.#told ?? {};
      return stream !== undefined && nonce !== undefined && !stream.closed && stream.acked.includes(nonce);
    });
  }

  /** The open stream breaks in the middle of a message that says this. */
  async breakInMessage(how: (typeof breaks)[number], said: Iterable<Manifest>): Promise<void> {
    const stream = this.#server?.streams.find(({ closed }) => !closed);
    if (stream === undefined) throw new Error('no stream is open');
    const message = this.#message(
      [...said].map((manifest) => serviceBytes(manifest)),
      'broken',
    );
    stream.sendPart(message, 5 + Math.floor(message.length / 2));
    // Long enough that the half is on its way, and read.
    await sleep(50);
    if (how === 'RST_STREAM') stream.reset();
    else if (how === 'GOAWAY') stream.goAway();
    else this.#server?.dropConnections();
    await until('the stream has ended', () => stream.closed);
  }

  /** Whether it listens. */
  get isUp(): boolean {
    return this.#server !== undefined;
  }

  /** Whether a stream is open. */
  get isOpen(): boolean {
    return this.#server?.streams.some(({ closed }) => !closed) ?? false;
  }

  /** Ends as a killed process does. */
  async kill(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    await server?.kill();
  }

  /** Listens on its port (again). */
  async start(): Promise<void> {
    const server = await LegacySource.listen(this.port);
    this.#server = server;
    server.onStream = (stream) => {
      stream.open();
      stream.onRequest = ({ responseNonce }) => {
        if (responseNonce === '') this.#say(stream);
      };
    };
  }

  #sayToAll(): void {
    for (const stream of this.#server?.streams ?? []) if (!stream.closed && stream.asked.length > 0) this.#say(stream);
  }

  #say(stream: SourceStream): void {
    const nonce = `n${++this.#nonce}`;
    const parts = this.#lie ?? Array.from(this.#truth.values(), ({ bytes }) => bytes);
    this.#told = { stream, nonce };
    stream.sendBytes(this.#message(parts, nonce));
  }

  #message(parts: readonly Buffer[], nonce: string): Buffer {
    return Buffer.concat([encodeMessage({ collection: serviceEntries, nonce, systemVersionInfo: nonce }), ...parts]);
  }
}
