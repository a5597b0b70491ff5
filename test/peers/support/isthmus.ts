import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Child, Exit } from './child.ts';
import type { Lab } from './lab.ts';
import { freePort } from './ports.ts';
import { mustRun } from './run.ts';
import { Hopeless, until } from './until.ts';

const main = join(import.meta.dirname, '../../../dist/src/main.js');

export type IsthmusOptions = {
  /** Port of the legacy server on 127.0.0.1. */
  readonly sourcePort: number;
  /** @default none: nothing is remembered over a restart */
  readonly stateDir?: string;
  /** More settings of each source, as in a config file. @default flags alone */
  readonly source?: object;
  /** Other settings, as in a config file. @default flags alone */
  readonly settings?: object;
  /** More sources, after the first in precedence: name → port. @default none */
  readonly others?: Readonly<Record<string, number>>;
  /** How long the guard holds removals. @default "0s": most suites empty their sources when they are done */
  readonly guardHold?: string;
  /** Where it serves old Pilots. @default nowhere */
  readonly legacyPort?: number;
  /** Of the process, besides the paths. */
  readonly env?: Readonly<Record<string, string>>;
  /** @default "isthmus" */
  readonly name?: string;
};

/** Removals of one kind of one source that the guard holds. */
type HoldPage = readonly { readonly origin: string; readonly kind: string; readonly removals: number }[];

type OriginsPage = readonly { readonly kinds: readonly { readonly sync: string }[] }[];

type StatePage = { readonly files: readonly { readonly isDue: boolean }[] };

/** The bridge, as a process of its own. */
export class Isthmus {
  readonly xdsPort: number;
  readonly adminPort: number;
  readonly #lab: Lab;
  #options: IsthmusOptions;
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
    const { stateDir, name = 'isthmus', guardHold = '0s', legacyPort, env = {} } = this.#options;
    const child = this.#lab.launch({
      name,
      command: process.execPath,
      args: [
        main,
        'serve',
        this.#sourceArgument(name),
        `--xds-listen=127.0.0.1:${this.xdsPort}`,
        `--admin-listen=127.0.0.1:${this.adminPort}`,
        `--guard-hold=${guardHold}`,
        ...(stateDir === undefined ? [] : [`--state-dir=${stateDir}`]),
        ...(legacyPort === undefined ? [] : [`--legacy-listen=127.0.0.1:${legacyPort}`]),
      ],
      env,
    });
    this.#child = child;
    await until('Isthmus listens', () => {
      if (child.exit) throw new Hopeless(`Isthmus ended: ${JSON.stringify(child.exit)}`);
      return this.ready();
    });
  }

  /** Writes its config file anew, with these options in the place of the former ones, and tells it to read that. */
  reconfigure(options: Pick<IsthmusOptions, 'others' | 'settings'>): void {
    this.#options = { ...this.#options, ...options };
    this.#sourceArgument(this.#options.name ?? 'isthmus');
    process.kill(this.pid, 'SIGHUP');
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

  /** Whether every source has spoken in this process of all that it is asked for. */
  async heard(): Promise<boolean> {
    const origins = (await this.page('/debug/origins')) as OriginsPage;
    return origins.every(({ kinds }) => kinds.every(({ sync }) => sync === 'synced'));
  }

  /** How many removals the guard holds. */
  async held(): Promise<number> {
    const holds = (await this.page('/debug/guard')) as HoldPage;
    return holds.reduce((sum, { removals }) => sum + removals, 0);
  }

  /** Whether all that it knows is in its state folder, if it has one. */
  async saved(): Promise<boolean> {
    const state = (await this.page('/debug/state')) as StatePage | null;
    return state === null || state.files.every(({ isDue }) => !isDue);
  }

  /** Runs a verb of the command that asks this bridge; what it prints. Rejects unless it ends with 0. */
  ask(...args: readonly string[]): Promise<string> {
    return mustRun(process.execPath, [main, ...args, `--admin=http://127.0.0.1:${this.adminPort}`]);
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
    const { sourcePort, others = {}, source, settings } = this.#options;
    if (source === undefined && settings === undefined && Object.keys(others).length === 0)
      return `--source=origin=mcp://127.0.0.1:${sourcePort}`;
    const file = join(this.#lab.folder(folder), 'isthmus.yaml');
    const sources = Object.entries({ origin: sourcePort, ...others }).map(([name, port]) => {
      return { name, address: `mcp://127.0.0.1:${port}`, ...source };
    });
    writeFileSync(file, JSON.stringify({ sources, ...settings }));
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
