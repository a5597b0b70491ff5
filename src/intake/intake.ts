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
  validTimestamp,
} from '../wire/resource-frame.ts';
import { MalformedError } from '../wire/scan.ts';
import { shapes } from '../wire/shapes.ts';
import { acceptedBodies } from './body-type.ts';
import { type NameRules, parseName } from './name.ts';

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
    const repairs = { bareNames: 0, createTimes: 0, duplicates: 0 };
    const { spans } = message;
    let known = 0;

    for (let i = 0; i < spans.length; i += 2) {
      if (i > 0 && i % (2 * turnSize) === 0) await nextTurn();
      const place = i / 2;
      const read = this.#read(message.bytes, spans[i] as number, spans[i + 1] as number, held.arena, place);
      if ('reason' in read) {
        const { key } = read;
        quarantined.set(key, read);
        upserts.delete(key);
        const old = held.resources.get(key);
        if (old !== undefined && old.seen !== seen) {
          old.seen = seen;
          known++;
        }
        continue;
      }
      const { resource } = read;
      if (read.bare) repairs.bareNames++;
      if (read.badTime) repairs.createTimes++;
      const { key } = resource;
      const old = held.resources.get(key);
      if ((old === undefined ? upserts.has(key) : old.seen === seen) || quarantined.delete(key)) repairs.duplicates++;
      if (old !== undefined && old.seen !== seen) {
        old.seen = seen;
        known++;
      }
      if (old !== undefined && sameContent(old, resource)) {
        upserts.delete(key);
        continue;
      }
      const earlier = upserts.get(key);
      if (earlier !== undefined && sameContent(earlier, resource)) continue;
      const sealed = sealResource(resource, held.arena);
      sealed.seen = seen;
      upserts.set(key, sealed);
    }

    return {
      upserts: [...upserts.values()],
      missing: message.full
        ? this.#unseen(held, known, seen)
        : this.#removed(
            message.removed,
            (key) => upserts.has(key) || quarantined.has(key) || held.resources.get(key)?.seen === seen,
          ),
      quarantined: [...quarantined.values()],
      full: message.full,
      received: spans.length / 2,
      repairs,
    };
  }

  #read(
    bytes: Buffer,
    start: number,
    end: number,
    arena: Arena,
    place: number,
  ): { resource: Resource; bare: boolean; badTime: boolean } | Quarantined {
    const parts = this.#parts;
    let key: string | undefined;
    const refuse = (reason: QuarantineReason, message: string): Quarantined => ({
      key: key ?? `#${place}`,
      named: key !== undefined,
      reason,
      message,
    });
    try {
      scanResource(bytes, start, end, parts);
      if (!parts.hasMetadata) {
        return refuse('no_metadata', 'it has no metadata, so nobody can tell which resource it is');
      }
      const name = parseName(
        bytes.subarray(Math.max(parts.nameStart, 0), Math.max(parts.nameEnd, 0)),
        this.#kind,
        this.#rules,
      );
      if ('reason' in name) return refuse(name.reason, name.message);
      key = name.key;
      if (!parts.hasBody || parts.typeStart < 0) {
        return refuse('no_body', `it has no body; istiod would drop it and delete the ${this.#kind.kind} that it had`);
      }
      const type = this.#knownBody(bytes, parts);
      if (type !== undefined) {
        return refuse('wrong_kind', `its body is a ${type}; ${this.#kind.body} is expected in this collection`);
      }
      const text = invalidText(bytes, parts);
      if (text !== undefined) return refuse('malformed', `${text} hold text that is no valid UTF-8`);
      const resource = encodeResource(bytes, parts, key, name.bytes, this.#bodyType, this.#shape, arena);
      const badTime = parts.createStart >= 0 && !validTimestamp(bytes, parts.createStart, parts.createEnd);
      return { resource, bare: name.bare, badTime };
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      key ??= this.#nameBeforeFault(bytes, parts);
      return refuse('malformed', `its bytes are no protobuf message: ${error.message}`);
    }
  }

  /** The name that was read before the fault, where there is one: then the good form of it can stay. */
  #nameBeforeFault(bytes: Buffer, parts: ResourceParts): string | undefined {
    if (parts.nameStart < 0) return undefined;
    const name = parseName(bytes.subarray(parts.nameStart, parts.nameEnd), this.#kind, this.#rules);
    return 'key' in name ? name.key : undefined;
  }

  /** Undefined where the body is one of this kind; otherwise what it is instead. */
  #knownBody(bytes: Buffer, parts: ResourceParts): string | undefined {
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
