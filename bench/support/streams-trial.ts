import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import { startMiddle, startReady } from './middles.ts';
import type { ProbeCommands } from './probe.ts';
import { samples, settleMs, warmups } from './push-trial.ts';
import type { ReadersCommands } from './readers.ts';
import type { SourceCommands } from './source.ts';

/** Processes that share the streams. */
const readerProcesses = 2;

/** A response's nonce is a number, which gets longer. */
const moreDigits = 2;

/** `ready`: a buffer that lies ready for each stream. */
export type Writer = 'ready' | 'isthmus';

export type StreamsTrial = {
  readonly writer: Writer;
  readonly responseBytes: number;
  readonly pushes: readonly { readonly timeMs: number; readonly cpuMs: number }[];
};

/**
 * Starts a source, a middle and all clients, pushes with every resource changed, and ends them.
 *
 * @param readyBytes length of the ready buffer.
 * @throws where the responses are not all of one length, but for that of their nonces.
 */
export async function runStreamsTrial(
  writer: Writer,
  size: number,
  streams: number,
  readyBytes: number,
): Promise<StreamsTrial> {
  const script = (name: string) => join(import.meta.dirname, `${name}.js`);
  const children: Child<ProbeCommands>[] = [];
  const own = <C extends Child<ProbeCommands>>(child: C): C => {
    children.push(child);
    return child;
  };
  try {
    const source = own(new Child<SourceCommands>('source', script('source'), [String(size)], true));
    const { port: sourcePort } = await source.ask('listen');
    const middle = await (writer === 'isthmus' ? startMiddle(writer, sourcePort) : startReady(sourcePort, readyBytes));
    const child = own(middle.child);
    const readers = Array.from({ length: readerProcesses }, () =>
      own(new Child<ReadersCommands>('readers', script('readers'), [])),
    );
    const expect = () => Promise.all(readers.map((each) => each.ask('expect')));
    const lastArrival = async () => {
      const arrivals = await Promise.all(readers.map((each) => each.ask('arrival')));
      const [bytes, ...others] = new Set(arrivals.map((arrival) => arrival.bytes));
      if (bytes === undefined || others.length > 0) throw new Error(`responses of ${bytes}, ${others.join()} bytes`);
      return { at: Math.max(...arrivals.map(({ at }) => at)), bytes };
    };

    await expect();
    await Promise.all(readers.map((each) => each.ask('connect', middle.port, streams / readerProcesses)));
    const { bytes: responseBytes } = await lastArrival();
    await sleep(settleMs);

    const pushes: StreamsTrial['pushes'][number][] = [];
    for (let i = 0; i < warmups + samples; i++) {
      await source.ask('prepare', 'all');
      await expect();
      const before = await child.ask('usage');
      const began = await source.ask('push');
      const { at, bytes } = await lastArrival();
      await sleep(settleMs);
      const after = await child.ask('usage');
      if (bytes < responseBytes || bytes > responseBytes + moreDigits)
        throw new Error(`${bytes} bytes arrived, ${responseBytes} were expected`);
      if (i >= warmups) pushes.push({ timeMs: at - began, cpuMs: after.cpuMs - before.cpuMs });
    }
    return { writer, responseBytes, pushes };
  } finally {
    await Promise.all(children.map((child) => child.stop()));
  }
}
