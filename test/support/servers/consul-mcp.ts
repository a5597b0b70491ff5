import type { SourceStream } from '../legacy-source.ts';
import { type Request, say, Server, type Service, serviceEntries, serviceEntry } from './server.ts';

/** istio-ecosystem/consul-mcp at its last commit, of 2020-10-14. */
export class ConsulMcp extends Server {
  /** Its cache is appended to and never cleared: a service that was removed stays, and each occurs once more per change. */
  #cache: Service[] = [];
  #clock = 0;

  /** Consul has these now: all of it is read again. */
  set(...services: readonly Service[]): void {
    this.#cache.push(...services);
    for (const stream of this.streams) this.#push(stream);
  }

  /** Consul does not answer: the error is logged, and the push goes on with what there is. */
  failConsul(): void {
    this.#cache = [];
    for (const stream of this.streams) this.#push(stream);
  }

  protected override forget(): void {
    this.#cache = [];
  }

  protected override answer(stream: SourceStream, { collection, responseNonce }: Request): void {
    if (responseNonce !== '') return;
    if (collection === serviceEntries) this.#push(stream);
    else say(stream, { collection, nonce: this.#nonce() });
  }

  #push(stream: SourceStream): void {
    const resources = this.#cache.map(({ name, instances }) => {
      const host = `${name}.service.consul`;
      const spec = {
        hosts: [host],
        ports: [{ number: 8080, protocol: 'TCP', name: 'tcp' }],
        location: 1,
        resolution: 1,
        endpoints: instances.map(({ address, port }) => ({ address, ports: { tcp: port } })),
      };
      return serviceEntry(host, spec, { version: 'v1' });
    });
    say(stream, { collection: serviceEntries, nonce: this.#nonce(), resources });
  }

  #nonce(): string {
    const seconds = String(++this.#clock).padStart(2, '0');
    return `2020-10-14 08:00:${seconds}.000000001 +0000 UTC m=+${this.#clock}.000000001`;
  }
}
