import type { Collection } from '../model/kinds.ts';
import { type Part, partOf } from '../wire/legacy-source.ts';
import type { Offer, Offers, SourceState, SourceView } from './source.ts';

/** Offers what a view says. As with Istio's source, a stream that begins is not given a state with the version ''. */
export class ViewOffers implements Offers {
  view: SourceView;
  /** Made once for all streams. */
  readonly #parts = new WeakMap<SourceState, readonly Part[]>();

  constructor(view: SourceView) {
    this.view = view;
  }

  knows(collection: Collection): boolean {
    return this.view.has(collection);
  }

  isCarried(): boolean {
    return true;
  }

  identity(collection: Collection): string | undefined {
    return this.view.get(collection)?.version;
  }

  async prepare(): Promise<void> {}

  take(collection: Collection): Offer | undefined {
    const state = this.view.get(collection);
    if (state === undefined) return undefined;
    const { version } = state;
    let parts = this.#parts.get(state);
    if (parts === undefined) {
      parts = state.resources.length === 0 ? [] : [partOf(state.resources)];
      this.#parts.set(state, parts);
    }
    return { version, identity: version, parts };
  }
}
