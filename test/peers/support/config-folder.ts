import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Manifest, parseManifests } from './manifest.ts';

/** A folder of Istio YAML that Galley serves. */
export class ConfigFolder {
  readonly path: string;
  readonly #staging: string;

  /** Both folders are in `parent`, hence on one file system. */
  constructor(parent: string) {
    this.path = join(parent, 'config');
    this.#staging = join(parent, 'staging');
    mkdirSync(this.path, { recursive: true });
    mkdirSync(this.#staging, { recursive: true });
  }

  copyFrom(folder: string): void {
    cpSync(folder, this.path, { recursive: true });
  }

  read(file: string): string {
    return readFileSync(join(this.path, file), 'utf8');
  }

  /** Puts the file there whole: Galley reads a file that is being written as it is, and would drop its second half. */
  write(file: string, text: string): void {
    writeFileSync(join(this.#staging, file), text);
    renameSync(join(this.#staging, file), join(this.path, file));
  }

  /** Replaces text that must be there. */
  edit(file: string, from: string, to: string): void {
    const text = this.read(file);
    if (!text.includes(from)) throw new Error(`${file} does not contain ${JSON.stringify(from)}`);
    this.write(file, text.replace(from, to));
  }

  remove(file: string): void {
    rmSync(join(this.path, file));
  }

  /** What the folder says now, by {@link Manifest.key}. */
  manifests(): Map<string, Manifest> {
    const all = readdirSync(this.path).flatMap((file) => parseManifests(this.read(file)));
    const byKey = new Map(all.map((manifest) => [manifest.key, manifest]));
    if (byKey.size !== all.length) throw new Error('two manifests of one kind, namespace and name');
    return byKey;
  }
}
