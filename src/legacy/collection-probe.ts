import { type Collection, kinds } from '../model/kinds.ts';

/** A day: how long a refusal is believed. */
export const refusalTtlMs = 24 * 60 * 60 * 1000;

/** gRPC status INVALID_ARGUMENT. */
const invalidArgument = 3;

/** A collection that a source does not know, and since when we know that (milliseconds since 1970). */
export type Refusals = ReadonlyMap<Collection, number>;

/**
 * Finds out which collections a source knows. Sources end the whole stream with INVALID_ARGUMENT when one
 * collection is unknown to them (source.go processClientRequest). Istio's names it in its text; others are asked
 * again with fewer collections, by halving, until the culprit stands alone.
 *
 * A source that refuses everything has another problem than its collections; then nothing counts as refused.
 */
export class CollectionProbe {
  readonly #wanted: readonly Collection[];
  readonly #later: readonly Collection[];
  readonly #accepted = new Set<Collection>();
  readonly #refused = new Map<Collection, number>();
  /** Not known yet; the first group is being asked for. */
  #groups: Collection[][];
  #served = false;
  /** The one collection over which a source may have left its last stream. */
  #suspect: Collection | undefined;

  /**
   * @param wanted all that we would like to have.
   * @param remembered refusals of an earlier process; those older than a day are asked for again.
   * @param nowMs milliseconds since 1970.
   * @param later what nobody needs: it is asked for once the rest is known, and not again where it is refused.
   */
  constructor(wanted: readonly Collection[], remembered: Refusals, nowMs: number, later: readonly Collection[] = []) {
    this.#wanted = wanted;
    this.#later = later;
    for (const [collection, since] of remembered) {
      const isRecent = nowMs - since < refusalTtlMs;
      if (later.includes(collection) || (wanted.includes(collection) && isRecent)) this.#refused.set(collection, since);
    }
    // As with a source that refuses everything: there would be nothing left to ask for.
    if (wanted.every((collection) => this.#refused.has(collection))) this.#refused.clear();
    const isOpen = (collection: Collection) => !this.#refused.has(collection);
    this.#groups = notEmpty([wanted.filter(isOpen), later.filter(isOpen)]);
  }

  /** What the next stream asks for. */
  get asked(): readonly Collection[] {
    return [...this.#accepted, ...(this.#groups[0] ?? [])];
  }

  /** True where the source has proven that it serves anything; until then no refusal counts. */
  get served(): boolean {
    return this.#served;
  }

  /** What the source does not know; empty until it has proven that it serves anything. */
  get refused(): Refusals {
    return new Map(this.#served ? this.#refused : []);
  }

  /** The source sent something for a collection that was asked for. */
  answered(): void {
    this.#served = true;
  }

  /** The stream lives on with all that was asked for. Returns true where another stream should ask for more. */
  survived(): boolean {
    this.#suspect = undefined;
    for (const collection of this.#groups.shift() ?? []) this.#accepted.add(collection);
    this.#served = true;
    return this.#groups.length > 0;
  }

  /**
   * The source ended the stream. Returns true where that was about a collection: then the next stream should be
   * opened at once, with another question.
   *
   * @param code gRPC status code.
   * @param details the status' text.
   * @param nowMs milliseconds since 1970.
   * @param answered collections of which it has spoken on that stream: it does not end over one of those without a word.
   */
  ended(code: number, details: string, nowMs: number, answered: ReadonlySet<Collection> = new Set()): boolean {
    const asked = this.asked;
    const named = collectionIn(details);
    if (named !== undefined && asked.includes(named)) return this.#refuse(named, nowMs);
    if (code !== invalidArgument || asked.every((collection) => answered.has(collection))) return false;
    // It served the accepted ones before and does not say which one it no longer knows: begin again.
    const group = this.#groups.shift() ?? [...asked];
    if (group.length > 1) {
      if (!group.some((collection) => !this.#accepted.has(collection))) this.#accepted.clear();
      const middle = Math.ceil(group.length / 2);
      this.#groups.unshift(group.slice(0, middle), group.slice(middle));
      return true;
    }
    return this.#refuse(group[0] as Collection, nowMs);
  }

  /**
   * The source has left the stream, soon after it was asked, and has not said why. Istio's own does so over a collection
   * that it does not know where it is the one that dials: who dials has no way to say more. What has `answered` is known;
   * of the rest, each half is asked for on a stream of its own, until one stands alone. That one is refused where the source
   * has left twice over it: a source may leave for another reason, too. Returns true as {@link ended} does.
   *
   * @param nowMs milliseconds since 1970.
   */
  left(answered: ReadonlySet<Collection>, nowMs: number): boolean {
    const group = this.#groups.shift() ?? [...this.#accepted];
    const suspects: Collection[] = [];
    for (const collection of group) {
      if (answered.has(collection)) this.#accepted.add(collection);
      else {
        this.#accepted.delete(collection);
        suspects.push(collection);
      }
    }
    const [only] = suspects;
    if (only === undefined) return false;
    if (suspects.length > 1) {
      const middle = Math.ceil(suspects.length / 2);
      this.#groups.unshift(suspects.slice(0, middle), suspects.slice(middle));
      return true;
    }
    if (this.#suspect === only) return this.#refuse(only, nowMs);
    this.#suspect = only;
    this.#groups.unshift(suspects);
    return true;
  }

  /** Asks again for what was refused a day ago or longer. Returns true where there is something to ask. */
  forgetOldRefusals(nowMs: number): boolean {
    const old = Array.from(this.#refused).flatMap(([name, since]) =>
      this.#wanted.includes(name) && nowMs - since >= refusalTtlMs ? [name] : [],
    );
    for (const collection of old) this.#refused.delete(collection);
    this.#groups.push(...notEmpty([old]));
    return old.length > 0;
  }

  /** Returns false, and forgets everything, where nothing is left to ask for. */
  #refuse(collection: Collection, nowMs: number): boolean {
    this.#suspect = undefined;
    this.#accepted.delete(collection);
    this.#groups = notEmpty(this.#groups.map((group) => group.filter((other) => other !== collection)));
    this.#refused.set(collection, nowMs);
    // Who serves only what nobody needs has another problem, too.
    if (this.asked.some((one) => this.#wanted.includes(one))) return true;
    this.#refused.clear();
    this.#accepted.clear();
    this.#served = false;
    this.#groups = notEmpty([[...this.#wanted], [...this.#later]]);
    return false;
  }
}

/** The collection that a status names; the server of Istio 1.0 names its type (galley/pkg/mcp/server/server.go, 1.0.9). */
function collectionIn(details: string): Collection | undefined {
  const named = /unsupported (?:collection|type_?url):? *["']?([^\s"',;]+)/i.exec(details)?.[1];
  return kinds.find(({ body }) => named?.endsWith(`/${body}`))?.collection ?? named;
}

function notEmpty(groups: Collection[][]): Collection[][] {
  return groups.filter((group) => group.length > 0);
}
