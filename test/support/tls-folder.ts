import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { KeyPair } from './certificates.ts';
import { tempFolder } from './temp-folder.ts';

/** PEM files in a folder that is gone when the test is over. */
export class TlsFolder {
  readonly path = tempFolder();

  /** Writes `NAME.crt` and `NAME.key`; what was there is overwritten in place. */
  put(name: string, { cert, key }: KeyPair): { readonly cert: string; readonly key: string } {
    return { cert: this.write(`${name}.crt`, cert), key: this.write(`${name}.key`, key) };
  }

  /** Writes a file that nobody else may read; returns its path. */
  write(name: string, text: string): string {
    const file = join(this.path, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  }

  /** The same, by way of another file that takes its place. */
  replace(name: string, text: string): string {
    renameSync(this.write(`${name}.new`, text), join(this.path, name));
    return join(this.path, name);
  }

  remove(name: string): void {
    rmSync(join(this.path, name));
  }
}

/** A volume as Kubernetes makes it of a Secret: all files are links by way of `..data`, which is swapped at once. */
export class SecretVolume {
  readonly path = tempFolder();
  #version = 0;

  constructor(files: Readonly<Record<string, string>>) {
    this.update(files);
    for (const name of Object.keys(files)) symlinkSync(join('..data', name), join(this.path, name));
  }

  file(name: string): string {
    return join(this.path, name);
  }

  update(files: Readonly<Record<string, string>>): void {
    const before = `..v${this.#version}`;
    const folder = `..v${++this.#version}`;
    mkdirSync(join(this.path, folder));
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(this.path, folder, name), text, { mode: 0o600 });
    symlinkSync(folder, join(this.path, '..data_tmp'));
    renameSync(join(this.path, '..data_tmp'), join(this.path, '..data'));
    rmSync(join(this.path, before), { recursive: true, force: true });
  }
}
