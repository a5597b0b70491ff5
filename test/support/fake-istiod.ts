import type { Clock } from '../../src/model/clock.ts';
import { silentLogger } from '../../src/model/logger.ts';
import { defaultPump } from '../../src/push/pump.ts';
import { AdsExchange, type AdsOptions } from '../../src/xds/ads.ts';
import { viewResourceBytes } from '../../src/wire/resource-view.ts';
import {
  decodeDiscoveryResponse,
  type DiscoveryRequest,
  type DiscoveryResponse,
  encodeDiscoveryRequest,
} from '../../src/wire/xds-messages.ts';
import type { StoreLab } from './store-lab.ts';

/** Node ids as istiods send them. */
export const nodeIds = {
  upTo111: 'sidecar~192.0.2.2~test-1.default~default.svc.cluster.local',
  from112: 'sidecar~192.0.2.2~istiod-7d4f.istio-system~istio-system.svc.cluster.local',
} as const;

/** What istiod puts into the nonce of its first requests (adsc.go: time.Now().String()). */
export const bogusNonce = '2026-11-23 06:46:19.159701788 +0000 UTC m=+0.101981499';

/** `bytes`: the whole response as it came. */
type Received = DiscoveryResponse & { readonly at: number; readonly bytes: Buffer };

/** The far end of one {@link AdsExchange}: speaks as istiod does, and remembers what it was sent. */
export class FakeIstiod {
  readonly exchange: AdsExchange;
  readonly responses: Received[] = [];
  /** How and when the exchange ended the stream. */
  ended: { readonly at: number; readonly code: number; readonly details: string } | undefined;
  /** Whether responses are acknowledged at once. */
  acknowledges = true;
  /** Settles when a response is taken off the wire. */
  take: () => Promise<void> = () => Promise.resolve();

  readonly #nodeId: string;
  readonly #clock: Clock;
  #asked = false;

  constructor(lab: StoreLab, nodeId: string = nodeIds.from112, options: Partial<AdsOptions> = {}) {
    this.#nodeId = nodeId;
    const { clock, reported } = lab;
    this.#clock = clock;
    this.exchange = new AdsExchange(
      {
        clock,
        reporter: reported.reporter,
        log: silentLogger,
        pump: defaultPump,
        recycleMs: undefined,
        istiodVersion: undefined,
        random: () => 0.5,
        ...options,
      },
      lab.store,
      {
        finish: (code, details) => {
          this.#end(code, details);
          return false;
        },
        reset: () => {},
        send: async (message) => {
          const bytes = message.toBuffer();
          const response = { ...decodeDiscoveryResponse(bytes), at: clock.now(), bytes };
          this.responses.push(response);
          await this.take();
          if (this.acknowledges) this.ack(response);
        },
        end: (code, details) => this.#end(code, details),
      },
    );
    lab.store.onChange((_kinds, news) => this.exchange.onChange(news));
  }

  #end(code: number, details: string): void {
    if (this.ended !== undefined) throw new Error('a stream was ended twice');
    this.ended = { at: this.#clock.now(), code, details };
  }

  /** Asks for types as on a new stream: a made-up nonce each; the node in the first one only. */
  ask(...typeUrls: readonly string[]): void {
    for (const typeUrl of typeUrls) {
      const head = { typeUrl, versionInfo: '', responseNonce: bogusNonce };
      this.request(this.#asked ? head : { ...head, node: { id: this.#nodeId, cluster: '' } });
      this.#asked = true;
    }
  }

  ack({ typeUrl, versionInfo, nonce }: DiscoveryResponse): void {
    this.request({ node: { id: this.#nodeId, cluster: '' }, typeUrl, versionInfo, responseNonce: nonce });
  }

  nack({ typeUrl, nonce }: DiscoveryResponse, message = 'no'): void {
    this.request({ typeUrl, responseNonce: nonce, errorDetail: { code: 3, message } });
  }

  request(request: Partial<DiscoveryRequest>): void {
    this.exchange.onRequest(encodeDiscoveryRequest(request));
  }

  /** Types of the responses so far, in order; forgets them. */
  took(): string[] {
    return this.responses.splice(0).map(({ typeUrl }) => typeUrl);
  }

  /** The last response of a type. @throws where there was none. */
  last(typeUrl: string): Received {
    const found = this.responses.findLast((response) => response.typeUrl === typeUrl);
    if (found === undefined) throw new Error(`no ${typeUrl} came`);
    return found;
  }
}

/** Name → version of the resources in a response. */
export function versionsIn({ resources }: DiscoveryResponse): Record<string, string> {
  return Object.fromEntries(
    resources.map(({ value }) => {
      const { name, version } = viewResourceBytes(value);
      return [name, version];
    }),
  );
}
