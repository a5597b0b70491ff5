import { IsthmusError } from '../model/errors.ts';
import type { Collection } from '../model/kinds.ts';

/**
 * The form of a capture (docs/capture-format.md): lines of JSON, the first one the header. Each line stands for itself,
 * so that a file that was cut off is good up to its last whole line.
 */
const captureVersion = 1;

const formatName = 'isthmus-capture';

/** A file that begins like this is a capture, as far as anybody can tell. */
export const captureMagic = `{"format":"${formatName}"`;

/** Names and values of HTTP/2 headers; binary ones in base64. */
export type HeaderList = readonly (readonly [name: string, value: string])[];

/** What is said of the whole. */
export type CaptureHeader = {
  /** The version of Isthmus that wrote it. */
  readonly isthmus: string;
  /** RFC 3339; what the times of the records count from. */
  readonly startedAt: string;
  /** As the user wrote it: `mcp://HOST:PORT`. */
  readonly source: string;
  /** What was to be asked for. */
  readonly collections: readonly Collection[];
  readonly incremental: boolean;
  readonly redacted: boolean;
};

/** Milliseconds since the start, and the number of the stream, from 1. */
type Moment = { readonly at: number; readonly stream: number };

/** Something that happened on one stream. */
export type StreamRecord =
  | (Moment & { readonly type: 'open' })
  /** The headers of the source's answer. */
  | (Moment & { readonly type: 'headers'; readonly headers: HeaderList })
  /** A `RequestResources`, from the sink. */
  | (Moment & { readonly type: 'request'; readonly bytes: Buffer })
  /** A `Resources`, from the source. */
  | (Moment & { readonly type: 'resources'; readonly bytes: Buffer })
  | (Moment & {
      readonly type: 'end';
      readonly by: 'source' | 'capture';
      /** gRPC status; 0 to 16, as a rule. */
      readonly code: number;
      readonly details: string;
      readonly trailers: HeaderList;
      /** True where it was about a collection, so that the next stream asked otherwise. */
      readonly refusal: boolean;
    });

/** The last line of a capture that was ended in order. */
export type StopRecord = {
  readonly type: 'stop';
  readonly at: number;
  readonly why: 'interrupted' | 'duration' | 'size';
  /** Collections that the source does not know. */
  readonly refused: readonly Collection[];
};

export type CaptureRecord = StreamRecord | StopRecord;

/** What hostile files may cost. */
export const captureLimits = {
  /** Bytes of one line: a message of 256 MiB in base64, and then some. */
  line: 400 << 20,
  /** Bytes of a line that holds no message. */
  smallLine: 1 << 20,
  /** Bytes of the messages of a file that is read as a whole. */
  messages: 2 ** 30,
  /** Streams of a file that is read as a whole, and records of all of them. */
  streams: 100_000,
  records: 5_000_000,
  /** Entries of a list within a record. */
  list: 1000,
} as const;

/** Why a line is none; the message says what is wrong with it. */
export class BadLineError extends Error {
  override readonly name = 'BadLineError';
}

/** The first line, with its break. */
export function headerLine(header: CaptureHeader): string {
  const { isthmus, startedAt, source, collections, incremental, redacted } = header;
  const line = { format: formatName, version: captureVersion, isthmus, startedAt, source };
  return `${JSON.stringify({ ...line, collections, incremental, redacted })}\n`;
}

/** The line of a record, with its break. */
export function recordLine(record: CaptureRecord): string {
  return `${JSON.stringify(jsonOf(record))}\n`;
}

/** Fields in this order, so that people find what they look for. */
function jsonOf(record: CaptureRecord): object {
  const { type } = record;
  const at = Math.round(record.at * 1000) / 1000;
  if (record.type === 'stop') return { at, type, why: record.why, refused: record.refused };
  const moment = { at, stream: record.stream, type };
  switch (record.type) {
    case 'open':
      return moment;
    case 'headers':
      return { ...moment, headers: record.headers };
    case 'request':
    case 'resources':
      return { ...moment, bytes: record.bytes.toString('base64') };
    case 'end': {
      const { by, code, details, trailers, refusal } = record;
      return { ...moment, by, code, details, trailers, refusal };
    }
    default:
      return record satisfies never;
  }
}

/**
 * Reads the first line.
 * @param path for the error.
 * @throws BadLineError; IsthmusError CONFIG_INVALID for a version that is not known.
 */
export function readHeaderLine(line: string, path: string): CaptureHeader {
  const json = objectOf(line);
  if (json['format'] !== formatName) throw new BadLineError('it does not begin as a capture does');
  const version = json['version'];
  if (version !== captureVersion) {
    const what = `it is a capture of format ${JSON.stringify(version)}, and this Isthmus knows format ${captureVersion}`;
    throw new IsthmusError('CONFIG_INVALID', path, what, { hint: 'a newer Isthmus may read it' });
  }
  const startedAt = textOf(json, 'startedAt');
  if (Number.isNaN(Date.parse(startedAt))) throw new BadLineError('startedAt is no time');
  return {
    isthmus: textOf(json, 'isthmus'),
    startedAt,
    source: textOf(json, 'source'),
    collections: textsOf(json, 'collections'),
    incremental: flagOf(json, 'incremental'),
    redacted: flagOf(json, 'redacted'),
  };
}

/** Reads any other line; undefined for a type that this Isthmus does not know. @throws BadLineError */
export function readRecordLine(line: string): CaptureRecord | undefined {
  const { head, bytes } = split(line);
  const json = objectOf(head);
  const type = textOf(json, 'type');
  const at = numberOf(json, 'at');
  if (at < 0) throw new BadLineError('at is negative');
  if (type === 'stop') {
    const why = textOf(json, 'why');
    if (why !== 'interrupted' && why !== 'duration' && why !== 'size') throw new BadLineError('why is not known');
    return { type, at, why, refused: textsOf(json, 'refused') };
  }
  const stream = numberOf(json, 'stream');
  if (!Number.isSafeInteger(stream) || stream < 1) throw new BadLineError('stream is no number of a stream');
  const moment = { at, stream };
  switch (type) {
    case 'open':
      return { ...moment, type };
    case 'headers':
      return { ...moment, type, headers: headersOf(json, 'headers') };
    case 'request':
    case 'resources':
      return { ...moment, type, bytes: decode(bytes ?? '!') };
    case 'end': {
      const by = textOf(json, 'by');
      if (by !== 'source' && by !== 'capture') throw new BadLineError('by is not known');
      const code = numberOf(json, 'code');
      if (!Number.isSafeInteger(code) || code < 0) throw new BadLineError('code is no status');
      const refusal = flagOf(json, 'refusal');
      return {
        ...moment,
        type,
        by,
        code,
        details: textOf(json, 'details'),
        trailers: headersOf(json, 'trailers'),
        refusal,
      };
    }
    default:
      return undefined;
  }
}

type Json = Readonly<Record<string, unknown>>;

/** A message stands last, where {@link recordLine} has put it: it needs no parser, which deep nesting could exhaust. */
function split(line: string): { head: string; bytes: string | undefined } {
  const mark = '"bytes":"';
  const at = line.slice(0, 200).indexOf(mark);
  if (at < 0 || !line.endsWith('"}')) return { head: line, bytes: undefined };
  return { head: `${line.slice(0, at)}"bytes":""}`, bytes: line.slice(at + mark.length, -2) };
}

function objectOf(line: string): Json {
  if (line.length > captureLimits.smallLine)
    throw new BadLineError(`it is longer than ${captureLimits.smallLine} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(line);
  } catch {
    throw new BadLineError('it is no JSON');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new BadLineError('it is no JSON object');
  return json as Json;
}

function textOf(json: Json, name: string): string {
  const value = json[name];
  if (typeof value !== 'string') throw new BadLineError(`${name} is no text`);
  return value;
}

function numberOf(json: Json, name: string): number {
  const value = json[name];
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new BadLineError(`${name} is no number`);
  return value;
}

function flagOf(json: Json, name: string): boolean {
  const value = json[name];
  if (typeof value !== 'boolean') throw new BadLineError(`${name} is neither true nor false`);
  return value;
}

function listOf(json: Json, name: string): readonly unknown[] {
  const value = json[name];
  if (!Array.isArray(value)) throw new BadLineError(`${name} is no list`);
  if (value.length > captureLimits.list) throw new BadLineError(`${name} has more than ${captureLimits.list} entries`);
  return value;
}

function textsOf(json: Json, name: string): string[] {
  return listOf(json, name).map((value) => {
    if (typeof value !== 'string') throw new BadLineError(`${name} holds what is no text`);
    return value;
  });
}

function headersOf(json: Json, name: string): HeaderList {
  return listOf(json, name).map((pair) => {
    const [key, value, ...rest] = Array.isArray(pair) ? (pair as unknown[]) : [];
    if (typeof key === 'string' && typeof value === 'string' && rest.length === 0) return [key, value];
    throw new BadLineError(`${name} holds what is no name and value`);
  });
}

function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Node passes over what is no base64.
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  if (text.length % 4 === 0 && bytes.length === (text.length / 4) * 3 - padding) return bytes;
  throw new BadLineError('bytes is no base64 at the end of the line');
}
