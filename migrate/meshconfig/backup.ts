import { isRecord } from '../../src/model/record.ts';
import { createHash } from 'node:crypto';
import { parse } from 'yaml';
import type { Path } from '../../src/schema/problem.ts';
import type { MeshPlace } from './find.ts';
import type { Splice } from './splice.ts';

/** Which mesh config of a file was edited; documents may come and go before it. */
export type PlaceId = {
  readonly document: number;
  readonly path: Path;
  /** `ConfigMap istio-system/istio, data.mesh`, `mesh config`. */
  readonly what: string;
};

/** The ConfigMap of a cluster that was edited. */
export type LiveOrigin = {
  readonly namespace: string;
  readonly name: string;
  /** Of the object; another one where it was made anew, and in another cluster. */
  readonly uid: string;
  /** Address of the API server, for people to read. */
  readonly server: string;
};

/** The file as it was before an edit, and what it takes to see whether somebody changed it since. */
export type Backup = {
  /** Name of the file, as it was given. */
  readonly file: string;
  readonly place: PlaceId;
  /** SHA-256 of the whole file, in hex. */
  readonly sha256: { readonly before: string; readonly after: string };
  /** Where `original` is `data.mesh` of a cluster; undefined for a file. */
  readonly live?: LiveOrigin | undefined;
  /** What was done to the text, in its order; offsets count UTF-16 units. */
  readonly edits: readonly Splice[];
  /** The bytes of the file before. */
  readonly original: Buffer;
};

/** The version of the form below. */
const format = 1;

/** JSON is YAML too. */
const jsonLine = ([key, value]: [string, unknown]): string => `${key}: ${JSON.stringify(value)}`;

const separator = '=== the file as it was, from the next line to the end ===';

/** SHA-256 of bytes, in hex. */
export function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** What a backup says of the mesh config that it is about. */
export function placeIdOf({ document, path, what }: MeshPlace): PlaceId {
  return { document, path, what };
}

/** The bytes of a backup file (docs/migrate.md): a head in YAML, a line of `===`, and the bytes of the original. */
export function writeBackup({ file, place, sha256: sums, live, edits, original }: Backup): Buffer {
  const head = { format, file, place, ...(live === undefined ? {} : { live }), sha256: sums };
  const text = [
    '# Backup of isthmus migrate patch. isthmus migrate rollback reads it; without it, this is the file as it was:',
    "#   sed '1,/^=== the file as it was/d' THIS-FILE",
    ...Object.entries(head).map(jsonLine),
    'edits: [',
    ...edits.map((edit) => `  ${JSON.stringify(edit)},`),
    ']',
    separator,
    '',
  ].join('\n');
  return Buffer.concat([Buffer.from(text), original]);
}

/**
 * Reads a backup.
 * @returns what is wrong with it, as text, where it is none, or was changed.
 */
export function readBackup(bytes: Buffer): Backup | string {
  const at = bytes.indexOf(`\n${separator}\n`);
  if (at < 0) return 'it is no backup of isthmus migrate patch: it lacks the line that the original begins behind';
  const original = bytes.subarray(at + separator.length + 2);
  let head: unknown;
  try {
    head = parse(bytes.subarray(0, at).toString('utf8'));
  } catch (error) {
    return `its head can't be read: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`;
  }
  if (!isRecord(head)) return "its head can't be read";
  if (head['format'] !== format) return `it has format ${String(head['format'])}, and this Isthmus reads ${format}`;
  const { file, place, sha256: sums, live, edits } = head;
  if (typeof file !== 'string' || !isPlaceId(place) || !isSums(sums) || !isEdits(edits))
    return 'its head lacks something';
  if (live !== undefined && !isLiveOrigin(live)) return 'its head lacks something';
  if (sha256(original) !== sums.before) return 'the original in it is not what it was when it was written';
  return { file, place, sha256: sums, live, edits, original };
}

function isLiveOrigin(value: unknown): value is LiveOrigin {
  return isRecord(value) && ['namespace', 'name', 'uid', 'server'].every((key) => typeof value[key] === 'string');
}

function isPlaceId(value: unknown): value is PlaceId {
  if (!isRecord(value) || typeof value['document'] !== 'number' || typeof value['what'] !== 'string') return false;
  const path: unknown = value['path'];
  return Array.isArray(path) && path.every((step) => typeof step === 'string' || typeof step === 'number');
}

function isSums(value: unknown): value is Backup['sha256'] {
  return isRecord(value) && typeof value['before'] === 'string' && typeof value['after'] === 'string';
}

function isEdits(value: unknown): value is Splice[] {
  return (
    Array.isArray(value) &&
    value.every(
      (edit) =>
        isRecord(edit) &&
        Number.isInteger(edit['start']) &&
        Number.isInteger(edit['end']) &&
        typeof edit['text'] === 'string',
    )
  );
}
