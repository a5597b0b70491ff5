import { createHash } from 'node:crypto';
import type { Config } from './config-store.ts';

/** What one object says, without version and create_time. */
export type Form = { readonly id: string; readonly labels: Readonly<Record<string, string>> };

/** Key → form, where there is one. */
export type Truth = ReadonlyMap<string, Form>;

/** Forms with a place in their history; undefined = the object does not exist. */
type Forms = { readonly forms: (Form | undefined)[] /** Place of the first one that is kept. */; from: number };

/** Forms kept of one key before the oldest are looked at. */
const manyForms = 64;

/** The form of an object. */
export function formOf({ labels, annotations, bodyType, body }: Omit<Config, 'key' | 'version'>): Form {
  const sorted = (texts: Readonly<Record<string, string>>): unknown =>
    Object.entries(texts).toSorted(([one], [other]) => (one < other ? -1 : 1));
  const hash = createHash('sha1').update(JSON.stringify([sorted(labels), sorted(annotations), bodyType ?? null]));
  return { id: hash.update(body).digest('base64'), labels };
}

/**
 * All that a source said, key by key, in order. What somebody sees of a key over time must be that order with some
 * steps left out. So nobody can see an object vanish that the source held all the time, nor an old form come back, nor
 * one that never was, however late or seldom they look.
 */
export class History {
  readonly #keys = new Map<string, Forms>();
  readonly #observers: Observer[] = [];

  /** The source has another form of `key` now; undefined = none. */
  append(key: string, form: Form | undefined): void {
    const known = this.#keys.get(key) ?? { forms: [undefined], from: 0 };
    this.#keys.set(key, known);
    if (known.forms.at(-1)?.id === form?.id) return;
    known.forms.push(form);
    if (known.forms.length > manyForms) this.#forget(key, known);
  }

  /** The newest form of each key. */
  get truth(): Truth {
    const now = new Map<string, Form>();
    for (const [key, { forms }] of this.#keys) {
      const form = forms.at(-1);
      if (form !== undefined) now.set(key, form);
    }
    return now;
  }

  now(key: string): Form | undefined {
    return this.#keys.get(key)?.forms.at(-1);
  }

  /** Somebody who sees of this history what `isVisible`. */
  observer(isVisible: (form: Form) => boolean = () => true): Observer {
    const observer = new Observer(this.#keys, isVisible);
    this.#observers.push(observer);
    return observer;
  }

  #forget(key: string, known: Forms): void {
    const needed = Math.min(...this.#observers.map((observer) => observer.placeOf(key)));
    const old = Math.min(needed, known.from + known.forms.length - 1) - known.from;
    if (old <= 0) return;
    known.forms.splice(0, old);
    known.from += old;
  }
}

/** What one istiod has seen; kept over its restarts, since a bridge never goes back either. */
export class Observer {
  readonly #keys: ReadonlyMap<string, Forms>;
  readonly #isVisible: (form: Form) => boolean;
  readonly #places = new Map<string, number>();
  /** What can't be, in words. */
  readonly faults: string[] = [];

  constructor(keys: ReadonlyMap<string, Forms>, isVisible: (form: Form) => boolean) {
    this.#keys = keys;
    this.#isVisible = isVisible;
  }

  placeOf(key: string): number {
    return this.#places.get(key) ?? 0;
  }

  /** It has this form of `key` now; undefined = none. */
  saw(key: string, form: Form | undefined): void {
    const known = this.#keys.get(key);
    const at = this.placeOf(key);
    for (let i = Math.max(0, at - (known?.from ?? 0)); i < (known?.forms.length ?? 0); i++) {
      if (this.visible(known?.forms[i])?.id !== form?.id) continue;
      this.#places.set(key, i + (known?.from ?? 0));
      return;
    }
    this.faults.push(this.#explain(key, form, known, at));
  }

  /** What it can see of a form. */
  visible(form: Form | undefined): Form | undefined {
    return form !== undefined && this.#isVisible(form) ? form : undefined;
  }

  #explain(key: string, form: Form | undefined, known: Forms | undefined, at: number): string {
    if (known === undefined) return `${key} was never there`;
    if (form === undefined) return `${key} is missing, though the source held it all the time`;
    const was = known.forms.slice(0, at - known.from).some((old) => old?.id === form.id);
    return was ? `${key} went back to an older form` : `${key} has a form that the source never had`;
  }
}
