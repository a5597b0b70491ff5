/** Memory of many resources. */
export type Chunk = Buffer & {
  /** The same bytes, for reading and writing four at a time. */
  readonly view: DataView;
  /** Bytes of it that are in use. */
  liveBytes: number;
};

/**
 * One resource, encoded once, for whoever looks at a few of them: `chunk[start, end)` is a complete `resources` entry of
 * a DiscoveryResponse (tag and length included), ready to be copied into every stream's frame.
 *
 * It is a picture of one moment. Another form of the same length takes its place in these bytes, and its owner may move
 * it when it orders its memory: only one synchronous piece of code may look at it.
 */
export type Resource = {
  /** `namespace/name`. */
  readonly key: string;
  /** 16 characters: a hash of key, labels, annotations and body in canonical order. */
  readonly version: string;
  readonly chunk: Chunk;
  readonly start: number;
  readonly end: number;
};

/**
 * What Istio's rules say of a resource: nobody has asked yet · nothing, or they could not be asked · it breaks one, and is
 * sent all the same, since there is no better form of it.
 */
export const verdicts = { unjudged: 0, accepted: 1, refused: 2 } as const;

export type Verdict = (typeof verdicts)[keyof typeof verdicts];

/** In the place of a row where there is none. */
export const noRow = -1;

/** 96 bits as signed numbers. */
export type Hash = { readonly h1: number; readonly h2: number; readonly h3: number };

/** Where the parts of an encoded resource are, in bytes: as much of it as is asked for again and again. */
export type Layout = {
  /** Bytes before its content, which begins behind the version. */
  readonly head: number;
  /** Lengths of its metadata, and of the create_time in there. */
  readonly metadata: number;
  readonly time: number;
};

/** Numbers of one row: a line of the processor's cache. */
const rowShift = 4;

const V1 = 0;
const V2 = 1;
const V3 = 2;
const START = 3;
const END = 4;
const SEEN = 5;
const RANK = 6;
const AT = 7;
const SLOT = 8;
/** 1 where it is in the merged list, its {@link Verdict} × 2, and the owner of its slot × 8. */
const FLAGS = 9;
const LISTED = 1;
const VERDICT = 6;
const OWNER = ~7;
const RAW1 = 10;
const RAW2 = 11;
const RAW3 = 12;
const HEAD = 13;
const METADATA = 14;
const TIME = 15;

/**
 * The encoded resources of one kind, of all origins, as a table of numbers: a resource is a *row* ≥ 0. A hundred
 * thousand objects instead would be walked through by the garbage collector at every push of such a size.
 *
 * A row belongs to whoever added it until it is retired; its number may then mean another resource.
 */
export class ResourcePool {
  #words = new Int32Array(16 << rowShift);
  /** Where the bytes of each row are; undefined in rows that are free. */
  readonly #chunks: (Chunk | undefined)[] = [];
  readonly #free: number[] = [];
  #owners = 0;
  /** Rows that nobody holds, and that somebody may still read. */
  #retired: number[] = [];

  /** Rows that are in use, those that wait to be free among them. */
  get size(): number {
    return this.#chunks.length - this.#free.length;
  }

  /** A new row for what was encoded at `chunk[start, end)` and has this content. */
  add(chunk: Chunk, start: number, end: number, content: Hash, layout: Layout): number {
    const row = this.#free.pop() ?? this.#newRow();
    this.#chunks[row] = chunk;
    const words = this.#words;
    const first = row << rowShift;
    words[first + V1] = content.h1;
    words[first + V2] = content.h2;
    words[first + V3] = content.h3;
    words[first + START] = start;
    words[first + END] = end;
    words[first + SEEN] = words[first + RANK] = words[first + FLAGS] = words[first + RAW1] = 0;
    words[first + AT] = words[first + SLOT] = noRow;
    this.setLayout(row, layout);
    return row;
  }

  #newRow(): number {
    const row = this.#chunks.push(undefined) - 1;
    if (row << rowShift === this.#words.length) {
      const words = new Int32Array(2 * this.#words.length);
      words.set(this.#words);
      this.#words = words;
    }
    return row;
  }

  /**
   * Says that its owner does not hold the row any more. It can be read until it has left the merged list, and
   * {@link sweep} is called.
   */
  retire(row: number): void {
    if (!this.isListed(row)) this.#release(row);
    else this.#retired.push(row);
  }

  /** Makes retired rows free, but for those that are still in the merged list. */
  sweep(): void {
    const retired = this.#retired;
    if (retired.length === 0) return;
    this.#retired = [];
    for (const row of retired) this.retire(row);
  }

  #release(row: number): void {
    this.#chunks[row] = undefined;
    this.#words[(row << rowShift) + SLOT] = noRow;
    this.#free.push(row);
  }

  /** False for a row that is free. */
  isInUse(row: number): boolean {
    return this.#chunks[row] !== undefined;
  }

  chunk(row: number): Chunk {
    return this.#chunks[row] as Chunk;
  }

  start(row: number): number {
    return this.#words[(row << rowShift) + START] as number;
  }

  end(row: number): number {
    return this.#words[(row << rowShift) + END] as number;
  }

  /** Bytes that the resource takes in every response. */
  bytes(row: number): number {
    return this.end(row) - this.start(row);
  }

  /** Says that its bytes are somewhere else now. */
  move(row: number, chunk: Chunk, start: number, end: number): void {
    this.#chunks[row] = chunk;
    this.#words[(row << rowShift) + START] = start;
    this.#words[(row << rowShift) + END] = end;
  }

  /** Where its content begins in its chunk: behind the version. */
  contentStart(row: number): number {
    const first = row << rowShift;
    return (this.#words[first + START] as number) + (this.#words[first + HEAD] as number);
  }

  hasLayout(row: number, { head, metadata, time }: Layout): boolean {
    const words = this.#words;
    const first = row << rowShift;
    return words[first + HEAD] === head && words[first + METADATA] === metadata && words[first + TIME] === time;
  }

  setLayout(row: number, { head, metadata, time }: Layout): void {
    const words = this.#words;
    const first = row << rowShift;
    words[first + HEAD] = head;
    words[first + METADATA] = metadata;
    words[first + TIME] = time;
  }

  /** The version as three signed numbers. */
  v1(row: number): number {
    return this.#words[(row << rowShift) + V1] as number;
  }

  v2(row: number): number {
    return this.#words[(row << rowShift) + V2] as number;
  }

  v3(row: number): number {
    return this.#words[(row << rowShift) + V3] as number;
  }

  hasContent(row: number, { h1, h2, h3 }: Hash): boolean {
    const words = this.#words;
    const first = row << rowShift;
    return words[first + V1] === h1 && words[first + V2] === h2 && words[first + V3] === h3;
  }

  setContent(row: number, { h1, h2, h3 }: Hash): void {
    const words = this.#words;
    const first = row << rowShift;
    words[first + V1] = h1;
    words[first + V2] = h2;
    words[first + V3] = h3;
    words[first + RAW1] = 0;
    this.setVerdict(row, verdicts.unjudged);
  }

  /** True where this is the hash of the bytes that the source sent, as {@link setRaw} was told. */
  hasRaw(row: number, { h1, h2, h3 }: Hash): boolean {
    const words = this.#words;
    const first = row << rowShift;
    return words[first + RAW1] === (h1 | 1) && words[first + RAW2] === h2 && words[first + RAW3] === h3;
  }

  /** Remembers the hash of the bytes from which the present content was made. */
  setRaw(row: number, { h1, h2, h3 }: Hash): void {
    const words = this.#words;
    const first = row << rowShift;
    // 0 says that there is none.
    words[first + RAW1] = h1 | 1;
    words[first + RAW2] = h2;
    words[first + RAW3] = h3;
  }

  /** The hash that {@link setRaw} was told, as three numbers. */
  raw1(row: number): number {
    return this.#words[(row << rowShift) + RAW1] as number;
  }

  raw2(row: number): number {
    return this.#words[(row << rowShift) + RAW2] as number;
  }

  raw3(row: number): number {
    return this.#words[(row << rowShift) + RAW3] as number;
  }

  /** For the intake: number of the last message of its source that named it. */
  seen(row: number): number {
    return this.#words[(row << rowShift) + SEEN] as number;
  }

  setSeen(row: number, message: number): void {
    this.#words[(row << rowShift) + SEEN] = message;
  }

  /** For the intake: its place among those that this message named. */
  rank(row: number): number {
    return this.#words[(row << rowShift) + RANK] as number;
  }

  setRank(row: number, rank: number): void {
    this.#words[(row << rowShift) + RANK] = rank;
  }

  /** Where it, or the form that it replaces, stands in the merged list; a hint: -1 or out of date where it does not. */
  at(row: number): number {
    return this.#words[(row << rowShift) + AT] as number;
  }

  setAt(row: number, at: number): void {
    this.#words[(row << rowShift) + AT] = at;
  }

  /** The number of one more table that holds rows of this pool. */
  newOwner(): number {
    return ++this.#owners;
  }

  /** Its place in the table that holds it; -1 where none does. */
  slot(row: number): number {
    return this.#words[(row << rowShift) + SLOT] as number;
  }

  /** Says that no table holds it. */
  clearSlot(row: number): void {
    this.#words[(row << rowShift) + SLOT] = noRow;
  }

  setSlot(row: number, slot: number, owner: number): void {
    this.#words[(row << rowShift) + SLOT] = slot;
    this.#setFlags(row, OWNER, owner << 3);
  }

  /** True where the table with this number holds it. */
  isOwned(row: number, owner: number): boolean {
    return this.slot(row) >= 0 && this.#flags(row, OWNER) === owner << 3;
  }

  /** True while it is in the merged list. */
  isListed(row: number): boolean {
    return this.#flags(row, LISTED) !== 0;
  }

  setListed(row: number, isListed: boolean): void {
    this.#setFlags(row, LISTED, isListed ? LISTED : 0);
  }

  /** Of its present content. */
  verdict(row: number): Verdict {
    return (this.#flags(row, VERDICT) >> 1) as Verdict;
  }

  setVerdict(row: number, verdict: Verdict): void {
    this.#setFlags(row, VERDICT, verdict << 1);
  }

  #flags(row: number, mask: number): number {
    return (this.#words[(row << rowShift) + FLAGS] as number) & mask;
  }

  #setFlags(row: number, mask: number, flags: number): void {
    const at = (row << rowShift) + FLAGS;
    this.#words[at] = ((this.#words[at] as number) & ~mask) | flags;
  }
}
