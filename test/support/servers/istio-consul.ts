import type { SourceStream } from '../legacy-source.ts';
import { type Request, say, Server, type Service, serviceEntries, serviceEntry } from './server.ts';

/** costinm/istio-consul: all services to who asks, and then the one that has changed, as though it were all. */
export class IstioConsul extends Server {
  readonly #services = new Map<string, Service>();
  readonly #gone = new Set<string>();
  #clock = 0;

  /** One service has changed; none is ever removed. */
  change(service: Service): void {
    this.#services.set(service.name, service);
    for (const stream of this.streams) this.#send(stream, [service]);
  }

  /** Consul has a service no more. Nobody hears of it, and it is known until the process ends. */
  lose(name: string): void {
    this.#gone.add(name);
  }

  protected override forget(): void {
    for (const name of this.#gone) this.#services.delete(name);
    this.#gone.clear();
  }

  protected override answer(stream: SourceStream, { collection, responseNonce }: Request): void {
    if (responseNonce !== '') return;
    if (collection === serviceEntries) this.#send(stream, [...this.#services.values()]);
    else say(stream, { collection, nonce: this.#nonce() });
  }

  #send(stream: SourceStream, services: readonly Service[]): void {
    // Its endpoints get lost on the way into the ServiceEntry, and it has no ports.
    const resources = services.map(({ name, instances }) =>
      serviceEntry(
        `service/${name}`,
        { hosts: [`${name}.service.consul`], addresses: instances.map(({ address }) => address) },
        { version: '1', annotations: { virtual: '1' } },
      ),
    );
    say(stream, { collection: serviceEntries, nonce: this.#nonce(), resources });
  }

  #nonce(): string {
    return `2019-06-01 10:00:${String(++this.#clock).padStart(2, '0')}.123456789 +0000 UTC m=+1.5`;
  }
}
