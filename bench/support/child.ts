import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { Answer, Commands, Question } from './ipc.ts';
import type { ProbeCommands } from './probe.ts';

const answerTimeoutMs = 60_000;
const stopTimeoutMs = 5000;

/** Bytes of the end of a child's stderr that are kept for a failure's message. */
const stderrTail = 2000;

const alive = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL');
});

type Pending = { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void };

/** A process of the benchmark, and the questions that it is asked. */
export class Child<C extends Commands> {
  readonly #name: string;
  readonly #process: ChildProcess;
  readonly #pending = new Map<number, Pending>();
  #nextId = 0;
  #stderr = '';
  #over = false;

  /**
   * @param script path of the JavaScript to run.
   * @param exposeGc lets the script collect its garbage between two measurements; never for what is measured.
   */
  constructor(name: string, script: string, args: readonly string[], exposeGc = false) {
    this.#name = name;
    this.#process = fork(script, args, {
      execArgv: ['--import', join(import.meta.dirname, 'probe.js'), ...(exposeGc ? ['--expose-gc'] : [])],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Takes messages of a source as they are.
      serialization: 'advanced',
    });
    alive.add(this.#process);
    this.#process.stderr?.on('data', (text: Buffer) => {
      this.#stderr = (this.#stderr + text.toString()).slice(-stderrTail);
    });
    this.#process.on('message', (message: Answer) => {
      const pending = this.#pending.get(message.id);
      this.#pending.delete(message.id);
      if ('error' in message) pending?.reject(this.#failure(message.error));
      else pending?.resolve(message.value);
    });
    this.#process.on('error', (error) => this.#end(error.message));
    this.#process.on('exit', (code, signal) => this.#end(`ended early (${signal ?? `exit code ${code}`})`));
  }

  /** @throws where the process ends, fails to do it, or does not answer in time. */
  ask<V extends string & keyof (C & ProbeCommands)>(
    verb: V,
    ...args: Parameters<(C & ProbeCommands)[V]>
  ): Promise<Awaited<ReturnType<(C & ProbeCommands)[V]>>> {
    if (this.#over) return Promise.reject(this.#failure('is gone'));
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#pending.delete(id);
        reject(this.#failure(`no answer to "${verb}" within ${answerTimeoutMs / 1000} s`));
      }, answerTimeoutMs);
      const settle =
        <T>(then: (value: T) => void) =>
        (value: T) => {
          clearTimeout(late);
          then(value);
        };
      this.#pending.set(id, { resolve: settle(resolve as (value: unknown) => void), reject: settle(reject) });
      this.#process.send({ id, verb, args } satisfies Question);
    });
  }

  /** Ends the process; its probe does that once the driver is gone. By force where it does not go. */
  async stop(): Promise<void> {
    if (this.#over) return;
    const gone = once(this.#process, 'exit');
    this.#process.disconnect();
    const force = setTimeout(() => this.#process.kill('SIGKILL'), stopTimeoutMs);
    await gone;
    clearTimeout(force);
  }

  #end(why: string): void {
    this.#over = true;
    alive.delete(this.#process);
    for (const { reject } of this.#pending.values()) reject(this.#failure(why));
    this.#pending.clear();
  }

  #failure(what: string): Error {
    const said = this.#stderr.trim();
    return new Error(`${this.#name}: ${what}${said === '' ? '' : `\n${said}`}`);
  }
}
