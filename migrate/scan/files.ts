import { type Dirent, openSync, closeSync, fstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { extname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { IsthmusError, messageOf } from '../../src/model/errors.ts';

/** A file as it was read. */
export type SourceFile = {
  readonly file: string;
  readonly text: string;
  /** It is no file, but an object of a cluster as text. @default false */
  readonly isOfCluster?: boolean;
};

/** Why a file, the rest of a folder, or something of a cluster, was not read. */
export type Unread = {
  /** Or what of a cluster. */
  readonly file: string;
  readonly code: 'FILE_UNREAD' | 'LIMIT_REACHED' | 'CLUSTER_UNREAD';
  readonly reason: string;
  /** What to do; there is a usual thing for each code. */
  readonly fix?: string;
};

export type Limits = {
  /** Bytes of one file. */
  readonly maxFileBytes: number;
  /** Bytes of all files of one folder. */
  readonly maxBytes: number;
  /** Files of one folder, sub-folders included. */
  readonly maxFiles: number;
  /** Folders inside each other. */
  readonly maxDepth: number;
};

/** A ConfigMap has 1 MiB at most; `kubectl get -A -o yaml` may have more. */
export const defaultLimits: Limits = {
  maxFileBytes: 16 * 1024 * 1024,
  maxBytes: 128 * 1024 * 1024,
  maxFiles: 5000,
  maxDepth: 32,
};

/** How standard input is called in findings. */
export const stdinName = '<stdin>';

const extensions = new Set(['.yaml', '.yml', '.json']);

/**
 * Reads what was named on the command line: files whatever their name, folders with the YAML and JSON files in them (in
 * the order of their names, sub-folders in their place; links to folders are not followed, hidden folders are left out),
 * and `-` for `stdin`. What can't be read inside a folder costs itself only.
 *
 * @throws IsthmusError USAGE where something that was named itself can't be read.
 */
export async function readInputs(
  inputs: readonly string[],
  stdin: Readable,
  limits: Limits = defaultLimits,
): Promise<{ files: SourceFile[]; unread: Unread[] }> {
  const files: SourceFile[] = [];
  const unread: Unread[] = [];
  for (const input of new Set(inputs)) {
    if (input === '-') files.push({ file: stdinName, text: await readStdin(stdin, limits) });
    else if (isFolder(input)) readFolder(input, limits, files, unread);
    else {
      const read = readFile(input, limits);
      if ('reason' in read) throw unusable(input, read.reason);
      files.push(read);
    }
  }
  return { files, unread };
}

function isFolder(input: string): boolean {
  try {
    return statSync(input).isDirectory();
  } catch (error) {
    throw unusable(input, reasonOf(error));
  }
}

const unusable = (input: string, reason: string): IsthmusError =>
  new IsthmusError('USAGE', input, reason, {
    hint: 'give a file or a folder that can be read, or - for standard input',
  });

const readStdin = (stdin: Readable, { maxFileBytes }: Limits): Promise<string> => text(bounded(stdin, maxFileBytes));

async function* bounded(stdin: Readable, maxBytes: number): AsyncGenerator<Buffer> {
  let bytes = 0;
  for await (const chunk of stdin) {
    const piece = Buffer.from(chunk as Uint8Array | string);
    bytes += piece.length;
    if (bytes > maxBytes) throw unusable(stdinName, tooLarge(maxBytes));
    yield piece;
  }
}

function readFolder(folder: string, limits: Limits, files: SourceFile[], unread: Unread[]): void {
  let bytes = 0;
  let count = 0;
  let isFull = false;
  const stop = (file: string, reason: string) => {
    isFull = true;
    unread.push({ file, code: 'LIMIT_REACHED', reason: `${reason}; what follows in ${folder} was not read` });
  };
  const walk = (at: string, depth: number): void => {
    if (depth > limits.maxDepth) {
      unread.push({ file: at, code: 'LIMIT_REACHED', reason: `lies deeper than ${limits.maxDepth} folders` });
      return;
    }
    for (const entry of entriesOf(at, unread)) {
      if (isFull) return;
      const path = join(at, entry.name);
      if (entry.isDirectory()) {
        if (!entry.name.startsWith('.')) walk(path, depth + 1);
      } else if (extensions.has(extname(entry.name)) && isFile(entry, path)) {
        if (count === limits.maxFiles) {
          stop(path, `there are more than ${limits.maxFiles} files`);
          return;
        }
        count++;
        const read = readFile(path, limits);
        if ('reason' in read) unread.push(read);
        else if (bytes + read.text.length > limits.maxBytes)
          stop(path, `all files together have more than ${sizeText(limits.maxBytes)}`);
        else {
          bytes += read.text.length;
          files.push(read);
        }
      }
    }
  };
  walk(folder, 0);
}

function entriesOf(folder: string, unread: Unread[]): Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    unread.push({ file: folder, code: 'FILE_UNREAD', reason: reasonOf(error) });
    return [];
  }
}

/** A link to a file counts: Kubernetes mounts ConfigMaps that way. One that leads nowhere is told when it is read. */
function isFile(entry: Dirent, path: string): boolean {
  if (entry.isFile()) return true;
  if (!entry.isSymbolicLink()) return false;
  try {
    return statSync(path).isFile();
  } catch {
    return true;
  }
}

function readFile(file: string, { maxFileBytes }: Limits): SourceFile | Unread {
  const no = (code: Unread['code'], reason: string): Unread => ({ file, code, reason });
  let handle: number | undefined;
  try {
    handle = openSync(file, 'r');
    const stats = fstatSync(handle);
    if (stats.isFile() && stats.size > maxFileBytes) return no('LIMIT_REACHED', tooLarge(maxFileBytes));
    const bytes = readFileSync(handle);
    if (bytes.length > maxFileBytes) return no('LIMIT_REACHED', tooLarge(maxFileBytes));
    return { file, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    return no('FILE_UNREAD', reasonOf(error));
  } finally {
    if (handle !== undefined) closeSync(handle);
  }
}

const sizeText = (bytes: number): string =>
  bytes >= 1024 * 1024 ? `${Math.floor(bytes / 1024 / 1024)} MiB` : `${bytes} bytes`;

const tooLarge = (maxBytes: number): string => `is larger than ${sizeText(maxBytes)}`;

function reasonOf(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'ERR_ENCODING_INVALID_ENCODED_DATA') return 'is no text in UTF-8';
  return messageOf(error);
}
