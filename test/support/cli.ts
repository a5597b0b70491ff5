import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './until.ts';

const main = join(import.meta.dirname, '../../dist/src/main.js');

type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** The built command as a process of its own; it is gone when the test is over. */
export class Cli {
  stdout = '';
  stderr = '';
  /** Undefined while it runs. */
  exit: Exit | undefined;
  readonly #child: ChildProcess;

  /**
   * @param env laid over an environment that has nothing in it but the paths.
   * @param input what it reads from its standard input; undefined: it has none.
   */
  constructor(args: readonly string[], env: Readonly<Record<string, string>> = {}, input?: string) {
    const { PATH = '', HOME = '' } = process.env;
    this.#child = spawn(process.execPath, [main, ...args], {
      env: { PATH, HOME, ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.#child.stdin?.end(input);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // After 'close' all output has come.
    this.#child.on('close', (code, signal) => {
      this.exit = { code, signal };
    });
    onTestFinished(() => this.#stop());
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process could not be started');
    return this.#child.pid;
  }

  /** Sends a signal to it, and to nobody else. */
  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Reads its standard output, or its remarks, no more, as a reader of a pipe that goes away. */
  stopReading(stream: 'stdout' | 'stderr'): void {
    this.#child[stream]?.destroy();
  }

  /** Waits until an output holds something; what it is. */
  async says(stream: 'stdout' | 'stderr', pattern: RegExp): Promise<RegExpExecArray> {
    try {
      return await until(`${stream} says ${pattern}`, () => {
        const found = pattern.exec(this[stream]);
        return found ?? (this.exit !== undefined && Promise.reject(new Error('it has ended')));
      });
    } catch (error) {
      throw new Error(`${String(error)}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`, { cause: error });
    }
  }

  /** Waits for its end. */
  async end(): Promise<Exit> {
    return until('the process ends', () => this.exit);
  }

  async #stop(): Promise<void> {
    if (this.exit === undefined) this.#child.kill('SIGKILL');
    await this.end();
  }
}

/** Runs the built command to its end. */
export async function run(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const cli = new Cli(args);
  const { code } = await cli.end();
  return { code, stdout: cli.stdout, stderr: cli.stderr };
}

/** What a command ends with that has nothing to say but a mistake. */
export async function failure(...args: readonly string[]): Promise<{ code: number | null; stderr: string }> {
  const { code, stdout, stderr } = await run(...args);
  if (stdout !== '') throw new Error(`it has printed ${stdout}`);
  return { code, stderr };
}

/** `isthmus serve` on free ports of 127.0.0.1; returns once it listens. */
export async function startServe(...args: readonly string[]): Promise<{ cli: Cli; xds: number; admin: number }> {
  return startServeWith({}, ...args);
}

/** The same, in that environment. */
export async function startServeWith(
  env: Readonly<Record<string, string>>,
  ...args: readonly string[]
): Promise<{ cli: Cli; xds: number; admin: number }> {
  const anyPort = '127.0.0.1:0';
  const cli = new Cli(['serve', '--xds-listen', anyPort, '--admin-listen', anyPort, ...args], env);
  const listening = /"xds":"127\.0\.0\.1:(\d+)","admin":"127\.0\.0\.1:(\d+)".*"msg":"Isthmus is listening"/;
  const [, xds, admin] = await cli.says('stderr', listening);
  return { cli, xds: Number(xds), admin: Number(admin) };
}
