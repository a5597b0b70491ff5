import { expect } from 'vitest';

/** Waits of the debounce, in milliseconds. */
export const debounce = { afterMs: 50, maxMs: 1000 } as const;

type State = {
  /** When it came; later where it could not be sent before. */
  readonly since: number;
  /** Statements that had been made. */
  readonly position: number;
  /** Key → content. */
  readonly merged: ReadonlyMap<string, string>;
};

/**
 * Of one kind: every merged state that may be the published one at this moment. Changes are published when it has been
 * quiet for 50 ms, a second after the first of them at the latest, and only while the kind is complete.
 */
export class Published {
  #states: State[] = [{ since: 0, position: 0, merged: new Map() }];
  /** How many of the states may be seen while the kind is not complete. */
  #frozen: number | undefined = 0;
  /** Whether anything may, or must, be published. */
  #is: 'never' | 'perhaps' | 'certain' = 'never';

  /** Something was said. */
  said(now: number, isComplete: boolean, position: number, merged: ReadonlyMap<string, string>): void {
    if (!isComplete) this.#frozen ??= this.#states.length;
    else if (this.#frozen !== undefined) {
      this.#states = this.#states.slice(0, this.#frozen).map((state) => ({ ...state, since: now }));
      this.#frozen = undefined;
      if (this.#is === 'never') this.#is = 'perhaps';
    }
    this.#states.push({ since: now, position, merged });
  }

  /** @param quietSince when something was said last. */
  passed(now: number, quietSince: number): void {
    if (now - quietSince >= debounce.afterMs) this.now();
    else if (this.#frozen === undefined) {
      const old = this.#states.findLastIndex(({ since }) => since <= now - debounce.maxMs);
      this.#states.splice(0, Math.max(0, old));
    }
  }

  /** All that may be published, is. */
  now(): void {
    if (this.#frozen !== undefined) return;
    this.#is = 'certain';
    this.#states.splice(0, this.#states.length - 1);
  }

  /** True where something must be published. */
  get isCertain(): boolean {
    return this.#is === 'certain';
  }

  /** Since so many statements the published state may be as it is. */
  get position(): number {
    return this.#possible[0]?.position ?? 0;
  }

  /**
   * Checks what somebody was given, as key → content.
   *
   * @param early forms that may show before all else does, as key → contents: those of the same length, where one
   * origin alone holds the kind (ADR 3). Keys never do.
   */
  check(given: ReadonlyMap<string, string> | undefined, early: ReadonlyMap<string, ReadonlySet<string>>): void {
    if (given === undefined) {
      expect(this.#is, 'published').not.toBe('certain');
      return;
    }
    expect(this.#is, 'published').not.toBe('never');
    const possible = this.#possible;
    const keys = [...given.keys()];
    const isAnyOf = possible.some(({ merged }) => merged.size === keys.length && keys.every((key) => merged.has(key)));
    if (!isAnyOf) expect(possible.map(({ merged }) => [...merged.keys()])).toContainEqual(keys);
    for (const [key, text] of given) {
      const texts = possible.map(({ merged }) => merged.get(key));
      if (!texts.includes(text) && early.get(key)?.has(text) !== true)
        expect(texts, `content of ${key}`).toContain(text);
    }
  }

  get #possible(): readonly State[] {
    return this.#states.slice(0, this.#frozen);
  }
}
