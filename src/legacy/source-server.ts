import type { HostPort } from '../net/address.ts';
import type { SourceView } from './source.ts';
import { type SinkStreamView, SourceListener, type SourceListenerOptions } from './source-listener.ts';
import { ViewOffers } from './view-offers.ts';

/** A legacy MCP server (`ResourceSource`) of what it is told: what Galley was to Pilot. */
export class SourceServer {
  readonly #offers: ViewOffers;
  readonly #listener: SourceListener;

  constructor(view: SourceView, options: SourceListenerOptions = {}) {
    this.#offers = new ViewOffers(view);
    this.#listener = new SourceListener(this.#offers, options);
  }

  /** @throws IsthmusError LISTEN_FAILED */
  listen(address: HostPort): Promise<number> {
    return this.#listener.listen(address);
  }

  /** Sinks that are connected. */
  get connected(): number {
    return this.streams.length;
  }

  /** What they have asked for, were sent, and have answered. */
  get streams(): SinkStreamView[] {
    return this.#listener.streams;
  }

  /** Offers another state to all sinks. */
  update(view: SourceView): void {
    this.#offers.view = view;
    this.#listener.changed();
  }

  stop(graceMs: number): Promise<void> {
    return this.#listener.stop(graceMs);
  }
}
