import { beforeAll, expect, it } from 'vitest';
import { skipWhere } from '../support/skip-where.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { readLegacyServer } from './support/legacy-client.ts';
import { listeners, listenersKnown } from './support/listeners.ts';
import { Nacos } from './support/nacos.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

const web = 'ServiceEntry/public/web.DEFAULT-GROUP.public';
const orders = 'ServiceEntry/public/orders.DEFAULT-GROUP.public';

type Spec = {
  readonly hosts?: readonly string[];
  readonly endpoints?: readonly { readonly address: string; readonly labels?: Readonly<Record<string, string>> }[];
};

describeWithPeers('Nacos 2.0.4 → Isthmus → istiod 1.24.0', ['nacos-2.0.4', 'istiod'], (binaries) => {
  const lab = useLab();
  let nacos: Nacos;
  let isthmus: Isthmus;
  let istiod: Istiod;

  /** Addresses of a service in istiod; undefined where it has none of that name. */
  const addresses = async (key: string) =>
    ((await istiod.configz()).get(key)?.spec as Spec | undefined)?.endpoints?.map(({ address }) => address).toSorted();

  /** Returns once istiod has the service at these addresses. */
  const isAt = (key: string, ...wanted: readonly string[]) =>
    until(`${key} is at ${wanted.join()}`, async () => (await addresses(key))?.join() === wanted.join());

  beforeAll(async () => {
    nacos = await Nacos.create(lab, binaries['nacos-2.0.4']);
    await nacos.start();
    await nacos.register('web', '10.0.0.1', 8080, { zone: 'a' });
    await nacos.register('orders', '10.0.1.1', 9090);
    isthmus = await Isthmus.create(lab, { sourcePort: nacos.mcpPort, source: { profile: 'auto' } });
    await isthmus.start();
    istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
    await istiod.start();
  });

  it('gives istiod the services that are registered, and nothing else', async () => {
    await isAt(web, '10.0.0.1');
    await isAt(orders, '10.0.1.1');
    const served = await readLegacyServer(nacos.mcpPort);
    expect([...(await istiod.configz()).keys()].toSorted()).toEqual([...served.keys()].toSorted());
    const spec = (await istiod.configz()).get(web)?.spec as Spec;
    expect(spec.hosts).toEqual(['web.DEFAULT-GROUP.public.nacos']);
    expect(spec.endpoints?.[0]?.labels).toMatchObject({ zone: 'a' });
  });

  it('knows by its messages which Nacos it is', async () => {
    const [origin] = (await isthmus.page('/debug/origins')) as readonly { readonly profile: object }[];
    expect(origin?.profile).toMatchObject({ configured: 'auto', looksLike: 'nacos-2', notInForce: [] });
  });

  it('gives it what changes: instances that are added, replaced and removed', async () => {
    await nacos.register('web', '10.0.0.2', 8080);
    await isAt(web, '10.0.0.1', '10.0.0.2');
    await nacos.deregister('web', '10.0.0.1', 8080);
    await isAt(web, '10.0.0.2');
    await nacos.register('mail', '10.0.2.1', 25);
    await isAt('ServiceEntry/public/mail.DEFAULT-GROUP.public', '10.0.2.1');
    expect(await addresses(orders)).toEqual(['10.0.1.1']);
  });

  it('takes from it a service whose last instance has gone', async () => {
    await nacos.deregister('orders', '10.0.1.1', 9090);
    await until('it has no address of it', async () => ((await addresses(orders)) ?? []).length === 0);
    expect(await addresses(web)).toEqual(['10.0.0.2']);
  });

  it('the control: istiod that is pointed at Nacos itself, which speaks MCP-over-xDS, gets nothing', async () => {
    const direct = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${nacos.mcpPort}`, 'istiod-direct');
    direct.launch();
    await until('it has heard of ServiceEntries', () => direct.responses('ServiceEntry') > 0);
    expect((await direct.configz()).size).toBe(0);
    expect(await addresses(web)).toEqual(['10.0.0.2']);
  });

  it('runs on servers that listen on 127.0.0.1 only', (context) => {
    skipWhere(!listenersKnown, 'only Linux says what a process listens on, in /proc', context);
    const open = [nacos, isthmus, istiod].flatMap(({ pid }) => listeners(pid));
    expect(open.length).toBeGreaterThan(5);
    expect(open.filter(({ loopback }) => !loopback)).toEqual([]);
  });
});
