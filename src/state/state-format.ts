import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { quarantineReasons } from '../model/change.ts';
import { messageOf } from '../model/errors.ts';
import { hashTurnBytes, jsonTurn } from '../model/sizes.ts';
import type { QuarantineEntry, SyncState } from '../store/holding.ts';
import { type Viewed, viewed } from '../wire/bytes.ts';
import { scanResources } from '../wire/resource-frame.ts';
import { type Spans, SpanList } from '../wire/spans.ts';

/**
 * The form of a last-known-good file (docs/adr/0005): a line of text with the format's version, and then records of a
 * type, a length (32 bits, little end first) and so many bytes:
 *
 *     h  JSON: whose it is, and when
 *     r  resources, each encoded as in a DiscoveryResponse, one after the other
 *     q  JSON: quarantined resources
 *     w  JSON: keys that are withheld
 *     e  JSON: how many there were of each
 *
 * The last one is followed by the SHA-256 of everything before. All but the ends may come any number of times.
 */
export const formatVersion = 1;

const magic = 'isthmus last-known-good ';
const firstLine = `${magic}${formatVersion}\n`;
const firstLinePattern = new RegExp(`^${magic}(\\d{1,9})\n`);

/** Bytes before the payload of a record. */
export const recordHead = 5;
const hashBytes = 32;

const types = { header: 0x68, resources: 0x72, quarantine: 0x71, withheld: 0x77, end: 0x65 } as const;

/** What is said of the whole. */
export type Header = {
  readonly source: string;
  /** {@link Kind.id}. */
  readonly kind: string;
  /** How the collection stood. */
  readonly sync: SyncState;
  /** The version of Isthmus that wrote it. */
  readonly isthmus: string;
  readonly savedAt: string;
  /** When the message came that changed it last. */
  readonly lastMessageAt: string | undefined;
};

export type SavedQuarantine = Omit<QuarantineEntry, 'lastGoodSent'>;

/** All that a file says, checked as far as it can be without a look into the resources. */
export type SavedState = {
  readonly header: Header;
  readonly bytes: Buffer & Viewed;
  /** Start and end of each encoded resource in `bytes`, in pairs. */
  readonly entries: Spans;
  /** The same of the `istio.mcp.v1alpha1.Resource` in each. */
  readonly resources: Spans;
  readonly quarantine: readonly SavedQuarantine[];
  readonly withheld: readonly string[];
};

/** Why a file is not read; the message says what is wrong with it. */
export class UnreadableStateError extends Error {
  override readonly name = 'UnreadableStateError';
  /** Set where it is a good file, as far as anybody can tell, of a format that is not known. */
  readonly format: number | undefined;

  constructor(message: string, format?: number) {
    super(message);
    this.format = format;
  }
}

type Counts = { readonly resources: number; readonly quarantined: number; readonly withheld: number };

/** Makes the pieces of a file, to be written in the order in which they were made. */
export class StateEncoder {
  readonly #hash = createHash('sha256');
  #resources = 0;
  #quarantined = 0;
  #withheld = 0;

  /** The beginning. */
  header(header: Header): Buffer {
    return this.#hashed(Buffer.concat([Buffer.from(firstLine), record(types.header, header)]));
  }

  /** @param block `count` encoded resources, with {@link recordHead} bytes of room in front of them. */
  resources(block: Buffer, count: number): Buffer {
    this.#resources += count;
    block[0] = types.resources;
    block.writeUInt32LE(block.length - recordHead, 1);
    return this.#hashed(block);
  }

  *quarantine(entries: Iterable<SavedQuarantine>): Generator<Buffer> {
    for (const part of parts(entries)) {
      this.#quarantined += part.length;
      const plain = part.map(({ key, named, reason, message, since }) => ({ key, named, reason, message, since }));
      yield this.#hashed(record(types.quarantine, plain));
    }
  }

  *withheld(keys: Iterable<string>): Generator<Buffer> {
    for (const part of parts(keys)) {
      this.#withheld += part.length;
      yield this.#hashed(record(types.withheld, part));
    }
  }

  end(): Buffer {
    const counts = { resources: this.#resources, quarantined: this.#quarantined, withheld: this.#withheld };
    const last = this.#hashed(record(types.end, counts));
    return Buffer.concat([last, this.#hash.digest()]);
  }

  #hashed(piece: Buffer): Buffer {
    this.#hash.update(piece);
    return piece;
  }
}

function* parts<T>(all: Iterable<T>): Generator<T[]> {
  let part: T[] = [];
  for (const one of all) {
    part.push(one);
    if (part.length < jsonTurn) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

function record(type: number, json: unknown): Buffer {
  const payload = Buffer.from(JSON.stringify(json));
  const head = Buffer.alloc(recordHead);
  head[0] = type;
  head.writeUInt32LE(payload.length, 1);
  return Buffer.concat([head, payload]);
}

/**
 * Reads a file. Gives other work its turn now and then.
 * @throws UnreadableStateError for whatever is not exactly what a {@link StateEncoder} has made.
 */
export async function readState(file: Buffer): Promise<SavedState> {
  const start = await checkWhole(file);
  const bytes = viewed(file);
  const end = bytes.length - hashBytes;
  const foundEntries = new SpanList();
  const foundResources = new SpanList();
  const quarantine: SavedQuarantine[] = [];
  const withheld: string[] = [];
  let header: Header | undefined;
  let counts: Counts | undefined;
  for (let at = start; at < end; ) {
    if (at + recordHead > end || counts !== undefined) throw damaged('records follow its end');
    const type = bytes[at] as number;
    const from = at + recordHead;
    const to = from + bytes.readUInt32LE(at + 1);
    if (to > end) throw damaged('a record runs past its end');
    try {
      const json = () => JSON.parse(bytes.toString('utf8', from, to)) as unknown;
      if (type === types.resources) scanResources(bytes, from, to, foundEntries, foundResources);
      else if (type === types.header && header === undefined) header = headerOf(json());
      else if (type === types.quarantine) quarantine.push(...listOf(json()).map(quarantineOf));
      else if (type === types.withheld) withheld.push(...listOf(json()).map(textOf));
      else if (type === types.end) counts = json() as Counts;
      else throw new Error(`a record of type ${type}`);
    } catch (error) {
      throw damaged(`a record can't be read: ${messageOf(error)}`);
    }
    at = to;
    await nextTurn();
  }
  if (header === undefined || counts === undefined) throw damaged('it has no end');
  const [entries, resources] = [foundEntries.all(), foundResources.all()];
  const { resources: count, quarantined, withheld: kept } = counts;
  if (count !== entries.length / 2 || quarantined !== quarantine.length || kept !== withheld.length) {
    throw damaged('it holds not as much as it says');
  }
  return { header, bytes, entries, resources, quarantine, withheld };
}

/** Who a file is of, of which nothing else is looked at but that it is whole. */
export async function readHeader(file: Buffer): Promise<{ header: Header; resources: number }> {
  const { header, entries } = await readState(file);
  return { header, resources: entries.length / 2 };
}

/** Returns where the records begin. */
async function checkWhole(file: Buffer): Promise<number> {
  if (file.length === 0) throw damaged('it is empty');
  const line = firstLinePattern.exec(file.toString('latin1', 0, magic.length + 10));
  if (line === null) throw damaged('it does not begin as a last-known-good file does');
  const [text, version] = line;
  if (Number(version) !== formatVersion) {
    const what = `it has format ${version}, and this Isthmus knows format ${formatVersion} only`;
    throw new UnreadableStateError(what, Number(version));
  }
  if (file.length < text.length + hashBytes) throw damaged('it is cut off');
  const hash = createHash('sha256');
  const end = file.length - hashBytes;
  for (let at = 0; at < end; at += hashTurnBytes) {
    hash.update(file.subarray(at, Math.min(at + hashTurnBytes, end)));
    await nextTurn();
  }
  if (!hash.digest().equals(file.subarray(end)))
    throw damaged('its checksum is not that of its content: it is cut off, or was changed');
  return text.length;
}

function damaged(what: string): UnreadableStateError {
  return new UnreadableStateError(what);
}

const syncStates: readonly string[] = ['stale', 'synced', 'silent', 'unsupported'];

function headerOf(json: unknown): Header {
  const { source, kind, sync, isthmus, savedAt, lastMessageAt } = json as Partial<Record<keyof Header, unknown>>;
  if (!syncStates.includes(textOf(sync))) throw new Error('no such state');
  return {
    source: textOf(source),
    kind: textOf(kind),
    sync: sync as SyncState,
    isthmus: textOf(isthmus),
    savedAt: dateOf(savedAt).toISOString(),
    lastMessageAt: lastMessageAt === undefined ? undefined : dateOf(lastMessageAt).toISOString(),
  };
}

function quarantineOf(json: unknown): SavedQuarantine {
  const { key, named, reason, message, since } = json as Partial<Record<keyof SavedQuarantine, unknown>>;
  const known = quarantineReasons.find((one) => one === reason);
  if (known === undefined || typeof named !== 'boolean') throw new Error('no quarantine');
  return { key: textOf(key), named, reason: known, message: textOf(message), since: dateOf(since) };
}

function listOf(json: unknown): readonly unknown[] {
  if (!Array.isArray(json)) throw new Error('no list');
  return json;
}

function textOf(json: unknown): string {
  if (typeof json !== 'string') throw new Error('no text');
  return json;
}

function dateOf(json: unknown): Date {
  const date = new Date(textOf(json));
  if (Number.isNaN(date.getTime())) throw new Error('no date');
  return date;
}
