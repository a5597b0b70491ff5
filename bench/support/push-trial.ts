import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import type { ClientCommands } from './client.ts';
import { type MiddleName, resourcesField, startMiddle } from './middles.ts';
import type { ProbeCommands } from './probe.ts';
import { type Change, changes } from './service-entries.ts';
import type { SourceCommands } from './source.ts';

/** Pushes of each change before the first that counts: V8 has compiled what is hot by then, and is done with that. */
export const warmups = 15;
/** Pushes of each change that count. */
export const samples = 5;

/**
 * Time between two pushes. Isthmus keeps 250 ms between two pushes to one istiod, which is no part of what is
 * measured; and CPU time that is spent after the last byte counts too.
 */
export const settleMs = 400;

/** One push that counts. */
type Push = {
  readonly change: Change;
  readonly timeMs: number;
  readonly cpuMs: number;
  /** Of the message that the client received. */
  readonly responseBytes: number;
};

/** One middle, started afresh, with one size. */
export type Trial = {
  readonly middle: MiddleName;
  readonly size: number;
  readonly messageBytes: number;
  readonly pushes: readonly Push[];
  /** Highest RSS of the middle from its start to its last push of a change. They come in the order of {@link changes}. */
  readonly peakRssBytes: Readonly<Record<Change, number>>;
};

/** Starts source, middle and client, pushes, and ends them. @throws where the client gets something else than was sent. */
export async function runTrial(middle: MiddleName, size: number): Promise<Trial> {
  const script = (name: string) => join(import.meta.dirname, `${name}.js`);
  const children: Child<ProbeCommands>[] = [];
  try {
    const source = new Child<SourceCommands>('source', script('source'), [String(size)], true);
    children.push(source);
    const { port: sourcePort, messageBytes, expected } = await source.ask('listen');
    const { child, port } = await startMiddle(middle, sourcePort);
    children.push(child);
    const client = new Child<ClientCommands>('client', script('client'), [], true);
    children.push(client);

    await client.ask('expect', expected);
    await client.ask('connect', port, resourcesField[middle]);
    await client.ask('arrival');
    await sleep(settleMs);

    const pushes: Push[] = [];
    const peakRssBytes = {} as Record<Change, number>;
    for (const change of changes) {
      for (let i = 0; i < warmups + samples; i++) {
        await client.ask('expect', await source.ask('prepare', change));
        const before = await child.ask('usage');
        const began = await source.ask('push');
        const { at, bytes } = await client.ask('arrival');
        await sleep(settleMs);
        const after = await child.ask('usage');
        const cpuMs = after.cpuMs - before.cpuMs;
        if (i >= warmups) pushes.push({ change, timeMs: at - began, cpuMs, responseBytes: bytes });
        peakRssBytes[change] = after.peakRssBytes;
      }
    }
    return { middle, size, messageBytes, pushes, peakRssBytes };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}
