import type { Change } from '../model/change.ts';
import type { Logger } from '../model/logger.ts';
import type { QuarantineEntry } from '../store/holding.ts';

/** Lines of one message about single resources. */
const maxLines = 20;

/**
 * Tells the operator what was wrong with the messages of one collection: each bad resource when it turns bad and when
 * it is good again, and what was put right when that changes. A source that repeats its mistakes is no news.
 */
export class IntakeLog {
  readonly #log: Logger;
  readonly #who: { readonly source: string; readonly collection: string };
  /** Key → reason of what is known to be bad. */
  #bad = new Map<string, string>();
  #repairs = '';
  /** Names of the repairs that the last message needed. */
  #made = '';

  constructor(log: Logger, source: string, collection: string) {
    this.#log = log;
    this.#who = { source, collection };
  }

  /** @param quarantine of this collection, after the change. */
  tell({ repairs, repeated }: Change, quarantine: ReadonlyMap<string, QuarantineEntry>): void {
    if (quarantine.size > 0 || this.#bad.size > 0) this.#tellBad(quarantine);
    const { bareNames, createTimes, duplicates, escapedNames = 0, bodies = {} } = repairs;
    this.#tellRepaired(bodies);
    const text = [bareNames, createTimes, duplicates, escapedNames, ...(repeated ?? [])].join();
    if (text === this.#repairs) return;
    this.#repairs = text;
    if (bareNames > 0 || createTimes > 0) {
      const what =
        'resources were put right: a bare name gets the default namespace, an invalid create_time a fixed one';
      this.#log.info({ ...this.#who, bareNames, createTimes }, what);
    }
    if (escapedNames > 0) {
      const what =
        'names with several slashes, or nothing behind one, were written so that istiod takes them (slashes: escape)';
      this.#log.info({ ...this.#who, escapedNames }, what);
    }
    if (duplicates > 0) {
      const hint = 'give each resource a name of its own at the source; of those that share one, only one is sent';
      const fields = { ...this.#who, duplicates, resources: repeated, hint };
      this.#log.warn(fields, 'a message names resources more than once; the last one of each name counts');
    }
  }

  /** Once for each set of repairs: how many there are changes with every service, and is in the metrics. */
  #tellRepaired(bodies: NonNullable<Change['repairs']['bodies']>): void {
    const made = Object.keys(bodies).join();
    if (made === this.#made) return;
    this.#made = made;
    if (made === '') return;
    const hint = 'mend it at the source, and turn the repair off then';
    const fields = { ...this.#who, repaired: bodies, hint };
    this.#log.warn(fields, 'resources are not sent as they came: repairs were made');
  }

  #tellBad(quarantine: ReadonlyMap<string, QuarantineEntry>): void {
    const before = this.#bad;
    this.#bad = new Map(Array.from(quarantine, ([key, { reason }]) => [key, reason]));
    const news = [...quarantine.values()].filter(({ key, reason }) => before.get(key) !== reason);
    for (const [i, { key, reason, message, lastGoodSent }] of news.slice(0, maxLines).entries()) {
      const hint = lastGoodSent
        ? 'mend it at the source; its last good form is sent meanwhile'
        : 'mend it at the source; nothing of it is sent until then';
      const more = i === maxLines - 1 && news.length > maxLines ? { more: news.length - maxLines } : {};
      const fields = { ...this.#who, resource: key, reason, hint, ...more };
      this.#log.warn(fields, `a resource is quarantined: ${message}`);
    }
    const good = [...before.keys()].filter((key) => !quarantine.has(key));
    if (good.length === 0) return;
    const fields = { ...this.#who, resources: good.slice(0, maxLines), count: good.length };
    this.#log.info(fields, 'resources are in quarantine no more: they were mended, or are gone');
  }
}
