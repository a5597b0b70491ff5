import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import writeFileAtomic from 'write-file-atomic';
import { IsthmusError, messageOf } from '../src/model/errors.ts';

/** What stands for standard input and output. */
export const standard = '-';

/** A file as bytes and as text; both say the same. Its name is for people to read. */
export type TextFile = { readonly name: string; readonly bytes: Buffer; readonly text: string };

/**
 * Reads a file, or standard input for `-`.
 * @throws IsthmusError USAGE where there is none, or one that is no text.
 */
export async function readTextFile(file: string): Promise<TextFile> {
  const bytes = await readBytes(file);
  const name = file === standard ? 'standard input' : file;
  try {
    return { name, bytes, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    throw new IsthmusError('USAGE', name, 'is no text in UTF-8', { hint: 'give YAML or JSON', cause: error });
  }
}

/**
 * The same, as bytes.
 * @throws IsthmusError USAGE
 */
export async function readBytes(name: string): Promise<Buffer> {
  try {
    return name === standard ? await buffer(process.stdin) : await readFile(name);
  } catch (error) {
    const hint = 'give a file, or - for standard input';
    throw new IsthmusError('USAGE', name === '' ? 'FILE' : name, whyUnreadable(name, error), { hint, cause: error });
  }
}

function whyUnreadable(name: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (name === '') return 'is missing';
  if (code === 'ENOENT') return 'there is no such file';
  return code === 'EISDIR' ? 'is a folder; a file is expected' : messageOf(error);
}

/**
 * Writes a file as a whole or not at all; to standard output for `-`.
 * @throws IsthmusError STATE_UNWRITABLE
 */
export async function writeBytes(name: string, bytes: Buffer, options: { mode?: number } = {}): Promise<void> {
  if (name === standard) {
    await new Promise<void>((resolve) => process.stdout.write(bytes, () => resolve()));
    return;
  }
  try {
    await writeFileAtomic(name, bytes, options);
  } catch (error) {
    throw new IsthmusError('STATE_UNWRITABLE', name, `can't be written: ${messageOf(error)}`, { cause: error });
  }
}

/** True where there is something of that name. */
export function isThere(name: string): boolean {
  return existsSync(name);
}
