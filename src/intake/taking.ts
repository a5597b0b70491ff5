import type { Quarantined } from '../model/change.ts';
import { noRow } from '../model/resource.ts';
import { type Viewed, viewed } from '../wire/bytes.ts';
import type { Held, IntakeMessage } from './message.ts';
import { type Block, newBlock, Seals } from './seals.ts';
import { Upserts } from './upserts.ts';

/** Hash of a resource as it came. */
export type Raw = { h1: number; h2: number; h3: number };

/** What has come of a message so far, from one turn to the next. */
export class Taking {
  readonly message: IntakeMessage;
  readonly bytes: Buffer & Viewed;
  readonly held: Held;
  /** The number of the message. */
  readonly seen: number;
  /** Whether resources are compared with the bytes of the last message before anything else is looked at. */
  readonly comparesRaw: boolean;
  /** What was remembered of the blocks of the last message; undefined where blocks are not compared. */
  readonly lastSeals: Seals | undefined;
  /** What is remembered of this one. */
  readonly seals: Seals;
  readonly block: Block = newBlock();
  readonly upserts: Upserts;
  readonly quarantined = new Map<string, Quarantined>();
  /** Of a message that is not full, what it names and what is as it says already. */
  readonly confirmed = new Set<string>();
  readonly repeated: string[] = [];
  /** Rows that a full message names, in its order. */
  readonly order: Int32Array<ArrayBuffer>;
  readonly raw: Raw = { h1: 0, h2: 0, h3: 0 };
  /** Good resources, each once. */
  named = 0;
  /** Of them, and of the bad ones, those that were held before. */
  known = 0;
  /** Good ones that are as they were held. */
  same = 0;
  /** Good ones that took the place of another form. */
  overwritten = 0;
  /** Bad ones without a usable name. */
  unnamed = 0;
  /** Those of which nothing has to be said each time. */
  plain = 0;
  /** Where the next one probably stood in the last message. */
  guessed = 0;
  bareNames = 0;
  escapedNames = 0;
  createTimes = 0;
  duplicates = 0;

  constructor(message: IntakeMessage, held: Held, seen: number, comparesRaw: boolean, lastSeals: Seals | undefined) {
    this.message = message;
    this.bytes = viewed(message.bytes);
    this.held = held;
    this.seen = seen;
    // No source will send the bytes of an entry.
    this.comparesRaw = comparesRaw && message.full && message.entries === undefined;
    this.lastSeals = this.comparesRaw ? lastSeals : undefined;
    this.seals = new Seals(this.lastSeals === undefined ? 0 : message.spans.length / 2);
    this.upserts = new Upserts(held.resources.pool);
    this.order = new Int32Array(message.full ? message.spans.length / 2 : 0).fill(noRow);
  }
}
