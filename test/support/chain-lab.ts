import { onTestFinished } from 'vitest';
import type { ConfigInput } from '../../src/config/schema.ts';
import { codec } from '../peers/support/contract.ts';
import { Bridge } from './bridge.ts';
import { eventually } from './eventually.ts';
import { entry, LegacySource, type SourceStream } from './legacy-source.ts';
import { XdsPeer } from './xds-peer.ts';

const resources = codec('istio.mcp.v1alpha1.Resource');

const marker = {
  collection: 'istio/networking/v1alpha3/workloadentries',
  kind: 'WorkloadEntry',
  typeUrl: 'networking.istio.io/v1/WorkloadEntry',
};

/** What a source is configured with, beyond its name and address. */
type SourceSettings = Omit<NonNullable<ConfigInput['sources']>[number], 'name' | 'address'>;

/** A resource as an istiod receives it. */
export type Pushed = {
  readonly version: string;
  readonly createTime: { readonly seconds: string; readonly nanos: number } | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** The Any's type URL and value. */
  readonly type: string;
  readonly body: Buffer;
};

/** A legacy source that says what a test tells it, a whole bridge, and a client in istiod's place that ACKs all. */
export class ChainLab {
  readonly source: LegacySource;
  readonly bridge: Bridge;
  readonly istiod: XdsPeer;
  #markers = 0;

  private constructor(source: LegacySource, bridge: Bridge, istiod: XdsPeer) {
    this.source = source;
    this.bridge = bridge;
    this.istiod = istiod;
  }

  /** Starts all three, for as long as the test lasts; the istiod asks for `types`. */
  static async start(types: readonly string[], settings: SourceSettings = {}): Promise<ChainLab> {
    const source = await LegacySource.listen();
    onTestFinished(() => source.kill());
    const bridge = await Bridge.of({
      sources: [{ name: 'galley', address: `mcp://127.0.0.1:${source.port}`, ...settings }],
      xds: { listen: '127.0.0.1:0', minGap: '1ms' },
    });
    const istiod = XdsPeer.connect(bridge.ports.xds);
    istiod.onResponse = (response) => istiod.ack(response);
    istiod.subscribe(...types, marker.typeUrl);
    return new ChainLab(source, bridge, istiod);
  }

  /** The source's end of the bridge's first stream, or of the n-th. */
  stream(n = 1): Promise<SourceStream> {
    return this.source.stream(n);
  }

  /** All responses of a type so far, in order, each as name → resource. */
  pushes(typeUrl: string): Record<string, Pushed>[] {
    return this.istiod.responses
      .filter((response) => response.typeUrl === typeUrl)
      .map(({ resources: all }) => read(all));
  }

  /** The n-th of them, from 1; waits for it. */
  async push(typeUrl: string, n: number): Promise<Record<string, Pushed>> {
    return read((await this.istiod.response(typeUrl, n)).resources);
  }

  /**
   * Returns once all that the source said on its newest stream has been pushed: what is said after it has been, twice,
   * since the types of one burst come in any order.
   */
  async settled(): Promise<void> {
    const stream = this.source.streams.at(-1);
    if (stream === undefined) throw new Error('the bridge has not dialled the source yet');
    for (let round = 0; round < 2; round++) {
      const name = `marker/${++this.#markers}`;
      await stream.deliver({ collection: marker.collection, resources: [entry(name, 'a', {}, marker.kind)] });
      await eventually(() => name in (this.pushes(marker.typeUrl).at(-1) ?? {}));
    }
  }
}

function read(all: readonly { readonly value: Uint8Array }[]): Record<string, Pushed> {
  return Object.fromEntries(
    all.map(({ value }) => {
      const { metadata, body } = resources.decode(value) as {
        metadata: Omit<Pushed, 'type' | 'body'> & { name: string };
        body: { type_url: string; value: Uint8Array };
      };
      const { name, version, createTime, labels, annotations } = metadata;
      const type = body.type_url;
      return [name, { version, createTime, labels, annotations, type, body: Buffer.from(body.value) }];
    }),
  );
}
