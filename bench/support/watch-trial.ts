import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import type { ClientCommands } from './client.ts';
import { fetchPage } from './fetch-page.ts';
import { freePort, listening } from './middles.ts';
import { inTurn } from './part.ts';
import type { ProbeCommands } from './probe.ts';
import { settleMs } from './push-trial.ts';
import type { SourceCommands } from './source.ts';

/** A bridge that is watched: it counts for its metrics, is scraped, and its status page is open. And one that is not. */
export const watchings = ['off', 'on'] as const;
export type Watching = (typeof watchings)[number];

export const watchedChanges = ['all', 'hundred'] as const;
export type WatchedChange = (typeof watchedChanges)[number];

/** V8 has compiled what is hot by then, of the pages too. */
const warmups = 15;
const samples = 15;

/** What is asked for during each push of the bridge that is watched, as Prometheus and an open status page do. */
const asked = ['/metrics', '/'] as const;

export type WatchedPush = {
  readonly watching: Watching;
  readonly change: WatchedChange;
  readonly timeMs: number;
  /** Of the whole process, until the push has settled. */
  readonly cpuMs: number;
};

type Chain = {
  readonly watching: Watching;
  readonly source: Child<SourceCommands>;
  readonly bridge: Child<ProbeCommands>;
  readonly client: Child<ClientCommands>;
  /** Asks for each page once; settles when all of them are there. */
  readonly look: () => Promise<unknown>;
};

/** Starts both, and pushes to them in turn. */
export async function runWatchTrial(size: number, round: number): Promise<WatchedPush[]> {
  const script = (name: string) => join(import.meta.dirname, `${name}.js`);
  const children: Child<ProbeCommands>[] = [];
  const started = <C extends Child<ProbeCommands>>(child: C): C => {
    children.push(child);
    return child;
  };
  // Held open, as those of a scraper and of a browser are.
  const agent = new Agent({ keepAlive: true });
  try {
    const chains: Chain[] = [];
    for (const watching of inTurn(watchings, round)) {
      const source = started(new Child<SourceCommands>('source', script('source'), [String(size)], true));
      const { port: sourcePort, expected } = await source.ask('listen');
      const [xdsPort, adminPort] = [await freePort(), await freePort()];
      const ports = [sourcePort, xdsPort, adminPort].map(String);
      const bridge = started(new Child<ProbeCommands>('bridge', script('bridge'), [...ports, watching]));
      await listening(xdsPort, bridge);
      const client = started(new Child<ClientCommands>('client', script('client'), [], true));
      await client.ask('expect', expected);
      await client.ask('connect', xdsPort, 2);
      await client.ask('arrival');
      const look = () => Promise.all(watching === 'on' ? asked.map((path) => fetchPage(agent, adminPort, path)) : []);
      chains.push({ watching, source, bridge, client, look });
    }
    const pushes: WatchedPush[] = [];
    for (const change of watchedChanges) {
      for (let i = -warmups; i < samples; i++) {
        for (const chain of inTurn(chains, Math.abs(i))) {
          const push = await pushOnce(chain, change);
          if (i >= 0) pushes.push(push);
        }
      }
    }
    return pushes;
  } finally {
    agent.destroy();
    await Promise.all(children.map((child) => child.stop()));
  }
}

async function pushOnce(chain: Chain, change: WatchedChange): Promise<WatchedPush> {
  const { watching, source, bridge, client, look } = chain;
  await client.ask('expect', await source.ask('prepare', change));
  const before = await bridge.ask('usage');
  const began = await source.ask('push');
  const looked = look();
  const { at } = await client.ask('arrival');
  await Promise.all([looked, sleep(settleMs)]);
  const after = await bridge.ask('usage');
  return { watching, change, timeMs: at - began, cpuMs: after.cpuMs - before.cpuMs };
}
