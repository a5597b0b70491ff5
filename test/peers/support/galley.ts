import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { ConfigFolder } from './config-folder.ts';
import type { Lab } from './lab.ts';
import { freePort, portOpen } from './ports.ts';
import { Hopeless, until } from './until.ts';

/** Galley 1.5.10: a real legacy MCP server (ResourceSource) on a folder of YAML. */
export class Galley {
  readonly port: number;
  readonly folder: ConfigFolder;
  readonly #lab: Lab;
  readonly #binary: string;
  #child: Child | undefined;

  private constructor(lab: Lab, binary: string, folder: ConfigFolder, port: number) {
    this.#lab = lab;
    this.#binary = binary;
    this.folder = folder;
    this.port = port;
  }

  static async create(lab: Lab, binary: string, folder: ConfigFolder): Promise<Galley> {
    return new Galley(lab, binary, folder, await freePort());
  }

  /** Resolves when its MCP server accepts connections; its first snapshot follows half a second later. */
  async start(): Promise<void> {
    const mesh = join(this.#lab.folder('galley'), 'mesh.yaml');
    writeFileSync(mesh, 'enableTracing: false\n');
    const child = this.#lab.launch({
      name: 'galley',
      command: this.#binary,
      args: ['-config', this.folder.path, '-mesh', mesh, '-listen', `tcp://127.0.0.1:${this.port}`],
    });
    this.#child = child;
    await until('Galley listens', () => {
      if (child.exit) throw new Hopeless(`Galley ended: ${JSON.stringify(child.exit)}`);
      return portOpen(this.port);
    });
  }

  get pid(): number {
    return this.#running().pid;
  }

  async kill(): Promise<Exit> {
    return this.#running().end('SIGKILL');
  }

  #running(): Child {
    if (!this.#child) throw new Error('Galley was not started');
    return this.#child;
  }
}
