import { onTestFinished } from 'vitest';
import { silentLogger } from '../../src/model/logger.ts';
import { defaultPump } from '../../src/push/pump.ts';
import { AdsServer, type AdsServerOptions } from '../../src/xds/ads-server.ts';
import { StoreLab } from './store-lab.ts';
import { until } from './until.ts';
import { type Response, XdsPeer } from './xds-peer.ts';

/** Time that passes between two looks of {@link XdsLab.flow}, in milliseconds. */
const stepMs = 20;

/** Types that the lab asks for, to know how far things are. */
const markerGroup = 'marker.example/v1/M';

/** A real xDS listener on 127.0.0.1; a test holds its clock, and the sources of its store. */
export class XdsLab extends StoreLab {
  readonly server: AdsServer;
  #port = 0;
  #markers = 0;

  private constructor(options: Partial<AdsServerOptions>) {
    super();
    this.server = new AdsServer(
      {
        clock: this.clock,
        reporter: this.reported.reporter,
        log: silentLogger,
        pump: defaultPump,
        recycleMs: undefined,
        istiodVersion: undefined,
        random: () => 0.5,
        ...options,
      },
      this.store,
    );
  }

  /** Listens, for as long as the test lasts. */
  static async start(options: Partial<AdsServerOptions> = {}): Promise<XdsLab> {
    const lab = new XdsLab(options);
    lab.#port = await lab.server.listen({ host: '127.0.0.1', port: 0 });
    onTestFinished(() => lab.server.stop(0));
    return lab;
  }

  get port(): number {
    return this.#port;
  }

  connect(id?: string): XdsPeer {
    const peer = XdsPeer.connect(this.port, id);
    peer.onResponse = (response) => {
      if (isMarker(response.typeUrl)) peer.ack(response);
    };
    return peer;
  }

  /** Lets time pass until `probe` returns something. */
  flow<T>(what: string, probe: () => T | undefined | false): Promise<T> {
    return until(what, () => {
      this.clock.advance(stepMs);
      return probe();
    });
  }

  /** The n-th response of a type, from 1, while time passes. */
  response(peer: XdsPeer, typeUrl: string, n = 1): Promise<Response> {
    return this.flow(
      `response ${n} of ${typeUrl}`,
      () => peer.responses.filter((one) => one.typeUrl === typeUrl)[n - 1],
    );
  }

  /** The same, acknowledged. */
  async accept(peer: XdsPeer, typeUrl: string, n = 1): Promise<Response> {
    const response = await this.response(peer, typeUrl, n);
    peer.ack(response);
    await this.read(peer);
    return response;
  }

  /** Returns once all that the peer said so far has been read. */
  async read(peer: XdsPeer): Promise<void> {
    const marker = this.#mark(peer);
    await until('a request is read', () => this.#typeOf(marker) !== undefined);
  }

  /**
   * Returns once all that the peer said was read, and all that was due to it came: nobody can hold the type that is
   * asked for last, so its answer leaves with everything else. The peer must owe no answer.
   */
  async settled(peer: XdsPeer): Promise<void> {
    const marker = this.#mark(peer);
    await this.response(peer, marker);
    await until('an answer is read', () => this.#typeOf(marker)?.awaitingAck === false);
  }

  #mark(peer: XdsPeer): string {
    const marker = `${markerGroup}${++this.#markers}`;
    peer.subscribe(marker);
    return marker;
  }

  #typeOf(marker: string) {
    return this.server.streams.flatMap(({ types }) => types).find(({ typeUrl }) => typeUrl === marker);
  }
}

function isMarker(typeUrl: string): boolean {
  return typeUrl.startsWith(markerGroup);
}

/** Types of what came, without the lab's own. */
export function typesOf(peer: XdsPeer): string[] {
  return peer.types.filter((typeUrl) => !isMarker(typeUrl));
}
