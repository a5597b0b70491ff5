/** Where something of a cluster is on this machine: what is written there, and what it is here. */
export type Address = readonly [there: string, here: string];

/** Names and addresses of a cluster in texts, and those of this machine in their place. */
export class Addresses {
  readonly #all: readonly Address[];

  constructor(all: readonly Address[]) {
    // What is part of another one comes later.
    this.#all = all.toSorted(([one], [other]) => other.length - one.length);
  }

  /** A text of the cluster for a program on this machine. */
  toHere(text: string): string {
    return this.#all.reduce((now, [there, here]) => now.replaceAll(there, here), text);
  }

  /** What a program here has said, as it would say it there. @param asked in the words of which, where there are several */
  toThere(text: string, asked: string): string {
    const first = this.#all.filter(([there]) => asked.includes(there));
    return [...first, ...this.#all].reduce((now, [there, here]) => now.replaceAll(here, there), text);
  }

  /** The same as {@link toHere}, as a script for sed. */
  get sed(): string {
    return this.#all.map(([there, here]) => `s#${there.replaceAll('.', '\\.')}#${here}#g\n`).join('');
  }
}
