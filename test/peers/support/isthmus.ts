import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { Lab } from './lab.ts';
import { freePort } from './ports.ts';
import { Hopeless, until } from './until.ts';

const main = join(import.meta.dirname, '../../../dist/src/main.js');

export type IsthmusOptions = {
  /** Port of the legacy server on 127.0.0.1. */
  readonly sourcePort: number;
  /** @default none: nothing is remembered over a restart */
  readonly stateDir?: string;
  /** More settings of the source, as in a config file. @default flags alone */
  readonly source?: object;
  /** Other settings, as in a config file. @default flags alone */
  readonly settings?: object;
  /** @default "isthmus" */
  readonly name?: string;
};

/** The bridge, as a process of its own. */
export class Isthmus {
  readonly xdsPort: number;
  readonly adminPort: number;
  readonly #lab: Lab;
  readonly #options: IsthmusOptions;
  #child: Child | undefined;

  private constructor(lab: Lab, options: IsthmusOptions, xdsPort: number, adminPort: number) {
    this.#lab = lab;
    this.#options = options;
    this.xdsPort = xdsPort;
    this.adminPort = adminPort;
  }

  static async create(lab: Lab, options: IsthmusOptions): Promise<Isthmus> {
    return new Isthmus(lab, options, await freePort(), await freePort());
  }

  /** Resolves when it listens, whatever it has heard from its origins. */
  async start(): Promise<void> {
    const { stateDir, name = 'isthmus' } = this.#options;
    const child = this.#lab.launch({
      name,
      command: process.execPath,
      args: [
        main,
        'serve',
        this.#sourceArgument(name),
        `--xds-listen=127.0.0.1:${this.xdsPort}`,
        `--admin-listen=127.0.0.1:${this.adminPort}`,
        // These tests empty their sources when they are done: the guard has tests of its own.
        '--guard-hold=0s',
        ...(stateDir === undefined ? [] : [`--state-dir=${stateDir}`]),
      ],
    });
    this.#child = child;
    await until('Isthmus listens', () => {
      if (child.exit) throw new Hopeless(`Isthmus ended: ${JSON.stringify(child.exit)}`);
      return this.ready();
    });
  }

  /** Whether it listens. */
  async ready(): Promise<boolean> {
    return (await this.#get('/readyz')).ok;
  }

  /** Whether it is complete, i.e. has heard everything it waits for. */
  async synced(): Promise<boolean> {
    return (await this.#get('/syncz')).ok;
  }

  /** A page of the admin port, as JSON. */
  async page(path: string): Promise<unknown> {
    const response = await this.#get(path);
    if (!response.ok) throw new Error(`${path} answered ${response.status}`);
    return response.json();
  }

  /** The sum of a metric over all series that have these labels; 0 where there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const text = await (await this.#get('/metrics')).text();
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .filter((line) => wanted.every((pair) => line.includes(pair)))
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
  }

  get pid(): number {
    return this.#running().pid;
  }

  async kill(): Promise<Exit> {
    return this.#running().end('SIGKILL');
  }

  async stop(): Promise<Exit> {
    return this.#running().end('SIGTERM');
  }

  /** The source by a flag where that says enough, else by a config file. */
  #sourceArgument(folder: string): string {
    const { sourcePort, source, settings } = this.#options;
    const address = `mcp://127.0.0.1:${sourcePort}`;
    if (source === undefined && settings === undefined) return `--source=origin=${address}`;
    const file = join(this.#lab.folder(folder), 'isthmus.yaml');
    writeFileSync(file, JSON.stringify({ sources: [{ name: 'origin', address, ...source }], ...settings }));
    return `--config=${file}`;
  }

  #get(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.adminPort}${path}`, { signal: AbortSignal.timeout(5_000) });
  }

  #running(): Child {
    if (!this.#child) throw new Error('Isthmus was not started');
    return this.#child;
  }
}
