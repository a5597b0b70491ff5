import { knownCollections } from '../../../src/model/kinds.ts';
import { encodeMessage, LegacySource, type SourceStream } from '../legacy-source.ts';
import { History } from './history.ts';
import type { Random } from './random.ts';
import { type Fault, keyOf, type SourceKind, type SourceObject, sourceBytes, sourceForm } from './source-object.ts';

const collections = {
  ServiceEntry: 'istio/networking/v1alpha3/serviceentries',
  WorkloadEntry: 'istio/networking/v1alpha3/workloadentries',
} as const satisfies Record<SourceKind, string>;

type Entry = {
  object: SourceObject;
  fault: Fault | undefined;
  bytes: Buffer;
  /** Said just before it, once. */
  twin: Buffer;
  /** Its place in the list of names. */
  at: number;
};

/** One collection of the source, and how far the present stream is. */
type Shelf = {
  readonly collection: string;
  readonly entries: Map<string, Entry>;
  /** Names of the entries, in no order: to pick from. */
  readonly names: string[];
  /** Resources whose name nobody can read. */
  strays: Buffer[];
  /** Names that changed since the last message. */
  readonly dirty: Set<string>;
  /** True where something other than `dirty` has to be said. */
  isStale: boolean;
  /** The nonce that was not answered yet. */
  pending: string | undefined;
  /** Whether the whole state was sent on this stream. */
  isAsked: boolean;
  isTold: boolean;
  /** True from a restart of the bridge until it has answered a whole state: it has no good form of anything then. */
  isForgotten: boolean;
};

/**
 * A legacy server whose content changes, over a real socket. Sends as Istio's does: one message of a collection at a
 * time, whole states or changes; what happens meanwhile is one later message. All that it ever had is its history.
 */
export class ChangingSource {
  /** Of `Kind namespace/name`. */
  readonly history = new History();
  /** Messages that were sent. */
  messages = 0;
  /** Streams that were opened. */
  streams = 0;
  readonly #random: Random;
  /** Of messages that could hold changes only, how many do. */
  readonly #incremental: number;
  readonly #shelves: Readonly<Record<SourceKind, Shelf>>;
  readonly port: number;
  #server: LegacySource;
  #stream: SourceStream | undefined;
  #nonce = 0;
  #held = false;

  private constructor(random: Random, incremental: number, server: LegacySource) {
    this.#random = random;
    this.#incremental = incremental;
    this.#server = server;
    this.port = server.port;
    this.#shelves = { ServiceEntry: newShelf('ServiceEntry'), WorkloadEntry: newShelf('WorkloadEntry') };
    this.#attend();
  }

  /** Listens on a port of 127.0.0.1. @param incremental how many of the messages hold changes only, 0 to 1 */
  static async listen(random: Random, incremental: number, port = 0): Promise<ChangingSource> {
    return new ChangingSource(random, incremental, await LegacySource.listen(port));
  }

  objects(kind: SourceKind): SourceObject[] {
    return Array.from(this.#shelves[kind].entries.values(), ({ object }) => object);
  }

  count(kind: SourceKind): number {
    return this.#shelves[kind].entries.size;
  }

  /** Any object of a kind. @throws where there is none */
  pick(kind: SourceKind): SourceObject {
    const { entries, names } = this.#shelves[kind];
    const entry = entries.get(this.#random.pick(names));
    if (entry === undefined) throw new Error('a name without an object');
    return entry.object;
  }

  /** Adds an object, or replaces it; says it once {@link flush} is called. */
  put(object: SourceObject): void {
    const { entries, names, dirty } = this.#shelves[object.kind];
    const old = entries.get(object.name);
    const { twin, at } = old ?? { twin: Buffer.alloc(0), at: names.push(object.name) - 1 };
    entries.set(object.name, { object, fault: undefined, bytes: sourceBytes(object), twin, at });
    this.history.append(historyKey(object), sourceForm(object));
    dirty.add(object.name);
  }

  /** The next message says `first` and then `last`, of the same name. */
  putTwice(first: SourceObject, last: SourceObject): void {
    this.put(first);
    this.put(last);
    const entry = this.#shelves[last.kind].entries.get(last.name);
    if (entry !== undefined) entry.twin = sourceBytes(first);
  }

  /** From now on what it says of the object is of no use; the last good form is what counts. */
  spoil({ kind, name }: SourceObject, fault: Fault): void {
    const { entries, dirty, isForgotten } = this.#shelves[kind];
    const entry = entries.get(name);
    if (entry === undefined) return;
    entry.fault = fault;
    entry.bytes = sourceBytes(entry.object, fault);
    entry.twin = Buffer.alloc(0);
    dirty.add(name);
    if (isForgotten) this.history.append(historyKey(entry.object), undefined);
  }

  remove(object: SourceObject): void {
    const { entries, names, dirty } = this.#shelves[object.kind];
    const old = entries.get(object.name);
    if (old === undefined) return;
    entries.delete(object.name);
    // The last name takes its place.
    const last = names.pop();
    const moved = last === undefined ? undefined : entries.get(last);
    if (last !== undefined && moved !== undefined) {
      names[old.at] = last;
      moved.at = old.at;
    }
    this.history.append(historyKey(object), undefined);
    dirty.add(object.name);
  }

  /** Resources without a readable name, from now on in every whole state. */
  stray(kind: SourceKind, strays: readonly Buffer[]): void {
    const shelf = this.#shelves[kind];
    shelf.strays = [...strays];
    shelf.isStale = true;
  }

  /** Makes everything good again, with new content where it was bad. */
  heal(content: () => string): void {
    for (const kind of ['ServiceEntry', 'WorkloadEntry'] as const) {
      this.stray(kind, []);
      for (const object of this.#spoilt(kind)) this.put({ ...object, content: content() });
    }
  }

  /**
   * The bridge forgets its last good forms (it keeps no file of them): what is bad now, or becomes so before it has
   * answered, is nothing to it. Call while it is down.
   */
  forgetLastGood(): void {
    for (const kind of ['ServiceEntry', 'WorkloadEntry'] as const) {
      this.#shelves[kind].isForgotten = true;
      for (const object of this.#spoilt(kind)) this.history.append(historyKey(object), undefined);
    }
  }

  /** The next message of each kind is the whole state, even where nothing changed. */
  resend(): void {
    for (const shelf of Object.values(this.#shelves)) shelf.isStale = true;
    this.flush();
  }

  /** Sends what there is to say, unless something is not answered yet: then, after the answer. */
  flush(): void {
    if (this.#held) return;
    for (const shelf of Object.values(this.#shelves)) this.#say(shelf);
  }

  /** Says nothing for a while; changes gather. */
  hold(): void {
    this.#held = true;
  }

  release(): void {
    this.#held = false;
    this.flush();
  }

  /** True once the sink has answered all that there is to say. */
  get isHeard(): boolean {
    return Object.values(this.#shelves).every(
      ({ isTold, pending, dirty, isStale }) => isTold && pending === undefined && dirty.size === 0 && !isStale,
    );
  }

  end(code = 0): void {
    this.#stream?.end(code, 'a test says so');
  }

  reset(): void {
    this.#stream?.reset();
  }

  goAway(): void {
    this.#stream?.goAway();
  }

  dropConnections(): void {
    this.#server.dropConnections();
  }

  /** The stream breaks in the middle of a whole state. */
  breakInMessage(): void {
    const stream = this.#stream;
    if (stream === undefined || stream.closed) return;
    const shelf = this.#shelves.ServiceEntry;
    const whole = wholeState(shelf, 'half');
    stream.sendPart(whole, 5 + Math.floor(whole.length / 2));
    setImmediate(() => stream.reset());
  }

  /** Ends as a killed process does. */
  async kill(): Promise<void> {
    await this.#server.kill();
  }

  /** Listens again, on the same port and with the same content. */
  async restart(): Promise<void> {
    await this.kill();
    await this.listenAgain();
  }

  /** The second half of a restart. */
  async listenAgain(): Promise<void> {
    this.#server = await LegacySource.listen(this.port);
    this.#attend();
  }

  #spoilt(kind: SourceKind): SourceObject[] {
    const entries = [...this.#shelves[kind].entries.values()];
    return entries.filter(({ fault }) => fault !== undefined).map(({ object }) => object);
  }

  #attend(): void {
    this.#server.onStream = (stream) => {
      stream.open();
      this.#stream = stream;
      this.streams++;
      for (const shelf of Object.values(this.#shelves)) {
        shelf.pending = undefined;
        shelf.isAsked = shelf.isTold = false;
      }
      stream.onRequest = ({ collection, responseNonce }) => {
        // A long run must not remember each of them.
        stream.requests.length = 0;
        if (stream !== this.#stream) return;
        const shelf = Object.values(this.#shelves).find((one) => one.collection === collection);
        if (shelf === undefined) {
          if (responseNonce === '' && knownCollections.includes(collection)) stream.send({ collection });
          return;
        }
        if (responseNonce === '') shelf.isAsked = true;
        else if (responseNonce === shelf.pending) {
          shelf.pending = undefined;
          shelf.isForgotten = false;
        }
        if (!this.#held) this.#say(shelf);
      };
    };
  }

  #say(shelf: Shelf): void {
    const stream = this.#stream;
    if (stream === undefined || stream.closed || !shelf.isAsked || shelf.pending !== undefined) return;
    const { dirty, isStale, isTold } = shelf;
    if (isTold && dirty.size === 0 && !isStale) return;
    const nonce = `s${++this.#nonce}`;
    const isChange = isTold && !isStale && this.#random.chance(this.#incremental);
    // Istio's sources 1.6 to 1.8 flag the first message of a collection as a change (source.go, 1.8.6).
    const isFlagged = !isTold && this.#random.chance(this.#incremental);
    stream.sendBytes(isChange ? changes(shelf, nonce) : wholeState(shelf, nonce, isFlagged));
    this.messages++;
    for (const name of dirty) {
      const entry = shelf.entries.get(name);
      if (entry !== undefined) entry.twin = Buffer.alloc(0);
    }
    dirty.clear();
    shelf.isStale = false;
    shelf.isTold = true;
    shelf.pending = nonce;
  }
}

/** `Kind namespace/name`. */
export function historyKey(object: SourceObject): string {
  return `${object.kind} ${keyOf(object)}`;
}

function newShelf(kind: SourceKind): Shelf {
  return {
    collection: collections[kind],
    entries: new Map(),
    names: [],
    strays: [],
    dirty: new Set(),
    isStale: false,
    pending: undefined,
    isAsked: false,
    isTold: false,
    isForgotten: false,
  };
}

function wholeState({ collection, entries, strays }: Shelf, nonce: string, incremental = false): Buffer {
  const parts: Buffer[] = [];
  for (const { twin, bytes } of entries.values()) {
    if (twin.length > 0) parts.push(twin);
    parts.push(bytes);
  }
  return Buffer.concat([
    encodeMessage({ collection, nonce, systemVersionInfo: nonce, incremental }),
    ...parts,
    ...strays,
  ]);
}

function changes({ collection, entries, dirty }: Shelf, nonce: string): Buffer {
  const removedResources = [...dirty].filter((name) => !entries.has(name));
  const parts = Array.from(dirty, (name) => entries.get(name)).flatMap((entry) =>
    entry === undefined ? [] : [entry.twin, entry.bytes],
  );
  const head = { collection, nonce, systemVersionInfo: nonce, incremental: true, removedResources };
  return Buffer.concat([encodeMessage(head), ...parts]);
}
