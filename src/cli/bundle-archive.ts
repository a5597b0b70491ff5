import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { BundleFile } from './bundle-pages.ts';

/**
 * A .tar.gz with these files in one folder.
 * @param folder its name.
 * @param at time of the files.
 */
export async function archiveOf(files: readonly BundleFile[], folder: string, at: Date): Promise<Buffer> {
  const archive = pack();
  const zipped = archive.pipe(createGzip());
  for (const { name, text } of files) {
    archive.entry({ name: `${folder}/${name}`, mode: 0o600, mtime: at }, text);
  }
  archive.finalize();
  const parts: Buffer[] = [];
  for await (const part of zipped) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
