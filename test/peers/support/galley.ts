import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { ConfigFolder } from './config-folder.ts';
import type { Lab } from './lab.ts';
import type { SinkAddress } from './mcp-source.ts';
import { freePort, portOpen } from './ports.ts';
import { Hopeless, until } from './until.ts';

/** Files with which Galley serves mutual TLS. It reads certificates when it starts, and again each minute. */
export type GalleyTls = {
  readonly cert: string;
  readonly key: string;
  /** CAs of its clients. */
  readonly ca: string;
  /** YAML with the names that clients may have; it is watched. */
  readonly accessList: string;
};

type GalleyOptions = {
  /** A sink that it dials as well. */
  readonly sink?: SinkAddress;
  /** @default plaintext */
  readonly tls?: GalleyTls;
};

/** Galley 1.5.10: a real legacy MCP server (ResourceSource) on a folder of YAML. */
export class Galley {
  readonly port: number;
  readonly folder: ConfigFolder;
  readonly #lab: Lab;
  readonly #binary: string;
  readonly #options: GalleyOptions;
  #child: Child | undefined;

  private constructor(lab: Lab, binary: string, folder: ConfigFolder, port: number, options: GalleyOptions) {
    this.#options = options;
    this.#lab = lab;
    this.#binary = binary;
    this.folder = folder;
    this.port = port;
  }

  static async create(lab: Lab, binary: string, folder: ConfigFolder, options: GalleyOptions = {}): Promise<Galley> {
    return new Galley(lab, binary, folder, await freePort(), options);
  }

  /** Resolves when its MCP server accepts connections; its first snapshot follows half a second later. */
  async start(): Promise<void> {
    const mesh = join(this.#lab.folder('galley'), 'mesh.yaml');
    writeFileSync(mesh, 'enableTracing: false\n');
    const { sink, tls } = this.#options;
    const meta = Object.entries(sink?.meta ?? {}).map(([key, value]) => `${key}=${value}`);
    const child = this.#lab.launch({
      name: 'galley',
      command: this.#binary,
      args: [
        `-config=${this.folder.path}`,
        `-mesh=${mesh}`,
        `-listen=tcp://127.0.0.1:${this.port}`,
        ...(sink === undefined ? [] : ['-sink', `127.0.0.1:${sink.port}`, '-sink-meta', meta.join(',')]),
        ...(tls === undefined
          ? []
          : ['-cert', tls.cert, '-key', tls.key, '-ca', tls.ca, '-access-list', tls.accessList]),
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
