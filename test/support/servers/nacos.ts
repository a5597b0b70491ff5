import type { SourceStream } from '../legacy-source.ts';
import { type Request, say, Server, type Service, serviceEntries, serviceEntry } from './server.ts';

type Version = {
  /** Name of its resource. */
  readonly name: (service: string) => string;
  readonly host: (service: string) => string;
  /** Port of the ServiceEntry; the endpoints have the real ones. */
  readonly port: { readonly number: number; readonly name: string; readonly protocol: string };
  /** Key of an endpoint's port. */
  readonly portKey: string;
  readonly nonce: () => string;
  readonly metadata: () => NonNullable<Parameters<typeof serviceEntry>[2]>;
  readonly systemVersion: () => string;
};

/** alibaba/nacos, 1.1.4 to 3.x: one class with what the versions have in common. */
export class Nacos extends Server {
  readonly #version: Version;
  /** What the registry holds; it outlives the process. */
  protected registered: readonly Service[] = [];
  /** What the process has heard of, which is not all after its start. */
  protected known: readonly Service[] = [];

  constructor(version: Version) {
    super();
    this.#version = version;
  }

  /** The registry has these now, and the process hears of it. */
  set(...services: readonly Service[]): void {
    this.registered = services;
    this.hear();
  }

  /** The first naming event after a start: all services are known then, and pushed. */
  hear(): void {
    this.known = this.registered;
    for (const stream of this.streams) this.push(stream);
  }

  protected override forget(): void {
    this.known = [];
  }

  protected override answer(stream: SourceStream, { collection, responseNonce }: Request): void {
    if (responseNonce !== '') return;
    if (collection === serviceEntries) this.push(stream);
    else say(stream, { collection, nonce: this.#version.nonce() });
  }

  protected push(stream: SourceStream): void {
    const { nonce, systemVersion, name, host, port, portKey, metadata } = this.#version;
    const resources = this.known.map((one) => {
      const spec = {
        hosts: [host(one.name)],
        ports: [port],
        location: 1,
        resolution: 1,
        endpoints: one.instances.map(({ address, port: number, labels = {} }) => ({
          address,
          ports: { [portKey]: number },
          labels,
        })),
      };
      return serviceEntry(name(one.name), spec, metadata());
    });
    say(stream, { collection: serviceEntries, nonce: nonce(), systemVersionInfo: systemVersion(), resources });
  }
}

/** 1.1.4 to 2.0.0, and 1.4: every push of one tick has the same nonce, and the first question is not answered. */
export class Nacos1 extends Nacos {
  #pushed = '';
  #served: SourceStream | undefined;

  constructor() {
    super({
      name: (service) => `nacos/${service}.sn`,
      host: (service) => `${service}.nacos`,
      port: { number: 8848, name: 'http', protocol: 'HTTP' },
      portKey: 'http',
      // A clock of milliseconds: what is sent within one has one nonce, whatever its collection.
      nonce: () => '1600000000000',
      metadata: () => ({}),
      systemVersion: () => '',
    });
  }

  /** Nobody hears before the timer. */
  override hear(): void {
    this.known = this.registered;
  }

  /** The timer, every 10 s: pushes where a checksum moved, and to the first client alone. */
  tick(): void {
    const checksum = JSON.stringify(this.known);
    if (checksum === this.#pushed || this.#served === undefined || this.#served.closed) return;
    this.#pushed = checksum;
    this.push(this.#served);
  }

  protected override answer(stream: SourceStream, request: Request): void {
    this.#served ??= stream;
    if (request.collection !== serviceEntries) super.answer(stream, request);
  }

  protected override forget(): void {
    super.forget();
    this.#pushed = '';
    this.#served = undefined;
  }
}

/** 2.0.1 to 2.0.3: every conversion has another create_time, and the first stream after a start often fails. */
export class Nacos20x extends Nacos {
  /** Streams that fail at once. */
  failing = 0;

  constructor() {
    let clock = 1_620_000_000;
    super({
      name: (service) => `nacos/${service}.DEFAULT_GROUP.public`,
      host: (service) => `${service}.nacos`,
      port: { number: 8848, name: 'http', protocol: 'HTTP' },
      portKey: 'http',
      nonce: () => `${++clock}000`,
      metadata: () => ({ version: 'checksum', createTime: { seconds: ++clock } }),
      systemVersion: () => '',
    });
  }

  protected override opened(stream: SourceStream): void {
    if (this.failing === 0) stream.open();
    else {
      this.failing--;
      stream.end(2, '');
    }
  }
}

/** 2.0.4 to 2.5, as a real 2.0.4 speaks: it pushes whatever was acknowledged. */
export class Nacos2 extends Nacos {
  constructor() {
    let revision = 0;
    super({
      name: (service) => `public/${service}.DEFAULT-GROUP.public`,
      host: (service) => `${service}.DEFAULT-GROUP.public.nacos`,
      port: { number: 80, name: 'http', protocol: 'HTTP' },
      portKey: 'http',
      nonce: () => (++revision).toString(16).padStart(32, '0'),
      metadata: () => ({
        version: String(revision),
        createTime: { seconds: 1_650_000_000 },
        labels: { registryType: 'nacos' },
        annotations: { virtual: '1' },
      }),
      systemVersion: () => `2026-11-23T07:53:26Z/${revision}`,
    });
  }
}

/** 3.x: ports without a number, hosts without the dot before the suffix; empty until the first event after a start. */
export class Nacos3 extends Nacos {
  constructor() {
    let revision = 0;
    super({
      name: (service) => `public/${service}.DEFAULT-GROUP.public`,
      host: (service) => `${service}.DEFAULT-GROUP.publicnacos`,
      port: { number: 0, name: 'http', protocol: 'http' },
      portKey: 'http',
      nonce: () => (++revision).toString(16).padStart(32, '0'),
      metadata: () => ({ version: `r${revision}`, createTime: { seconds: 1_700_000_000 } }),
      systemVersion: () => `2026-11-23T07:53:26Z/${revision}`,
    });
  }
}
