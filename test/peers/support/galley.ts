import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { ConfigFolder } from './config-folder.ts';
import type { Lab } from './lab.ts';
import type { SinkAddress } from './mcp-source.ts';
import { freePort, portOpen } from './ports.ts';
import { Hopeless, until } from './until.ts';

/** Galley 1.5.10: a real legacy MCP server (ResourceSource) on a folder of YAML. */
export class Galley {
  readonly port: number;
  readonly folder: ConfigFolder;
  readonly #lab: Lab;
  readonly #binary: string;
  readonly #sink: SinkAddress | undefined;
  #child: Child | undefined;

  private constructor(lab: Lab, binary: string, folder: ConfigFolder, port: number, sink: SinkAddress | undefined) {
    this.#sink = sink;
    this.#lab = lab;
    this.#binary = binary;
    this.folder = folder;
    this.port = port;
  }

  /** @param sink that it dials as well. */
  static async create(lab: Lab, binary: string, folder: ConfigFolder, sink?: SinkAddress): Promise<Galley> {
    return new Galley(lab, binary, folder, await freePort(), sink);
  }

  /** Resolves when its MCP server accepts connections; its first snapshot follows half a second later. */
  async start(): Promise<void> {
    const mesh = join(this.#lab.folder('galley'), 'mesh.yaml');
    writeFileSync(mesh, 'enableTracing: false\n');
    const meta = Object.entries(this.#sink?.meta ?? {}).map(([key, value]) => `${key}=${value}`);
    const child = this.#lab.launch({
      name: 'galley',
      command: this.#binary,
      args: [
        `-config=${this.folder.path}`,
        `-mesh=${mesh}`,
        `-listen=tcp://127.0.0.1:${this.port}`,
        ...(this.#sink === undefined ? [] : ['-sink', `127.0.0.1:${this.#sink.port}`, '-sink-meta', meta.join(',')]),
      ],
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
