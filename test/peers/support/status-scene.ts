import { join } from 'node:path';
import type { OriginView } from '../../../src/admin/views.ts';
import type { SourceServer } from '../../../src/legacy/source-server.ts';
import type { SourceView } from '../../../src/legacy/source.ts';
import { startSource } from '../../support/bridge.ts';
import { Cli } from '../../support/cli.ts';
import { nodeIds } from '../../support/fake-istiod.ts';
import { viewOfResources } from '../../support/legacy-states.ts';
import { invalidEntry, validEntry } from '../../support/service-entries.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { XdsPeer } from '../../support/xds-peer.ts';
import { freePort } from './ports.ts';
import { patienceMs, until } from './until.ts';

const types = [
  'networking.istio.io/v1alpha3/ServiceEntry',
  'networking.istio.io/v1alpha3/WorkloadEntry',
  'networking.istio.io/v1alpha3/VirtualService',
];

/** Sources: the one with most, one with a long name that has some of the same, one that loses half, one that never calls. */
const names = {
  most: 'consul',
  long: 'eureka-of-the-payments-department-in-eu-central-1-production',
  half: 'nacos',
} as const;

/** A resource with the longest name that Kubernetes takes in a place where people look. */
const longName = `${'a-team-with-a-rather-long-name-'.repeat(2)}x/${'a-service-that-somebody-gave-every-word-they-had-'.repeat(4)}v2`;

const nameOf = (i: number) => `team-${String(i % 40).padStart(2, '0')}/service-${String(i).padStart(6, '0')}`;
const hostOf = (i: number) => `service-${i}.registry.example.com`;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);
const updated = (entries: readonly Uint8Array[]): SourceView => viewOfResources(entries);

/**
 * A bridge with so many ServiceEntries, as it may look on a bad day: a hundredth breaks a rule of Istio and was good before, or never
 * was; a tenth is in two sources; the guard holds what a source has lost; one source never called; of three istiods one does not
 * acknowledge.
 * @returns the address of its status page.
 */
export async function statusScene(size: number): Promise<string> {
  const share = (part: number) => Math.max(1, Math.floor(size * part));
  const [shared, lost, broken] = [share(0.1), Math.max(4, share(0.05)), share(0.01)];
  const good = numbers(size).map((i) => validEntry(nameOf(i), hostOf(i)));
  const most = await startSource(updated(good));
  const long = await startSource(
    updated([
      validEntry(longName, 'long.registry.example.com'),
      ...numbers(shared).map((i) => validEntry(nameOf(i), `other-${i}.registry.example.com`)),
    ]),
  );
  const ofHalf = numbers(lost).map((i) => validEntry(`nacos/${nameOf(i).replace('/', '-')}`, `nacos-${i}.example.com`));
  const half = await startSource(updated(ofHalf));
  const [xds, admin] = [await freePort(), await freePort()];
  const config = {
    sources: [
      { name: names.most, address: most.address },
      { name: names.long, address: long.address },
      { name: names.half, address: half.address },
      {
        name: 'registry-of-the-old-data-centre',
        match: { address: '127.0.0.9' },
        collections: ['istio/networking/v1alpha3/workloadentries'],
      },
    ],
    xds: { listen: `127.0.0.1:${xds}` },
    admin: { listen: `127.0.0.1:${admin}` },
    sink: { listen: '127.0.0.1:0' },
    guard: { minRemoved: 1 },
  };
  const bridge = `http://127.0.0.1:${admin}`;
  const file = join(tempFolder({ 'isthmus.yaml': JSON.stringify(config) }), 'isthmus.yaml');
  await new Cli(['serve', '--config', file]).says('stderr', /Isthmus is listening/);
  for (const [index, node] of [nodeIds.from112, nodeIds.upTo111, nodeIds.from112].entries()) {
    const istiod = XdsPeer.connect(xds, node.replace('7d4f', `7d4f9c5b8-x${index}`));
    if (index < 2) istiod.onResponse = (response) => istiod.ack(response);
    istiod.subscribe(...types);
  }
  await until('all is taken', async () => (await kindOf(bridge, names.most))?.received === size);
  await until('the sources have spoken', async () => (await kindOf(bridge, names.half))?.received === lost);
  await change(most.server, good, broken, bridge);
  half.server.update(updated(ofHalf.slice(0, 1)));
  await until('the guard holds', async () => ((await kindOf(bridge, names.half))?.hold?.removals ?? 0) === lost - 1);
  return bridge;
}

/** Some break a rule now, and some new ones do from the start. */
async function change(server: SourceServer, good: readonly Uint8Array[], broken: number, bridge: string) {
  const before = numbers(broken).map((i) => invalidEntry(nameOf(i * 7), hostOf(i * 7)));
  const never = numbers(broken).map((i) => invalidEntry(`new-team/service-${i}`, `new-${i}.registry.example.com`));
  const kept = good.filter((_, i) => i % 7 !== 0 || i / 7 >= broken);
  server.update(updated([...before, ...kept, ...never]));
  await until(
    'all of them are judged',
    async () => {
      const { quarantined = 0, invalid = 0 } = (await kindOf(bridge, names.most)) ?? {};
      return quarantined + invalid >= 2 * broken;
    },
    { timeoutMs: 3 * patienceMs },
  );
}

async function kindOf(bridge: string, source: string): Promise<OriginView['kinds'][number] | undefined> {
  const origins = (await (await fetch(`${bridge}/debug/origins`)).json()) as OriginView[];
  return origins.find(({ name }) => name === source)?.kinds.find(({ kind }) => kind === 'ServiceEntry');
}

/** Pages of the scene, by what a picture of each is called. */
export const scenePages = {
  overview: '/',
  source: `/ui/sources/${names.most}`,
  long: `/ui/sources/${names.long}`,
  kind: '/ui/kinds/ServiceEntry',
  resource: `/ui/kinds/ServiceEntry/${nameOf(0)}`,
  'long-resource': `/ui/kinds/ServiceEntry/${longName}`,
  streams: '/ui/streams',
  changes: '/ui/changes',
  quarantine: '/ui/quarantine',
  conflicts: '/ui/conflicts',
  search: '/ui/search?q=service-',
  index: '/debug/',
} as const;
