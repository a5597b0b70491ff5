import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach } from 'vitest';
import { Child } from './child.ts';

/** How long a process may take to obey SIGTERM at the end of a suite before it is killed. */
const graceMs = 5_000;
const shownLines = 40;

export type Launch = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
};

/** The processes and scratch files of one suite; all of them are gone when the suite is over, whatever happened. */
export class Lab {
  #root: string | undefined;
  readonly #children: Child[] = [];
  readonly #closers: (() => Promise<void>)[] = [];

  readonly #abandon = (): void => {
    for (const child of this.#children) child.abandon();
  };

  /** Made when first asked for, since a suite that is skipped never comes to {@link close}. */
  get root(): string {
    if (this.#root === undefined) {
      this.#root = mkdtempSync(join(tmpdir(), 'isthmus-peers-'));
      process.once('exit', this.#abandon);
    }
    return this.#root;
  }

  /** A folder of its own for each name. */
  folder(name: string): string {
    const path = join(this.root, name);
    mkdirSync(path, { recursive: true });
    return path;
  }

  /** Starts a process in the folder of its name; nothing of our own environment reaches it but PATH. */
  launch({ name, command, args, env }: Launch): Child {
    const cwd = this.folder(name);
    const child = new Child({
      name,
      command,
      args,
      cwd,
      logFile: join(this.root, `${name}.log`),
      env: { PATH: process.env['PATH'] ?? '', HOME: cwd, ...env },
    });
    this.#children.push(child);
    return child;
  }

  /** Something that is not a process but has to be closed with the suite. */
  onClose(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  running(): Child[] {
    return this.#children.filter((child) => child.exit === undefined);
  }

  /** The ends of all logs, for the report of a failed test. */
  logs(): string {
    const names = new Set(this.#children.map((child) => child.name));
    return [...names]
      .map((name) => join(this.root, `${name}.log`))
      .filter((path) => existsSync(path))
      .map((path) => {
        const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
        return `--- ${path} (last ${Math.min(shownLines, lines.length)} of ${lines.length} lines)\n${lines.slice(-shownLines).join('\n')}`;
      })
      .join('\n');
  }

  /** Ends everything. The scratch files go too, unless they are wanted to explain a failure. */
  async close({ keepFiles }: { readonly keepFiles: boolean }): Promise<void> {
    await Promise.allSettled(this.#closers.map((close) => close()));
    // The youngest first, so that nobody loses its server and fills the log with it.
    for (const child of this.running().toReversed()) {
      const kill = setTimeout(() => child.abandon(), graceMs);
      await child.end('SIGTERM');
      clearTimeout(kill);
    }
    process.off('exit', this.#abandon);
    if (!keepFiles && this.#root !== undefined) rmSync(this.#root, { recursive: true, force: true });
  }
}

/**
 * A lab for the suite that calls this. When one of its tests fails, or what prepares them, the ends of all logs
 * are printed and the files are kept.
 */
export function useLab(): Lab {
  const lab = new Lab();
  let failed = false;
  let begun = false;
  const explain = (): void => {
    failed = true;
    process.stderr.write(`${lab.logs()}\n`);
  };
  beforeEach(({ onTestFailed }) => {
    begun = true;
    onTestFailed(explain);
  });
  afterAll(() => {
    // No test was begun: what prepares the suite has failed.
    if (!begun) explain();
    return lab.close({ keepFiles: failed });
  });
  return lab;
}
