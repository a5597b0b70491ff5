import { setImmediate as nextTurn } from 'node:timers/promises';
import { droppedCollections } from '../model/dropped.ts';
import { type Collection, type Kind, kindOfCollection } from '../model/kinds.ts';
import { copyTurnBytes, nameTurn } from '../model/sizes.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { VersionSum } from '../store/version-sum.ts';
import type { Part } from '../wire/legacy-source.ts';
import { OutputParts } from './output-parts.ts';
import type { Offer, Offers } from './source.ts';

/** What is read of the store. */
export type OutputStore = {
  isExpected(kindId: string): boolean;
  snapshot(kindId: string): Snapshot | undefined;
};

const none = new VersionSum();

/** Of a collection in which nobody can have anything: it has the version of any other that is empty. */
const nothing: Offer = { version: none.toString(), identity: none.identity, parts: [] };

const dropped: ReadonlySet<Collection> = new Set(droppedCollections.map(({ collection }) => collection));

/**
 * Offers the merged snapshots of a store to legacy sinks: what istiod is given of a kind, under the name of its
 * collection, and behind the same gate. Collections that only old Pilots know are answered as empty: Istio's source ends
 * the stream over a collection that it does not know, and Pilot waits for all of them before it starts.
 */
export class StoreOffers implements Offers {
  readonly #store: OutputStore;
  readonly #mayHold: (collection: Collection) => boolean;
  readonly #parts = new Map<string, OutputParts>();
  /** What is being made ready, by collection. */
  readonly #preparing = new Map<Collection, Promise<void>>();

  /**
   * @param mayHold false for a collection that is not carried, and in which nobody is known to have anything. While it is
   *   true, who asks for the collection waits.
   */
  constructor(store: OutputStore, mayHold: (collection: Collection) => boolean = () => false) {
    this.#store = store;
    this.#mayHold = mayHold;
  }

  knows(collection: Collection): boolean {
    return this.isCarried(collection) || dropped.has(collection);
  }

  isCarried(collection: Collection): boolean {
    return kindOfCollection(collection) !== undefined;
  }

  identity(collection: Collection): string | undefined {
    const kind = this.#expected(collection);
    if (kind !== undefined) return this.#store.snapshot(kind.id)?.identity;
    return this.#isEmpty(collection) ? nothing.identity : undefined;
  }

  async prepare(collection: Collection, isListed: boolean): Promise<void> {
    // Another stream may have begun with it, and want less.
    for (
      let running = this.#preparing.get(collection);
      running !== undefined;
      running = this.#preparing.get(collection)
    )
      await running;
    const work = this.#prepare(collection, isListed).finally(() => this.#preparing.delete(collection));
    this.#preparing.set(collection, work);
    await work;
  }

  take(collection: Collection): Offer | undefined {
    const kind = this.#expected(collection);
    if (kind === undefined) return this.#isEmpty(collection) ? nothing : undefined;
    const snapshot = this.#store.snapshot(kind.id);
    if (snapshot === undefined) return undefined;
    const { version, identity } = snapshot;
    return { version, identity, parts: this.#partsOf(kind).of(snapshot) ?? [] };
  }

  /** Gives back the memory of what is made again when somebody asks. */
  clear(): void {
    for (const parts of this.#parts.values()) parts.clear();
  }

  /** What changes meanwhile is looked at again, so that little is left for {@link take}. */
  async #prepare(collection: Collection, isListed: boolean): Promise<void> {
    for (;;) {
      const kind = this.#expected(collection);
      const snapshot = kind && this.#store.snapshot(kind.id);
      if (kind === undefined || snapshot === undefined) return;
      const parts = this.#partsOf(kind).of(snapshot, copyTurnBytes);
      if (parts !== undefined && (!isListed || listSome(parts))) return;
      await nextTurn();
    }
  }

  /** Of one that nobody is expected to hold anything of. */
  #isEmpty(collection: Collection): boolean {
    return this.isCarried(collection) || !this.#mayHold(collection);
  }

  #partsOf({ id }: Kind): OutputParts {
    let parts = this.#parts.get(id);
    if (parts === undefined) {
      parts = new OutputParts();
      this.#parts.set(id, parts);
    }
    return parts;
  }

  /** The kind of a collection, where somebody can have something of it. */
  #expected(collection: Collection): Kind | undefined {
    const kind = kindOfCollection(collection);
    return kind !== undefined && this.#store.isExpected(kind.id) ? kind : undefined;
  }
}

/** Reads names and versions, of so many resources at most. True once all are read. */
function listSome(parts: readonly Part[]): boolean {
  let rows = 0;
  for (const part of parts) {
    if (part.isListed) continue;
    if (rows >= nameTurn) return false;
    rows += part.listing.names.length;
  }
  return true;
}
