import type { Collection } from '../model/kinds.ts';
import { decodeRequestResources, readResources } from '../wire/legacy-messages.ts';
import { MalformedError } from '../wire/scan.ts';
import type { Capture, CapturedStream } from './capture.ts';

/** Stands for the collection of a message that can't be read. */
export const unreadable = '';

/** gRPC status INVALID_ARGUMENT. */
const invalidArgument = 3;

/** A message of the source, and what had happened before it. */
export type Said = {
  readonly collection: Collection;
  readonly bytes: Buffer;
  readonly nonce: string;
  /** Requests for its collection that the sink had sent by then on its stream; of an unreadable one, all requests. */
  readonly after: number;
  /** Milliseconds since the first request of its stream. */
  readonly atMs: number;
  /** The whole state of its collection. */
  readonly full: boolean;
};

/** How the source ended a stream. */
export type Ending = { readonly code: number; readonly details: string };

/** What a source said on one stream. */
export type Play = {
  /** In the order in which it was said. */
  readonly messages: readonly Said[];
  /** Undefined where it was not the source that ended the stream. */
  readonly end: (Ending & { readonly atMs: number }) | undefined;
};

/** What a source said, to be said again. */
export type Script = {
  /** Stream by stream; without those that ended over a collection that the source does not know. */
  readonly plays: readonly Play[];
  /** What it said last: of each collection the last whole state, and what changed since. */
  readonly last: Play;
  /** What it does not know, and what it says then. */
  readonly refused: ReadonlyMap<Collection, Ending>;
};

/** Reads a capture as the words of its source. */
export function scriptOf({ streams, refused: named }: Capture): Script {
  const refused = new Map<Collection, Ending>();
  let lastRefusal: Ending | undefined;
  for (const { end } of streams) {
    if (end?.refusal !== true) continue;
    lastRefusal = { code: end.code, details: end.details };
    const [, collection] = /unsupported collection:? *["']?([^\s"',;]+)/i.exec(end.details) ?? [];
    if (collection !== undefined) refused.set(collection, lastRefusal);
  }
  for (const collection of named) {
    if (refused.has(collection)) continue;
    const details = `unsupported collection ${JSON.stringify(collection)}`;
    refused.set(collection, lastRefusal ?? { code: invalidArgument, details });
  }
  const all = streams.map((stream) => ({ play: playOf(stream), isRefusal: stream.end?.refusal === true }));
  const plays = all.flatMap(({ play, isRefusal }) => (isRefusal || isEmpty(play) ? [] : [play]));
  return { plays, last: lastOf(all.map(({ play }) => play)), refused };
}

/** The messages of each collection that make up what the source had of it at the end, in the order of time. */
export function lastMessages(plays: readonly Play[]): Map<Collection, readonly Said[]> {
  const found = new Map<Collection, readonly Said[]>();
  for (const { messages } of plays) {
    for (const [collection, said] of byCollection(messages)) {
      if (collection !== unreadable) found.set(collection, said.slice(said.findLastIndex(({ full }) => full)));
    }
  }
  return found;
}

/** Reads each stream of a capture. */
export function playsOf({ streams }: Capture): Play[] {
  return streams.map(playOf);
}

function isEmpty({ messages, end }: Play): boolean {
  return messages.length === 0 && end === undefined;
}

function lastOf(plays: readonly Play[]): Play {
  const messages = [...lastMessages(plays).values()].flatMap((said) => {
    const [first] = said;
    if (first === undefined) return [];
    // As if the stream had begun with the first of them.
    const before = Math.max(first.after - 1, 0);
    return said.map((one) => ({ ...one, after: one.after - before, atMs: one.atMs - first.atMs }));
  });
  return { messages: messages.sort((a, b) => a.atMs - b.atMs), end: undefined };
}

function playOf({ messages, end }: CapturedStream): Play {
  const startMs = messages[0]?.at ?? 0;
  const requests = new Map<Collection, number>();
  let all = 0;
  const spoken = new Set<Collection>();
  const said: Said[] = [];
  for (const { type, at, bytes } of messages) {
    if (type === 'request') {
      all++;
      const collection = requestedBy(bytes);
      requests.set(collection, (requests.get(collection) ?? 0) + 1);
      continue;
    }
    const { collection, nonce, incremental } = resourcesOf(bytes);
    const after = collection === unreadable ? all : (requests.get(collection) ?? 0);
    // The first one of a stream holds everything, whatever its flag says (legacy/sink.ts).
    const full = !incremental || !spoken.has(collection);
    spoken.add(collection);
    said.push({ collection, bytes, nonce, after, atMs: Math.max(at - startMs, 0), full });
  }
  if (end?.by !== 'source') return { messages: said, end: undefined };
  return { messages: said, end: { code: end.code, details: end.details, atMs: Math.max(end.at - startMs, 0) } };
}

function requestedBy(bytes: Buffer): Collection {
  try {
    return decodeRequestResources(bytes).collection;
  } catch (error) {
    if (error instanceof MalformedError) return unreadable;
    throw error;
  }
}

function resourcesOf(bytes: Buffer): { collection: Collection; nonce: string; incremental: boolean } {
  try {
    return readResources(bytes);
  } catch (error) {
    if (error instanceof MalformedError) return { collection: unreadable, nonce: '', incremental: false };
    throw error;
  }
}

/** In the order of the first of each. */
export function byCollection(messages: readonly Said[]): Map<Collection, Said[]> {
  const found = new Map<Collection, Said[]>();
  for (const one of messages) {
    const list = found.get(one.collection);
    if (list === undefined) found.set(one.collection, [one]);
    else list.push(one);
  }
  return found;
}
