import type { Kind } from '../../../src/model/kinds.ts';
import { type Item, isReadable, type Name, readingOf } from './item.ts';

/** What a source said, as far as it proves anything. */
type Statement = {
  readonly origin: string;
  readonly kind: Kind;
  readonly full: boolean;
  /** Keys that it names, in whatever form. */
  readonly named: ReadonlySet<string>;
  /** Every good form: key and content. */
  readonly good: readonly (readonly [key: string, text: string])[];
  readonly removed: ReadonlySet<string>;
  /** Resources that may be any. */
  readonly strangers: number;
};

/**
 * The invariant of ADR 1, told by what was said alone: what a source brought in a good form is there until the source
 * has proven that it removed it. Knows nothing of states.
 */
export class Trace {
  readonly #statements: Statement[] = [];

  /** Statements so far. */
  get position(): number {
    return this.#statements.length;
  }

  add(origin: string, kind: Kind, full: boolean, items: readonly Item[], removed: readonly Name[]): void {
    const readings = items.map((item) => readingOf(item, kind));
    this.#statements.push({
      origin,
      kind,
      full,
      named: new Set(readings.flatMap(({ key }) => key ?? [])),
      good: readings.flatMap((reading) => ('text' in reading ? [[reading.key, reading.text] as const] : [])),
      removed: new Set(removed.flatMap((name) => (isReadable(name, kind) ? name.key : []))),
      strangers: readings.filter(({ key }) => key === undefined).length,
    });
  }

  /** The operator says that these are gone. */
  release(origin: string, kind: Kind, keys: Iterable<string>): void {
    const nothing = { full: false, named: new Set<string>(), good: [], strangers: 0 };
    this.#statements.push({ origin, kind, ...nothing, removed: new Set(keys) });
  }

  /** Keys that `origin` must have, after so many statements. */
  proven(origin: string, kind: Kind, position = this.position): Set<string> {
    const held = new Set<string>();
    const own = this.#statements.slice(0, position).filter((one) => one.origin === origin && one.kind === kind);
    for (const [place, statement] of own.entries()) {
      for (const key of held) if (provesRemoval(statement, key, own.slice(0, place))) held.delete(key);
      for (const [key] of statement.good) held.add(key);
    }
    return held;
  }

  /** Keys that some origin must have had at every moment since `from` statements were made. */
  provenSince(from: number, kind: Kind): Set<string> {
    const origins = [...new Set(this.#statements.map(({ origin }) => origin))];
    const at = (position: number) => new Set(origins.flatMap((origin) => [...this.proven(origin, kind, position)]));
    let held = at(from);
    for (let position = from + 1; position <= this.position; position++) {
      const next = at(position);
      held = new Set([...held].filter((key) => next.has(key)));
    }
    return held;
  }

  /** Every good form that was brought since `from` statements were made: key → contents. */
  broughtSince(from: number, kind: Kind): Map<string, Set<string>> {
    const brought = new Map<string, Set<string>>();
    for (const { good } of this.#statements.slice(from).filter((one) => one.kind === kind)) {
      for (const [key, text] of good) brought.set(key, (brought.get(key) ?? new Set()).add(text));
    }
    return brought;
  }
}

/**
 * Changes prove what they name as removed. A whole state proves that what it lacks is gone, unless a resource that may
 * be any stands in it: then as many must have stood in an earlier whole state.
 */
function provesRemoval(statement: Statement, key: string, earlier: readonly Statement[]): boolean {
  if (statement.named.has(key)) return false;
  if (!statement.full) return statement.removed.has(key);
  const { strangers } = statement;
  return strangers === 0 || earlier.some((one) => one.full && one.strangers >= strangers);
}
