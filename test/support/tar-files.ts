import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { extract } from 'tar-stream';

/** Name → text of the files of a .tar.gz, without the folder that they are in. */
export async function tarFiles(path: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const archive = extract();
  archive.end(gunzipSync(readFileSync(path)));
  for await (const entry of archive) {
    files.set(entry.header.name.replace(/^[^/]*\//, ''), await text(entry));
  }
  return files;
}
