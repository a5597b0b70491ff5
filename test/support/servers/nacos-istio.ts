import type { SourceStream } from '../legacy-source.ts';
import { type Request, say, Server, type Service, serviceEntry } from './server.ts';

const synthetic = 'istio/networking/v1alpha3/synthetic/serviceentries';

/** nacos-group/nacos-istio: a load generator that sends what has changed, to its first client, once that has acknowledged. */
export class NacosIstio extends Server {
  /** Set once it has ended over a client that it does not expect. */
  panicked = false;
  #clients = 0;
  #first: SourceStream | undefined;
  #sent: string | undefined;
  #waiting: Service[] = [];
  #clock = 0;

  /** These have changed. */
  push(...services: readonly Service[]): void {
    this.#waiting.push(...services);
    this.#sendNext();
  }

  protected override answer(stream: SourceStream, { sinkNode, collection, responseNonce }: Request): void {
    if (this.#first === undefined) {
      this.#clients++;
      // It looks for its first client under the name "-1": only one without an id has that.
      if (sinkNode.id !== '' || this.#clients !== 1) this.panicked = true;
      this.#first = stream;
    }
    if (responseNonce === '') return;
    if (collection === synthetic && responseNonce === this.#sent) this.#sent = undefined;
    this.#sendNext();
  }

  #sendNext(): void {
    const [next, ...rest] = this.#waiting;
    if (next === undefined || this.#sent !== undefined || this.#first === undefined) return;
    this.#waiting = rest;
    this.#sent = `2019-10-08 12:00:${String(++this.#clock).padStart(2, '0')}.5 +0800 CST m=+0.5`;
    const spec = {
      hosts: [`${next.name}.nacos`],
      ports: [{ number: 8080, protocol: 'HTTP', name: 'http' }],
      location: 1,
      resolution: 1,
      endpoints: next.instances.map(({ address, port }) => ({ address, ports: { http: port } })),
    };
    const annotations = { virtual: '1', 'networking.alpha.istio.io/endpointsVersion': String(this.#clock) };
    const resources = [serviceEntry(`nacos/${next.name}`, spec, { annotations })];
    // Marked as a change by an annotation alone.
    say(this.#first, { collection: synthetic, nonce: this.#sent, resources });
  }
}
