import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Change, Quarantined, QuarantineReason } from '../model/change.ts';
import type { Kind } from '../model/kinds.ts';
import { type Resource, sameContent } from '../model/resource.ts';
import type { Arena } from '../wire/arena.ts';
import type { Shape } from '../wire/canonical.ts';
import {
  encodeResource,
  invalidText,
  newResourceParts,
  type ResourceParts,
  scanResource,
  sealResource,
} from '../wire/resource-frame.ts';
import { MalformedError } from '../wire/scan.ts';
import { shapes } from '../wire/shapes.ts';
import { acceptedBodies } from './body-type.ts';
import { type NameRules, parseName, plainName } from './name.ts';

/** What is held of one origin and kind: what a message is compared with, and where new bytes go. */
export type Held = {
  readonly resources: ReadonlyMap<string, Resource>;
  readonly arena: Arena;
};

/** One message, as the source's protocol delivered it. */
export type IntakeMessage = {
  readonly bytes: Buffer;
  /** Start and end of each `istio.mcp.v1alpha1.Resource` in `bytes`, in pairs. */
  readonly spans: readonly number[];
  /** Names that the source says are gone; only meant where `full` is false. */
  readonly removed: readonly string[];
  readonly full: boolean;
};

/** Resources that are looked at before other work gets its turn: about 10 ms. */
const turnSize = 2000;

/**
 * Turns the messages of one origin and kind into {@link Change}s. One resource at a time: a bad one is named
 * with its reason and never takes a good one with it; an unchanged one costs one comparison and no memory.
 */
export class Intake {
  readonly #kind: Kind;
  readonly #rules: NameRules;
  readonly #bodies: ReadonlySet<string>;
  readonly #bodyType: Buffer;
  readonly #shape: Shape;
  readonly #parts: ResourceParts = newResourceParts();
  #message = 0;

  constructor(kind: Kind, rules: NameRules) {
    this.#kind = kind;
    this.#rules = rules;
    this.#bodies = acceptedBodies(kind);
    this.#bodyType = Buffer.from(`type.googleapis.com/${kind.body}`);
    this.#shape = shapes[kind.body] ?? {};
  }

  /**
   * Compares `message` with `held`. Gives other work its turn now and then; `held` must stay as it is until
   * the promise is settled. Never throws for anything that a source sends.
   */
  async take(message: IntakeMessage, held: Held): Promise<Change> {
    const seen = ++this.#message;
    const upserts = new Map<string, Resource>();
    const quarantined = new Map<string, Quarantined>();
    const confirmed = new Set<string>();
    const repairs = { bareNames: 0, createTimes: 0, duplicates: 0 };
    const { spans } = message;
    let known = 0;

    for (let i = 0; i < spans.length; i += 2) {
      if (i > 0 && i % (2 * turnSize) === 0) await nextTurn();
      const read = this.#read(message.bytes, spans[i] as number, spans[i + 1] as number, held.arena, i / 2, repairs);
      const { key } = read;
      const old = held.resources.get(key);
      const isAgain = old === undefined ? upserts.has(key) : old.seen === seen;
      if (old !== undefined && !isAgain) {
        old.seen = seen;
        known++;
      }
      if (quarantined.delete(key) || isAgain) {
        repairs.duplicates++;
        upserts.delete(key);
        confirmed.delete(key);
      }
      if ('reason' in read) {
        quarantined.set(key, read);
        continue;
      }
      if (old !== undefined && sameContent(old, read)) {
        if (!message.full) confirmed.add(key);
        continue;
      }
      read.seen = seen;
      upserts.set(key, sealResource(read, held.arena));
    }

    return {
      upserts: [...upserts.values()],
      missing: message.full
        ? this.#unseen(held, known, seen)
        : this.#removed(
            message.removed,
            (key) => upserts.has(key) || quarantined.has(key) || held.resources.get(key)?.seen === seen,
          ),
      confirmed: [...confirmed],
      quarantined: [...quarantined.values()],
      full: message.full,
      received: spans.length / 2,
      repairs,
    };
  }

  /** Reads one resource, up to its version: most of them are as they were before. */
  #read(
    bytes: Buffer,
    start: number,
    end: number,
    arena: Arena,
    place: number,
    repairs: { bareNames: number; createTimes: number },
  ): Resource | Quarantined {
    const parts = this.#parts;
    const stranger = `#${place}`;
    try {
      scanResource(bytes, start, end, parts);
    } catch (error) {
      return malformed(this.#nameBeforeFault(bytes, parts), stranger, error);
    }
    if (!parts.hasMetadata) {
      return refused(undefined, stranger, 'no_metadata', 'it has no metadata, so nobody can tell which resource it is');
    }
    const nameStart = Math.max(parts.nameStart, 0);
    const nameEnd = Math.max(parts.nameEnd, 0);
    let key = plainName(bytes, nameStart, nameEnd);
    let name: Buffer | undefined;
    if (key === undefined) {
      const parsed = parseName(bytes.subarray(nameStart, nameEnd), this.#kind, this.#rules);
      if ('reason' in parsed) return refused(undefined, stranger, parsed.reason, parsed.message);
      key = parsed.key;
      name = parsed.bytes;
      if (parsed.bare) repairs.bareNames++;
    }
    if (!parts.hasBody || parts.typeStart < 0) {
      const what = `it has no body; istiod would drop it and delete the ${this.#kind.kind} that it had`;
      return refused(key, stranger, 'no_body', what);
    }
    const type = this.#strangeBody(bytes, parts);
    if (type !== undefined) {
      return refused(
        key,
        stranger,
        'wrong_kind',
        `its body is a ${type}; ${this.#kind.body} is expected in this collection`,
      );
    }
    try {
      const text = invalidText(bytes, parts);
      if (text !== undefined) return refused(key, stranger, 'malformed', `${text} hold text that is no valid UTF-8`);
      const resource = encodeResource(bytes, parts, key, name, this.#bodyType, this.#shape, arena);
      if (parts.timeIsInvalid) repairs.createTimes++;
      return resource;
    } catch (error) {
      return malformed(key, stranger, error);
    }
  }

  /** The name that was read before the fault, where there is one: then the good form of it can stay. */
  #nameBeforeFault(bytes: Buffer, parts: ResourceParts): string | undefined {
    if (parts.nameStart < 0) return undefined;
    const name = parseName(bytes.subarray(parts.nameStart, parts.nameEnd), this.#kind, this.#rules);
    return 'key' in name ? name.key : undefined;
  }

  /** Undefined where the body is one of this kind; otherwise what it is instead. */
  #strangeBody(bytes: Buffer, parts: ResourceParts): string | undefined {
    const { typeStart, typeEnd } = parts;
    if (this.#bodyType.compare(bytes, typeStart, typeEnd) === 0) return undefined;
    // Go readers look only behind the last slash of a type URL (gogo any.go AnyMessageName).
    const name = bytes.toString('utf8', typeStart, typeEnd).replace(/^.*\//s, '');
    return this.#bodies.has(name) ? undefined : name.slice(0, 200) || 'message without a type';
  }

  #unseen(held: Held, known: number, seen: number): string[] {
    if (known === held.resources.size) return [];
    const missing: string[] = [];
    for (const resource of held.resources.values()) if (resource.seen !== seen) missing.push(resource.key);
    return missing;
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

function refused(key: string | undefined, stranger: string, reason: QuarantineReason, message: string): Quarantined {
  return { key: key ?? stranger, named: key !== undefined, reason, message };
}

function malformed(key: string | undefined, stranger: string, error: unknown): Quarantined {
  if (!(error instanceof MalformedError)) throw error;
  return refused(key, stranger, 'malformed', `its bytes are no protobuf message: ${error.message}`);
}
