import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change, Fault } from '../model/change.ts';
import type { Kind } from '../model/kinds.ts';
import { noRow } from '../model/resource.ts';
import { listTurn, readStep, readTurn, sealRows } from '../model/sizes.ts';
import type { RepairOptions } from '../wire/body-repairs.ts';
import type { Shape } from '../wire/canonical.ts';
import { isSame, type Viewed, viewed } from '../wire/bytes.ts';
import { hash128, hashed, type HashSeed, resetHash, secretBits } from '../wire/hash.ts';
import { adoptResource, encodeResource, isNamed, keyOf, overwriteResource } from '../wire/resource-frame.ts';
import {
  dropInvalidTime,
  hashResource,
  invalidText,
  newResourceParts,
  orderMaps,
  type ResourceParts,
  scanResource,
  seedOf,
} from '../wire/resource-parts.ts';
import { hashKey } from '../wire/resource-table.ts';
import { MalformedError } from '../wire/scan.ts';
import type { Spans } from '../wire/spans.ts';
import { touchRows } from '../wire/touch.ts';
import { shapes } from '../wire/shapes.ts';
import { acceptedBodies } from './body-type.ts';
import { endBlock, takeBlock } from './blocks.ts';
import { holdsEscape, isPlainName, type NameRules, parseName } from './name.ts';
import { Mending } from './mending.ts';
import type { Held, IntakeMessage } from './message.ts';
import type { Seals } from './seals.ts';
import { sortInTurns } from './sort.ts';
import { type Raw, Taking } from './taking.ts';

/** Resources of which the old forms are fetched from memory at once; they fit into the processor's nearest cache. */
const touched = 16;

/** Milliseconds that pass before other work gets its turn, at most. */
const turnMs = 10;

/** Keys of repeated resources that are handed on, for people. */
const maxRepeated = 20;

/** Bad resources without a usable name that are listed; two bytes can be one. The others are counted. */
const maxUnnamed = 1000;

/** Longest type name that is shown, and looked at. */
const maxTypeBytes = 200;

type ViewedBuffer = Buffer & Viewed;

/** How what a source says is read. */
export type IntakeRules = NameRules & {
  /** What is repaired in bodies. @default nothing */
  readonly repairs?: RepairOptions;
};

/** An entry of a DiscoveryResponse is not what its resource becomes here. */
export class StrangeEntryError extends Error {
  override readonly name = 'StrangeEntryError';
}

/** The resource that is being looked at; one object serves for all. */
type Reading = {
  /** In which its parts are. */
  bytes: ViewedBuffer;
  /** Undefined where it has no usable name, or that of `old`: most are never asked for. */
  key: string | undefined;
  /** The row that is held of this key. */
  old: number;
  /** True where its content is that of `old`. */
  isSame: boolean;
  /** The name to send, where it is not the one that came. */
  name: ViewedBuffer | undefined;
  isBare: boolean;
  isEscaped: boolean;
  timeIsInvalid: boolean;
};

const noBytes: ViewedBuffer = viewed(Buffer.alloc(0));

/**
 * Turns the messages of one origin and kind into {@link Change}s. One resource at a time: a bad one is named
 * with its reason and never takes a good one with it; an unchanged one costs no memory.
 */
export class Intake {
  readonly #kind: Kind;
  readonly #rules: NameRules;
  readonly #bodies: ReadonlySet<string>;
  readonly #bodyType: ViewedBuffer;
  readonly #seed: HashSeed;
  readonly #shape: Shape;
  readonly #overwrites: boolean;
  /** Undefined where nothing is repaired. */
  readonly #mending: Mending | undefined;
  /** Whether names are written anew, so that the one that comes says nothing where it looks like one of those. */
  readonly #escapes: boolean;
  readonly #parts: ResourceParts = newResourceParts();
  readonly #reading: Reading = {
    bytes: noBytes,
    key: undefined,
    old: noRow,
    isSame: false,
    name: undefined,
    isBare: false,
    isEscaped: false,
    timeIsInvalid: false,
  };
  #message = 0;
  /** Rows that the last message named, in its order, where it was a full one: many sources keep it. Only guesses. */
  #guesses = new Int32Array();
  /** True while most resources come with the very bytes of the last message: then nothing else is looked at. */
  #comparesRaw = true;
  /** Of the last message, where it was a full one, and so little had changed that most blocks of it may come again. */
  #seals: Seals | undefined;

  /**
   * @param overwrites whether another form may take the place of the one that is held while the message is read: not
   * where somebody has yet to look at it.
   */
  constructor(kind: Kind, rules: IntakeRules, overwrites = true) {
    this.#kind = kind;
    this.#overwrites = overwrites;
    this.#mending = Mending.of(kind, rules.repairs);
    this.#escapes = rules.slashes === 'escape';
    this.#rules = rules;
    this.#bodies = acceptedBodies(kind);
    this.#bodyType = viewed(Buffer.from(`type.googleapis.com/${kind.body}`));
    this.#seed = seedOf(this.#bodyType);
    this.#shape = shapes[kind.body] ?? {};
  }

  /**
   * Compares `message` with `held`, and overwrites there what it may. Gives other work its turn now and then; nothing
   * else may put resources into `held.resources`, or take some away, until the promise is settled. Sorts the maps in
   * `message.bytes` in place. Never throws for anything that a source sends.
   *
   * @throws StrangeEntryError for an entry that is not what its resource becomes; then nothing is kept.
   */
  async take(message: IntakeMessage, held: Held): Promise<Change> {
    const taking = new Taking(message, held, ++this.#message, this.#comparesRaw, this.#seals);
    const { length } = message.spans;
    this.#mending?.begin();
    try {
      // Who found the borders of so many resources has had a turn.
      if (length >= readTurn) await nextTurn();
      for (let at = this.#takeSome(taking, 0); at < length; at = this.#takeSome(taking, at)) await nextTurn();
      return await this.#changeOf(taking);
    } catch (error) {
      // No memory, a mistake of ours, or a strange entry. The stream ends, and what the source says next is compared with
      // what is held.
      taking.upserts.release(held.arena);
      throw error;
    }
  }

  /**
   * Takes one turn's worth of resources, from the one whose span begins at `from` in the list of them. Returns where the
   * next turn begins; at the end of the list, there is none. In a function of its own: what runs once in a message next to
   * what runs a hundred thousand times had V8 give up its fast code for both, in each message.
   */
  #takeSome(taking: Taking, from: number): number {
    const { message, bytes, held, seen, comparesRaw, lastSeals, upserts, quarantined, order, raw } = taking;
    const { spans, entries, full } = message;
    const { pool } = held.resources;
    const mending = this.#mending;
    const reading = this.#reading;
    const guesses = this.#guesses;
    const turnEnd = performance.now() + turnMs;

    for (let i = from; i < spans.length; i += 2) {
      const isStep = i > from && i % (2 * readStep) === 0;
      if (isStep && (i - from >= 2 * readTurn || performance.now() > turnEnd)) return i;
      const start = spans[i] as number;
      const end = spans[i + 1] as number;
      if (lastSeals !== undefined && i % (2 * sealRows) === 0 && takeBlock(taking, guesses, i)) {
        i += 2 * sealRows - 2;
        continue;
      }
      if (!comparesRaw && i % (2 * touched) === 0) touchRows(pool, guesses, taking.guessed, taking.guessed + touched);
      let guess = guesses[taking.guessed] ?? noRow;
      if (!held.resources.holds(guess)) guess = noRow;
      if (comparesRaw) hashRaw(bytes, start, end, raw);
      const isRaw = comparesRaw && guess !== noRow && pool.hasRaw(guess, raw);
      const fault = isRaw ? this.#recognise(guess) : this.#read(bytes, start, end, held, guess);
      if (mending !== undefined && fault === undefined) mending.count(comparesRaw ? raw : undefined, isRaw);
      const { old } = reading;
      if (old !== noRow) taking.guessed = pool.rank(old) + 1;
      if (reading.isBare) taking.bareNames++;
      if (reading.isEscaped) taking.escapedNames++;
      if (reading.timeIsInvalid) taking.createTimes++;
      const isOwnName = !reading.isBare && !reading.isEscaped;
      const isPlain = comparesRaw && !isRaw && isOwnName && !reading.timeIsInvalid;
      if (isRaw || isPlain) taking.plain++;
      // What nearly every resource of nearly every message is: as it was before, and named for the first time.
      if (old !== noRow && reading.isSame && pool.seen(old) !== seen && quarantined.size === 0) {
        pool.setSeen(old, seen);
        pool.setRank(old, taking.named);
        if (full) order[taking.named] = old;
        else taking.confirmed.add(keyOf(pool, old));
        if (isPlain) pool.setRaw(old, raw);
        taking.named++;
        taking.known++;
        taking.same++;
        continue;
      }
      const { key } = reading;
      const isAgain = old === noRow ? key !== undefined && upserts.hasFresh(key) : pool.seen(old) === seen;
      if (old !== noRow && !isAgain) {
        pool.setSeen(old, seen);
        taking.known++;
      }
      if ((quarantined.size > 0 && quarantined.delete(this.#keyAt(i, held))) || isAgain) {
        taking.duplicates++;
        if (taking.repeated.length < maxRepeated) taking.repeated.push(this.#keyAt(i, held));
      }
      if (fault !== undefined) {
        const name = this.#keyAt(i, held);
        const hasName = key !== undefined || old !== noRow;
        if (hasName || ++taking.unnamed <= maxUnnamed) quarantined.set(name, { key: name, named: hasName, ...fault });
        continue;
      }
      if (isAgain) {
        const dropped = upserts.drop(this.#keyAt(i, held), held.arena);
        if (dropped !== noRow && full) order[pool.rank(dropped)] = noRow;
      }
      if (reading.isSame || this.#overwrite(held)) {
        if (reading.isSame) taking.same++;
        else taking.overwritten++;
        if (isPlain) pool.setRaw(old, raw);
        if (!full) taking.confirmed.add(this.#keyAt(i, held));
        if (!isAgain) {
          pool.setRank(old, taking.named);
          if (full) order[taking.named] = old;
          taking.named++;
        }
        continue;
      }
      const row = entries === undefined ? this.#encode(held) : this.#adopt(entries, i, held);
      pool.setSeen(row, seen);
      pool.setRank(row, taking.named);
      if (isPlain) pool.setRaw(row, raw);
      if (full) order[taking.named] = row;
      taking.named++;
      upserts.add(row, old);
    }
    return spans.length;
  }

  /** What a message says, once all of it was taken. */
  async #changeOf(taking: Taking): Promise<Change> {
    const { message, held, seen, upserts, quarantined, confirmed, repeated, unnamed, escapedNames } = taking;
    const { pool } = held.resources;
    const received = message.spans.length / 2;
    endBlock(taking);
    this.#guesses = taking.order;
    if (message.full) this.#comparesRaw = 2 * taking.same >= received;
    // Of what is repaired, each resource is counted.
    const isWorthSeals = this.#mending === undefined && 2 * sealRows * (received - taking.same) <= received;
    this.#seals = message.full && isWorthSeals ? taking.seals : undefined;
    const reading = this.#reading;
    reading.name = this.#parts.gathered = undefined;
    reading.bytes = noBytes;
    const bodies = this.#mending?.finish(taking.comparesRaw);

    return {
      ...(await upserts.all()),
      overwritten: taking.overwritten,
      missing: message.full
        ? await this.#unseen(held, taking.known, seen)
        : this.#removed(message.removed, (key) => {
            if (upserts.hasFresh(key) || quarantined.has(key)) return true;
            const row = held.resources.get(key);
            return row !== noRow && pool.seen(row) === seen;
          }),
      confirmed: [...confirmed],
      quarantined: [...quarantined.values()],
      ...(unnamed > maxUnnamed ? { unlisted: unnamed - maxUnnamed } : {}),
      full: message.full,
      received,
      repairs: {
        bareNames: taking.bareNames,
        createTimes: taking.createTimes,
        duplicates: taking.duplicates,
        ...(escapedNames === 0 ? {} : { escapedNames }),
        ...(bodies === undefined ? {} : { bodies }),
      },
      ...(repeated.length === 0 ? {} : { repeated }),
    };
  }

  /** The key of what was read, or a stand-in that says where its span begins in the list of them. */
  #keyAt(span: number, held: Held): string {
    const { key, old } = this.#reading;
    return key ?? (old === noRow ? `#${span / 2}` : keyOf(held.resources.pool, old));
  }

  /** Takes what comes for what it was before. */
  #recognise(guess: number): undefined {
    const reading = this.#reading;
    reading.key = reading.name = undefined;
    reading.isBare = reading.isEscaped = reading.timeIsInvalid = false;
    reading.old = guess;
    reading.isSame = true;
  }

  /**
   * Reads one resource into `#parts`, `#reading` and {@link hashed}. Returns what is wrong with it, if anything is.
   *
   * @param guess the row that it probably is another form of, which is held; or none.
   */
  #read(message: ViewedBuffer, start: number, end: number, held: Held, guess: number): Fault | undefined {
    const parts = this.#parts;
    const reading = this.#reading;
    const { pool } = held.resources;
    reading.bytes = message;
    reading.key = reading.name = undefined;
    reading.old = noRow;
    reading.isSame = reading.isBare = reading.isEscaped = reading.timeIsInvalid = false;
    try {
      scanResource(message, start, end, parts);
    } catch (error) {
      // The name that was read before the fault, where there is one: then the good form of it can stay.
      if (parts.nameStart >= 0) this.#readName(message, held);
      reading.isBare = reading.isEscaped = false;
      return malformed(error);
    }
    if (this.#mending !== undefined) reading.bytes = this.#mending.mend(message, start, end, parts);
    const { bytes } = reading;
    if (!parts.hasMetadata) {
      return { reason: 'no_metadata', message: 'it has no metadata, so nobody can tell which resource it is' };
    }
    const fault = this.#readContent(bytes);
    const { nameStart, nameEnd } = parts;
    const isName = nameStart >= 0 && !(this.#escapes && holdsEscape(bytes, nameStart, nameEnd));
    if (fault === undefined && isName) {
      hashResource(bytes, parts, undefined, this.#seed);
      // The name says who it is: whoever can choose 16 bytes of one resource can give it the hash of another.
      if (guess !== noRow && isNamed(pool, guess, bytes, nameStart, nameEnd)) {
        reading.old = guess;
        reading.isSame = pool.hasContent(guess, hashed);
        return undefined;
      }
      const hash = hashKey(bytes.view, nameStart, nameEnd);
      reading.old = held.resources.findSame(hash, hashed);
      reading.isSame = reading.old !== noRow;
      if (reading.isSame) return undefined;
    }
    const misnamed = this.#readName(bytes, held);
    if (misnamed !== undefined) reading.timeIsInvalid = false;
    if (misnamed !== undefined || fault !== undefined) return misnamed ?? fault;
    if (reading.name !== undefined) {
      hashResource(bytes, parts, reading.name, this.#seed);
      reading.isSame = reading.old !== noRow && pool.hasContent(reading.old, hashed);
    }
    return undefined;
  }

  /** Puts what was read in the place of what is held, where that may be and has the same length. */
  #overwrite({ listed, resources: { pool } }: Held): boolean {
    const { bytes, old, name } = this.#reading;
    if (!this.#overwrites || listed === undefined || old === noRow || !pool.isListed(old)) return false;
    const isDone = overwriteResource(bytes, this.#parts, name, this.#bodyType, pool, old, listed.remove);
    if (isDone) listed.add(old);
    return isDone;
  }

  /** Puts what was read behind what is held, as a new row. */
  #encode({ arena, resources: { pool } }: Held): number {
    const { bytes, name } = this.#reading;
    return encodeResource(bytes, this.#parts, name, this.#bodyType, arena, pool);
  }

  /** The same of an entry. */
  #adopt(entries: Spans, at: number, { arena, resources: { pool } }: Held): number {
    const { bytes, name } = this.#reading;
    const parts = this.#parts;
    const isOwnName = name === undefined || isSame(bytes, parts.nameStart, parts.nameEnd, name);
    const [start, end] = [entries[at] as number, entries[at + 1] as number];
    const row = isOwnName ? adoptResource(bytes, start, end, parts, this.#bodyType, arena, pool) : noRow;
    if (row === noRow) throw new StrangeEntryError(`entry ${at / 2 + 1} is not what its resource becomes`);
    return row;
  }

  /** Checks everything but the name of what was scanned, and brings its maps into order. */
  #readContent(bytes: ViewedBuffer): Fault | undefined {
    const parts = this.#parts;
    if (!parts.hasBody || parts.typeStart < 0) {
      const message = `it has no body; istiod would drop it and delete the ${this.#kind.kind} that it had`;
      return { reason: 'no_body', message };
    }
    const type = this.#strangeBody(bytes, parts);
    if (type !== undefined) {
      const message = `its body is a ${type}; ${this.#kind.body} is expected in this collection`;
      return { reason: 'wrong_kind', message };
    }
    try {
      const text = invalidText(bytes, parts);
      if (text !== undefined) return { reason: 'malformed', message: `${text} hold text that is no valid UTF-8` };
      orderMaps(bytes, parts, this.#shape);
    } catch (error) {
      return malformed(error);
    }
    this.#reading.timeIsInvalid = dropInvalidTime(bytes, parts);
    return undefined;
  }

  /** Finds the key of the name that was scanned, and what is held of it. Returns why there is none. */
  #readName(bytes: ViewedBuffer, held: Held): Fault | undefined {
    const reading = this.#reading;
    const start = Math.max(this.#parts.nameStart, 0);
    const end = Math.max(this.#parts.nameEnd, 0);
    if (!this.#escapes || !holdsEscape(bytes, start, end)) {
      reading.old = held.resources.find(bytes, start, end, hashKey(bytes.view, start, end));
      if (reading.old !== noRow) return undefined;
      if (isPlainName(bytes, start, end)) {
        reading.key = bytes.toString('latin1', start, end);
        return undefined;
      }
    }
    const parsed = parseName(bytes.subarray(start, end), this.#kind, this.#rules);
    if ('reason' in parsed) return parsed;
    reading.key = parsed.key;
    reading.old = held.resources.get(parsed.key);
    reading.name = viewed(parsed.bytes);
    reading.isBare = parsed.bare;
    reading.isEscaped = parsed.escaped === true;
    return undefined;
  }

  /** Undefined where the body is one of this kind; otherwise what it is instead. */
  #strangeBody(bytes: ViewedBuffer, parts: ResourceParts): string | undefined {
    const { typeStart, typeEnd } = parts;
    if (isSame(bytes, typeStart, typeEnd, this.#bodyType)) return undefined;
    // Go readers look only behind the last slash of a type URL (gogo any.go AnyMessageName).
    const nameStart = bytes.subarray(typeStart, typeEnd).lastIndexOf('/') + 1 + typeStart;
    const name = bytes.toString('utf8', nameStart, Math.min(typeEnd, nameStart + maxTypeBytes));
    return this.#bodies.has(name) && typeEnd - nameStart <= maxTypeBytes ? undefined : name || 'message without a type';
  }

  async #unseen(held: Held, known: number, seen: number): Promise<readonly string[]> {
    if (known === held.resources.size) return [];
    const { pool } = held.resources;
    const rows = held.resources.rows();
    const missing: string[] = [];
    for (let i = 0; i < rows.length; i++) {
      if (i > 0 && i % listTurn === 0) await nextTurn();
      const row = rows[i] as number;
      if (pool.seen(row) !== seen) missing.push(keyOf(pool, row));
    }
    return sortInTurns(missing);
  }

  /** A name that the same message also brings is not gone: to keep it is the mistake that loses nothing. */
  #removed(names: readonly string[], isBrought: (key: string) => boolean): string[] {
    const gone = new Set<string>();
    for (const text of names) {
      const name = parseName(Buffer.from(text), this.#kind, this.#rules);
      if ('key' in name && !isBrought(name.key)) gone.add(name.key);
    }
    return [...gone];
  }
}

/** Others in each process, so that nobody outside can give one resource the hash of another. */
const rawSeed: HashSeed = { h1: secretBits(), h2: secretBits(), h3: secretBits(), h4: secretBits() };

/** Hashes a resource as it came. */
function hashRaw({ view }: ViewedBuffer, start: number, end: number, raw: Raw): void {
  resetHash(rawSeed);
  hash128(view, start, end);
  raw.h1 = hashed.h1;
  raw.h2 = hashed.h2;
  raw.h3 = hashed.h3;
}

function malformed(error: unknown): Fault {
  if (!(error instanceof MalformedError)) throw error;
  return { reason: 'malformed', message: `its bytes are no protobuf message: ${error.message}` };
}
