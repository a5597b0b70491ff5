import type { Clock } from '../../src/model/clock.ts';
import { defaultSourceProfile } from '../../src/legacy/source-profile.ts';
import { legacyTarget } from '../../src/legacy/origin.ts';
import { SinkExchange } from '../../src/legacy/sink.ts';
import type { SinkTarget } from '../../src/legacy/source-feed.ts';
import { kindOfCollection } from '../../src/model/kinds.ts';
import { silentLogger } from '../../src/model/logger.ts';
import { silentReporter } from '../../src/model/reporter.ts';
import { frameOf } from '../../src/push/frames.ts';
import { Store } from '../../src/store/store.ts';
import { encodeResponseTail } from '../../src/wire/xds-messages.ts';
import { collection } from './service-entries.ts';

/** What is left to do with it is the transport's: copy it, and send it. */
export type Response = { readonly resources: number; readonly bytes: number };

const origin = 'bench';
const typeUrl = 'networking.istio.io/v1alpha3/ServiceEntry';

/**
 * All of Isthmus between the bytes of a source's message and those of the response to one istiod, without sockets and
 * with a debounce of 0 ms.
 */
export class Core {
  readonly #exchange = new SinkExchange([collection], defaultSourceProfile);
  readonly #kindId: string;
  readonly #store: Store;
  readonly #target: SinkTarget;
  #published: ((response: Response) => void) | undefined;
  #nonce = 0;

  constructor(clock: Clock) {
    this.#kindId = kindOfCollection(collection)?.id ?? '';
    this.#store = new Store({ clock, reporter: silentReporter, debounce: { afterMs: 0, maxMs: 0 } });
    this.#store.addOrigin(origin, [this.#kindId]);
    const rules = { defaultNamespace: 'default', namespaceIsExplicit: false };
    this.#target = legacyTarget(origin, [collection], rules, this.#store, silentLogger, () => {});
    this.#store.onChange((kinds) => {
      if (kinds.has(this.#kindId)) this.#respond();
    });
  }

  /** Takes one message, which has to change something; settles once the response to it is there. */
  async take(bytes: Buffer): Promise<Response> {
    const response = new Promise<Response>((resolve) => {
      this.#published = resolve;
    });
    const received = this.#exchange.receive(bytes);
    if (!received.accepted) throw new Error('the message is of another collection');
    await this.#target.accept(collection, received.message, received.full);
    return response;
  }

  #respond(): void {
    const snapshot = this.#store.snapshot(this.#kindId);
    if (snapshot === undefined) throw new Error('there is no snapshot of what was published');
    const tail = encodeResponseTail({ versionInfo: snapshot.version, typeUrl, nonce: String(++this.#nonce) });
    const message = frameOf(snapshot, { versioned: true }).with(tail);
    this.#published?.({ resources: snapshot.rows.length, bytes: message.length });
  }
}
