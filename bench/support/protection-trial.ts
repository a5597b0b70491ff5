import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import type { ClientCommands } from './client.ts';
import { sharedNow } from './ipc.ts';
import { freePort, startIsthmus, unprotected } from './middles.ts';
import { inTurn } from './part.ts';
import type { ProbeCommands } from './probe.ts';
import { settleMs } from './push-trial.ts';
import type { Expected } from './service-entries.ts';
import type { SourceCommands } from './source.ts';

/** Isthmus with guard, quarantine and last-known-good, and without them. */
export const variants = ['off', 'on'] as const;
export type Variant = (typeof variants)[number];

const warmups = 3;
const samples = 5;

/** How long the files may take to be written. */
const savedWithinMs = 60_000;

/** A push with a hundred changes. */
export type ProtectedPush = {
  readonly variant: Variant;
  /** From the source's write to the last byte. */
  readonly timeMs: number;
  /** Of the main thread, and of V8's, for as long. */
  readonly cpuMs: number;
  /** Of the thread of quarantine, for as long. */
  readonly threadMs: number;
};

/** What was measured in one round. */
export type ProtectionTrial = {
  readonly pushes: readonly ProtectedPush[];
  /** CPU time of all of it for each push, until the next one: files are written in some of them. */
  readonly cpuMsOfAll: Readonly<Record<Variant, number>>;
  /** From the start of the process to the last byte of its first push: out of its files, and out of its source. */
  readonly loadMs: number;
  readonly syncMs: number;
};

const script = (name: string) => join(import.meta.dirname, `${name}.js`);

type Chain = {
  readonly variant: Variant;
  readonly source: Child<SourceCommands>;
  readonly isthmus: Child<ProbeCommands>;
  readonly client: Child<ClientCommands>;
  cpuMs: number;
};

/** Starts both, pushes to them in turn, and starts them once more. */
export async function runProtectionTrial(size: number, round: number): Promise<ProtectionTrial> {
  const stateDir = mkdtempSync(join(tmpdir(), 'isthmus-bench-'));
  const children: { stop(): Promise<void> }[] = [];
  const started = <T extends { stop(): Promise<void> }>(child: T): T => {
    children.push(child);
    return child;
  };
  const flagsOf = { off: unprotected, on: [`--state-dir=${stateDir}`] };
  try {
    const chains: Chain[] = [];
    const pushes: ProtectedPush[] = [];
    let syncMs = 0;
    let expected: Expected | undefined;
    let adminPort = 0;
    for (const variant of inTurn(variants, round)) {
      const source = started(new Child<SourceCommands>('source', script('source'), [String(size)], true));
      const { port: sourcePort, expected: first } = await source.ask('listen');
      const began = sharedNow();
      const isthmus = await startIsthmus(sourcePort, flagsOf[variant]);
      started(isthmus.child);
      const { client, at } = await firstPush(isthmus.port, first, started);
      if (variant === 'on') ({ adminPort } = isthmus);
      else syncMs = at - began;
      chains.push({ variant, source, isthmus: isthmus.child, client, cpuMs: 0 });
    }
    // What came first has been looked at, and is in the files.
    await saved(adminPort);
    for (const { isthmus } of chains) await idle(isthmus);
    for (let i = -warmups; i < samples; i++) {
      for (const chain of inTurn(chains, Math.abs(i))) {
        const { variant, source, isthmus, client } = chain;
        expected = await source.ask('prepare', 'hundred');
        await client.ask('expect', expected);
        const before = await isthmus.ask('usage');
        const began = await source.ask('push');
        const { at } = await client.ask('arrival');
        const after = await isthmus.ask('usage');
        await sleep(settleMs);
        const end = await isthmus.ask('usage');
        if (i < 0) continue;
        const threadMs = after.threadsMs - before.threadsMs;
        pushes.push({ variant, timeMs: at - began, cpuMs: after.cpuMs - before.cpuMs - threadMs, threadMs });
        chain.cpuMs += end.cpuMs - before.cpuMs;
      }
    }
    await saved(adminPort);
    const cpuMsOfAll = Object.fromEntries(chains.map(({ variant, cpuMs }) => [variant, cpuMs / samples]));
    await Promise.all(children.splice(0).map((child) => child.stop()));
    return {
      pushes,
      cpuMsOfAll: cpuMsOfAll as Record<Variant, number>,
      loadMs: await load(flagsOf.on, expected as Expected, started),
      syncMs,
    };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
    rmSync(stateDir, { recursive: true, force: true });
  }
}

/** Waits until its threads do nothing any more: what came first has been looked at. */
async function idle(isthmus: Child<ProbeCommands>): Promise<void> {
  let before = -1;
  for (;;) {
    const { threadsMs } = await isthmus.ask('usage');
    // Between two looks for what nobody has judged lies a second.
    await sleep(1500);
    if (threadsMs === before) return;
    before = threadsMs;
  }
}

/** A new client of that port, and when it had the last byte of its first response. */
async function firstPush(
  port: number,
  expected: Expected,
  started: <T extends { stop(): Promise<void> }>(child: T) => T,
): Promise<{ client: Child<ClientCommands>; at: number }> {
  const client = started(new Child<ClientCommands>('client', script('client'), [], true));
  await client.ask('expect', expected);
  await client.ask('connect', port, 2);
  const { at } = await client.ask('arrival');
  return { client, at };
}

/** Milliseconds from the start of a process whose source is down to its first push. */
async function load(
  flags: readonly string[],
  expected: Expected,
  started: <T extends { stop(): Promise<void> }>(child: T) => T,
): Promise<number> {
  const nobody = await freePort();
  const began = sharedNow();
  const isthmus = await startIsthmus(nobody, flags);
  started(isthmus.child);
  const { at } = await firstPush(isthmus.port, expected, started);
  return at - began;
}

/** Waits until everything that is held is in the files. */
async function saved(adminPort: number): Promise<void> {
  const giveUpAt = Date.now() + savedWithinMs;
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${adminPort}/debug/state`);
    const { files } = (await response.json()) as { files: { isDue: boolean; savedAt: string | null }[] };
    if (files.every(({ isDue, savedAt }) => !isDue && savedAt !== null)) return;
    if (Date.now() > giveUpAt) throw new Error('the files are not written');
    await sleep(50);
  }
}
