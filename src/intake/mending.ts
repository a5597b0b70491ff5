import { type BodyRepair, bodyRepairs } from '../model/change.ts';
import { type Kind, serviceEntryId } from '../model/kinds.ts';
import { isAnyOn, type RepairOptions, repairServiceEntry } from '../wire/body-repairs.ts';
import { type Viewed, viewed } from '../wire/bytes.ts';
import { type ResourceParts, scanResource } from '../wire/resource-parts.ts';
import { MalformedError } from '../wire/scan.ts';

/** A hash of the bytes of a resource as they came. */
type Raw = { readonly h1: number; readonly h2: number; readonly h3: number };

/**
 * Repairs the bodies of one origin and kind, before their content is hashed, and counts what was repaired. A resource
 * whose bytes are those of the last message is not looked at again: what was done to it is remembered by their hash.
 */
export class Mending {
  readonly #options: RepairOptions;
  /** Hash → what was done to the resource with these bytes: of the last message with hashes, and of what is being read. */
  #known = new Map<string, ReadonlySet<BodyRepair>>();
  #next = new Map<string, ReadonlySet<BodyRepair>>();
  readonly #counts = new Map<BodyRepair, number>();
  #done: ReadonlySet<BodyRepair> | undefined;

  private constructor(options: RepairOptions) {
    this.#options = options;
  }

  /** Undefined where nothing is ever repaired: then nobody has to ask. */
  static of(kind: Kind, options: RepairOptions | undefined): Mending | undefined {
    return kind.id === serviceEntryId && options !== undefined && isAnyOn(options) ? new Mending(options) : undefined;
  }

  /** Begins a message. */
  begin(): void {
    this.#counts.clear();
    this.#next = new Map();
  }

  /**
   * Repairs the resource at `bytes[start, end)`, which was scanned. Returns where its parts are now: other bytes where
   * something was repaired, and `parts` are in there.
   */
  mend(bytes: Buffer & Viewed, start: number, end: number, parts: ResourceParts): Buffer & Viewed {
    this.#done = undefined;
    if (parts.valueStart < 0) return bytes;
    const repaired = this.#repair(bytes.subarray(parts.valueStart, parts.valueEnd));
    if (repaired === undefined) return bytes;
    this.#done = repaired.done;
    // The new body behind the old resource: nobody reads what is between the parts.
    const length = end - start;
    const whole = viewed(Buffer.concat([bytes.subarray(start, end), repaired.body]));
    scanResource(whole, 0, length, parts);
    parts.valueStart = length;
    parts.valueEnd = whole.length;
    return whole;
  }

  /**
   * Takes note of a resource that was looked at, and is good.
   *
   * @param raw its hash; undefined where it was not made.
   * @param isKnown whether its bytes are those of the last message, so that {@link mend} was not called.
   */
  count(raw: Raw | undefined, isKnown: boolean): void {
    const hash = raw === undefined ? undefined : `${raw.h1} ${raw.h2} ${raw.h3}`;
    const done = isKnown && hash !== undefined ? this.#known.get(hash) : this.#done;
    this.#done = undefined;
    if (done === undefined) return;
    if (hash !== undefined) this.#next.set(hash, done);
    for (const repair of done) this.#counts.set(repair, (this.#counts.get(repair) ?? 0) + 1);
  }

  /**
   * Ends a message. Returns what was done in it; undefined where that is nothing.
   *
   * @param isHashed whether hashes were made of all that is in it.
   */
  finish(isHashed: boolean): Readonly<Partial<Record<BodyRepair, number>>> | undefined {
    if (isHashed) this.#known = this.#next;
    if (this.#counts.size === 0) return undefined;
    return Object.fromEntries(bodyRepairs.flatMap((repair) => countOf(repair, this.#counts)));
  }

  #repair(body: Buffer): ReturnType<typeof repairServiceEntry> {
    try {
      return repairServiceEntry(body, this.#options);
    } catch (error) {
      // What is no message is not sent: whoever looks at it next says so.
      if (error instanceof MalformedError) return undefined;
      throw error;
    }
  }
}

function countOf(repair: BodyRepair, counts: ReadonlyMap<BodyRepair, number>): [BodyRepair, number][] {
  const count = counts.get(repair);
  return count === undefined ? [] : [[repair, count]];
}
