import { onTestFinished } from 'vitest';
import { codec } from '../peers/support/contract.ts';
import { until } from './until.ts';
import { type Response, XdsPeer } from './xds-peer.ts';

const resources = codec('istio.mcp.v1alpha1.Resource');

export const seType = 'networking.istio.io/v1/ServiceEntry';

/** A resource as istiod reads it. */
export type Seen = {
  readonly metadata: {
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  readonly body: { readonly type_url: string; readonly value: Uint8Array };
};

/** An istiod that watches ServiceEntries, acknowledges what comes, and deletes what a response lacks. */
export class WatchingIstiod {
  readonly peer: XdsPeer;
  /** What every response held, as name → host. */
  readonly history: Readonly<Record<string, string>>[] = [];
  /** What the last response held, by name. */
  resources: ReadonlyMap<string, Seen> = new Map();

  private constructor(port: number, id?: string) {
    this.peer = XdsPeer.connect(port, id);
    this.peer.onResponse = (response) => {
      this.#take(response);
      this.peer.ack(response);
    };
    this.peer.subscribe(seType);
    onTestFinished(() => this.peer.cancel());
  }

  static connect(port: number, id?: string): WatchingIstiod {
    return new WatchingIstiod(port, id);
  }

  /** Name → host of what it has now. */
  get held(): Readonly<Record<string, string>> {
    return this.history.at(-1) ?? {};
  }

  /** Returns once it has these, among others. */
  async has(wanted: Readonly<Record<string, string>>): Promise<void> {
    await until(`istiod has ${JSON.stringify(wanted)}`, () => {
      const { held } = this;
      return Object.entries(wanted).every(([name, host]) => held[name] === host);
    });
  }

  /** Returns once it has exactly these. */
  async hasOnly(wanted: Readonly<Record<string, string>>): Promise<void> {
    await this.has(wanted);
    await until(`istiod has nothing but ${Object.keys(wanted).join()}`, () => {
      return Object.keys(this.held).length === Object.keys(wanted).length;
    });
  }

  /** The names out of these that some response lacked after one had held them. */
  lost(...names: readonly string[]): string[] {
    return names.filter((name) => {
      const first = this.history.findIndex((held) => name in held);
      return first < 0 || this.history.slice(first).some((held) => !(name in held));
    });
  }

  #take({ resources: anys }: Response): void {
    const seen = anys.map(({ value }) => resources.decode(value) as unknown as Seen);
    this.resources = new Map(seen.map((resource) => [resource.metadata.name, resource]));
    this.history.push(Object.fromEntries(seen.map(({ metadata, body }) => [metadata.name, hostOf(body.value)])));
  }
}

/** The first host of a ServiceEntry, of less than 128 bytes: field 1 stands first. */
function hostOf(body: Uint8Array): string {
  return body[0] === 0x0a ? Buffer.from(body.subarray(2, 2 + (body[1] ?? 0))).toString() : '';
}
