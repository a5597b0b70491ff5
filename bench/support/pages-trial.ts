import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.ts';
import type { ClientCommands } from './client.ts';
import { fetchPage } from './fetch-page.ts';
import { freePort, startIsthmus, unprotected } from './middles.ts';
import type { ProbeCommands } from './probe.ts';
import type { SourceCommands } from './source.ts';

/**
 * What the pages are about. `served`: an istiod has all there is. `waiting`: another source has not spoken, so that nothing is
 * sent yet. `quarantined`: every body is one that istiod cannot read.
 */
export const scenes = ['served', 'waiting', 'quarantined'] as const;
export type Scene = (typeof scenes)[number];

/** No resource has it. */
const nowhere = 'nothing-has-this-in-it';

const always = ['/', '/ui/sources/bench', '/metrics', `/ui/search?q=${nowhere}`];

const paths: Readonly<Record<Scene, readonly string[]>> = {
  served: [
    ...always,
    '/ui/kinds/ServiceEntry',
    '/ui/kinds/ServiceEntry?after=team-10',
    '/ui/kinds/ServiceEntry/team-00/service-00000000',
    '/ui/streams',
    '/ui/changes',
    '/ui/quarantine',
    '/ui/conflicts',
    '/ui/search?q=service-',
    '/syncz',
    '/debug/origins',
    '/debug/snapshot',
    '/debug/snapshot/ServiceEntry?limit=5000',
    '/debug/snapshot/ServiceEntry/team-00/service-00000000',
    `/debug/search?q=${nowhere}`,
    '/debug/streams',
    '/debug/changes?limit=5000',
    '/debug/sinks',
    '/debug/quarantine',
    '/debug/conflicts',
    '/debug/state',
    '/debug/guard',
    '/debug/config',
  ],
  waiting: [...always, '/ui/search?q=service-'],
  quarantined: [...always, '/ui/search?q=service-', '/ui/quarantine', '/debug/quarantine?limit=2000'],
};

/** Of the first ones V8 compiles what is hot. */
const warmups = 5;
const samples = 5;

/** How long a source may take until all that it has was taken. */
const takenWithinMs = 60_000;

/** What one page costs. */
export type PageCost = {
  readonly scene: Scene;
  readonly path: string;
  readonly size: number;
  readonly bytes: number;
  /** From the request to the last byte. */
  readonly wallMs: number;
  /** Of the process. */
  readonly cpuMs: number;
  /** The longest time in which it did nothing else, without garbage collection. */
  readonly longestMs: number;
};

/** Starts a source, Isthmus and an istiod, and asks for each page. @throws where one is not answered with 200. */
export async function runPagesTrial(scene: Scene, size: number): Promise<PageCost[]> {
  const script = (name: string) => join(import.meta.dirname, `${name}.js`);
  const children: Child<ProbeCommands>[] = [];
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  try {
    const args = scene === 'quarantined' ? ['broken'] : [];
    const source = new Child<SourceCommands>('source', script('source'), [String(size), ...args], true);
    children.push(source);
    const { port: sourcePort, expected } = await source.ask('listen');
    const absent = scene === 'waiting' ? [`--source=absent=mcp://127.0.0.1:${await freePort()}`] : [];
    const { child, port, adminPort } = await startIsthmus(sourcePort, [...unprotected, ...absent]);
    children.push(child);
    const page = (path: string) => fetchPage(agent, adminPort, path);
    await taken(page, size);
    if (scene === 'served') {
      const client = new Child<ClientCommands>('client', script('client'), [], true);
      children.push(client);
      await client.ask('expect', expected);
      await client.ask('connect', port, 2);
      await client.ask('arrival');
    }
    const costs: PageCost[] = [];
    const name = scene === 'served' ? await firstName(page) : '';
    for (const path of paths[scene]) {
      const real = path.replace('team-00/service-00000000', name);
      for (let i = -warmups; i < samples; i++) {
        // What the page before has left behind is collected, and what was counted in the background is of now.
        await sleep(50);
        await child.ask('watch');
        const before = await child.ask('usage');
        const began = performance.now();
        const { length } = await page(real);
        const wallMs = performance.now() - began;
        const after = await child.ask('usage');
        const { withoutGcMs: longestMs } = await child.ask('watched');
        const cost = { scene, path, size, bytes: length, wallMs, cpuMs: after.cpuMs - before.cpuMs, longestMs };
        if (i >= 0) costs.push(cost);
      }
    }
    return costs;
  } finally {
    agent.destroy();
    await Promise.all(children.map((child) => child.stop()));
  }
}

type Page = (path: string) => Promise<Buffer>;

/** Waits until Isthmus has all that the source has. */
async function taken(page: Page, size: number): Promise<void> {
  const giveUpAt = Date.now() + takenWithinMs;
  for (;;) {
    const origins = JSON.parse((await page('/debug/origins')).toString()) as { kinds: { received: number }[] }[];
    const received = origins.flatMap(({ kinds }) => kinds).reduce((sum, kind) => sum + kind.received, 0);
    if (received === size) return;
    if (Date.now() > giveUpAt) throw new Error(`${received} of ${size} resources were taken`);
    await sleep(50);
  }
}

async function firstName(page: Page): Promise<string> {
  const { resources } = JSON.parse((await page('/debug/snapshot/ServiceEntry?limit=1')).toString()) as {
    resources: { key: string }[];
  };
  return resources[0]?.key ?? '';
}
