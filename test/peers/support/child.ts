import { type ChildProcess, spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs';

/** Both are null when the program could not be started at all. */
export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

export type Command = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly logFile: string;
  /** The whole environment of the child. */
  readonly env: Readonly<Record<string, string>>;
};

/** One process of ours. Its output goes to a file; it is signalled by its own pid only. */
export class Child {
  readonly name: string;
  readonly logFile: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  #exit: Exit | undefined;

  constructor({ name, command, args, cwd, logFile, env }: Command) {
    this.name = name;
    this.logFile = logFile;
    // Appending: a restarted server goes on in the log of its predecessor.
    const log = openSync(logFile, 'a');
    this.#process = spawn(command, args, { cwd, env: { ...env }, stdio: ['ignore', log, log] });
    closeSync(log);
    this.exited = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        this.#exit = exit;
        resolve(exit);
      };
      this.#process.once('exit', (code, signal) => settle({ code, signal }));
      this.#process.once('error', (error) => {
        // Of a process that runs it only says that a signal did not reach it.
        if (this.#process.pid !== undefined) return;
        appendFileSync(logFile, `${error.message}\n`);
        settle({ code: null, signal: null });
      });
    });
  }

  get pid(): number {
    if (this.#process.pid === undefined) throw new Error(`${this.name} could not be started`);
    return this.#process.pid;
  }

  /** Undefined while the process runs. */
  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Sends the signal if the process still runs, and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<Exit> {
    if (this.#exit === undefined) this.#process.kill(signal);
    return this.exited;
  }

  /** Ends the process without waiting; for the moment when the test runner itself goes away. */
  abandon(): void {
    if (this.#exit === undefined) this.#process.kill('SIGKILL');
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8');
  }
}
