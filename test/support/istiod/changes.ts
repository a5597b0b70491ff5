import type { ChangingSource } from './changing-source.ts';
import type { Random } from './random.ts';
import { namedFaults, namelessFaults, type SourceKind, type SourceObject, sourceBytes } from './source-object.ts';

/** How often each kind of change happens, against the others. */
const everyChange = {
  add: 10,
  change: 20,
  relabel: 8,
  annotate: 4,
  revision: 3,
  remove: 7,
  readd: 5,
  rename: 4,
  twice: 3,
  spoil: 6,
  heal: 4,
  stray: 2,
  resend: 2,
  large: 0.5,
};

export type ChangeOptions = {
  /** Objects of one kind, between which their number is kept. @default 15 to 45 */
  readonly fewest?: number;
  readonly most?: number;
  /** How often each kind of change happens instead of as usual. */
  readonly weights?: Partial<Readonly<Record<keyof typeof everyChange, number>>>;
};

/** Removed objects that may come back. */
const mostRemoved = 1000;

/** Two of these are more than an istiod up to 1.11 can receive. */
const largeBytes = 2_300_000;

/** Makes a source change in every way that one can, by a seed. */
export class Changes {
  readonly #source: ChangingSource;
  readonly #random: Random;
  readonly #fewest: number;
  readonly #most: number;
  readonly #weights: Readonly<Record<keyof typeof everyChange, number>>;
  readonly #removed: SourceObject[] = [];
  #serial = 0;
  /** Names of objects that were made large. */
  readonly #large = new Set<SourceObject>();

  constructor(source: ChangingSource, random: Random, { fewest = 15, most = 45, weights }: ChangeOptions = {}) {
    this.#source = source;
    this.#random = random;
    this.#fewest = fewest;
    this.#most = most;
    this.#weights = { ...everyChange, ...weights };
  }

  /** A content that never was. */
  readonly content = (): string => `host-${++this.#serial}.example.com`;

  /** Adds so many objects of each kind. */
  fill(count: number): void {
    for (let i = 0; i < count; i++) {
      this.#source.put(this.#newObject('ServiceEntry'));
      this.#source.put(this.#newObject('WorkloadEntry'));
    }
  }

  /** One change, and what it was made to. The source says it when it is told to. */
  next(): { readonly change: string; readonly name: string } {
    const kind: SourceKind = this.#random.chance(0.75) ? 'ServiceEntry' : 'WorkloadEntry';
    const count = this.#source.count(kind);
    let change = this.#random.weighted(this.#weights);
    if (count < this.#fewest) change = 'add';
    else if (count > this.#most && (change === 'add' || change === 'readd')) change = 'remove';
    const object = this.#source.pick(kind);
    this.#make(change, kind, object);
    return { change, name: object.name };
  }

  /** Everything is good and small again. */
  calm(): void {
    for (const { name } of this.#large) {
      const object = this.#source.objects('ServiceEntry').find((one) => one.name === name);
      if (object !== undefined) this.#source.put({ ...object, annotations: {} });
    }
    this.#large.clear();
    this.#source.heal(this.content);
  }

  #make(change: keyof typeof everyChange, kind: SourceKind, object: SourceObject): void {
    const source = this.#source;
    const random = this.#random;
    switch (change) {
      case 'add':
        source.put(this.#newObject(kind));
        return;
      case 'change':
        source.put({ ...object, content: this.content() });
        return;
      case 'relabel':
        source.put({ ...object, labels: { ...object.labels, app: `a-${++this.#serial}`, tier: 'x' } });
        return;
      case 'annotate':
        source.put({ ...object, annotations: { note: `n-${++this.#serial}` }, hasTime: !object.hasTime });
        return;
      case 'revision': {
        const { 'istio.io/rev': _, ...labels } = object.labels;
        source.put({ ...object, labels: random.chance(0.5) ? labels : { ...labels, 'istio.io/rev': 'canary' } });
        return;
      }
      case 'remove':
        source.remove(object);
        this.#removed.push(object);
        if (this.#removed.length > mostRemoved) this.#removed.shift();
        return;
      case 'readd': {
        // As it was, to the letter.
        const old = this.#removed.pop();
        if (old !== undefined) source.put(old);
        return;
      }
      case 'rename':
        source.remove(object);
        source.put({ ...object, name: this.#newObject(kind).name });
        return;
      case 'twice':
        source.putTwice({ ...object, content: this.content() }, { ...object, content: this.content() });
        return;
      case 'spoil':
        source.spoil(object, random.pick(namedFaults));
        return;
      case 'heal':
        source.heal(this.content);
        return;
      case 'stray':
        source.stray(kind, [sourceBytes(object, random.pick(namelessFaults))]);
        return;
      case 'resend':
        source.resend();
        return;
      case 'large':
        this.#enlarge();
    }
  }

  /** Makes one or two objects so large that old istiods can't have the type, or small again what is. */
  #enlarge(): void {
    if (this.#large.size > 0) {
      this.calm();
      return;
    }
    for (const object of this.#source.objects('ServiceEntry').slice(0, 1 + this.#random.below(2))) {
      this.#large.add(object);
      this.#source.put({ ...object, annotations: { note: 'x'.repeat(largeBytes) } });
    }
  }

  #newObject(kind: SourceKind): SourceObject {
    const id = ++this.#serial;
    const name = this.#random.pick([`shop/s-${id}`, `shop/s-${id}`, `/web/s-${id}`, `bare-${id}`]);
    const labels = this.#random.chance(0.5) ? { tier: 'x', app: `a-${id}` } : { app: `a-${id}` };
    return { kind, name, content: this.content(), labels, annotations: {}, hasTime: this.#random.chance(0.8) };
  }
}
