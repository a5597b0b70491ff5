import { droppedCollection } from '../model/dropped.ts';
import type { Collection } from '../model/kinds.ts';
import type { Logger } from '../model/logger.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { viewResourceBytes } from '../wire/resource-view.ts';

/** Names that are shown of a collection, and how much of each. */
const maxNames = 5;
const maxNameLength = 253;

/** What a source has in a collection that is sent to nobody. */
export type Dropped = {
  readonly collection: Collection;
  readonly resources: number;
  /** The first few. */
  readonly names: readonly string[];
};

/** Counts what one source has in collections that istiod 1.9 and newer has no place for. Nothing of it is kept or sent. */
export class DroppedCount {
  readonly #source: string;
  readonly #log: Logger;
  readonly #counts = new Map<Collection, Dropped>();

  constructor(source: string, log: Logger) {
    this.#source = source;
    this.#log = log;
  }

  /** Collections that the source has spoken of. */
  get all(): readonly Dropped[] {
    return [...this.#counts.values()];
  }

  /** Takes a message that is the whole state of its collection. The operator is told when there is something in it. */
  take(collection: Collection, { bytes, spans }: ResourcesView): void {
    const hadSome = (this.#counts.get(collection)?.resources ?? 0) > 0;
    const resources = spans.length / 2;
    const names: string[] = [];
    for (let i = 0; i < spans.length && names.length < maxNames; i += 2) {
      names.push(nameIn(bytes.subarray(spans[i], spans[i + 1])));
    }
    this.#counts.set(collection, { collection, resources, names });
    if (resources === 0 || hadSome) return;
    const { reader, instead } = droppedCollection(collection) ?? {};
    const fields = { source: this.#source, collection, resources, names, reader, instead };
    this.#log.warn(fields, 'a source has resources that istiod 1.9 and newer has no place for: none of them is sent');
  }
}

function nameIn(resource: Uint8Array): string {
  try {
    return viewResourceBytes(resource).name.slice(0, maxNameLength);
  } catch {
    return '(unreadable)';
  }
}
