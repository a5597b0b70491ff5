import { describe, expect, test } from 'vitest';
import type { ConflictPage, HoldView } from '../../../src/admin/views.ts';
import { bodies } from '../../../src/wire/root.ts';
import { Bridge } from '../../support/bridge.ts';
import { resource } from '../../support/legacy-source.ts';
import { serviceEntry, serviceEntryBody } from '../../support/resources.ts';
import { serviceAt, type Spec } from '../../support/service-specs.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

// Two legacy servers, a whole bridge and a client in istiod's place, over sockets.

type Policy = 'precedence' | 'mergeEndpoints';
type Services = Readonly<Record<string, readonly string[]>>;

/** A source that is asked again soon. */
const hasty = { random: () => 0.02 };

/** Says that these are all the services of a source; name → addresses. */
function publish(source: ServingSource, services: Services): void {
  const resources = Object.entries(services).map(([name, addresses]) =>
    resource(name, 'ServiceEntry', serviceEntryBody(serviceAt(...addresses))),
  );
  source.publish({}, ...resources);
}

/** Servers that have these services, for as long as the test lasts. */
async function serve(services: Services, port = 0): Promise<ServingSource> {
  const source = await ServingSource.listen({}, port);
  publish(source, services);
  return source;
}

const ofA: Services = { 'shop/orders': ['10.0.0.1', '10.0.0.2'], 'shop/a': ['10.0.0.1'] };
const ofB: Services = { 'shop/orders': ['10.0.0.2', '10.0.0.3'], 'shop/b': ['10.0.0.3'] };

class Lab {
  readonly a: ServingSource;
  readonly b: ServingSource;
  readonly bridge: Bridge;
  readonly istiod: WatchingIstiod;

  private constructor(a: ServingSource, b: ServingSource, bridge: Bridge) {
    this.a = a;
    this.b = b;
    this.bridge = bridge;
    this.istiod = WatchingIstiod.connect(bridge.ports.xds);
  }

  static async start(sameKey: Policy, order: 'a first' | 'b first' = 'a first'): Promise<Lab> {
    const a = await serve(ofA);
    const b = await serve(ofB);
    return new Lab(a, b, await Lab.bridge(sameKey, a, b, order));
  }

  static async bridge(sameKey: Policy, a: ServingSource, b: ServingSource, order = 'a first'): Promise<Bridge> {
    const sources = [sourceAt('a', a.port), sourceAt('b', b.port)];
    if (order === 'b first') sources.reverse();
    const bridge = await Bridge.of(
      { sources, conflicts: { sameKey }, xds: { listen: '127.0.0.1:0', minGap: '1ms' } },
      hasty,
    );
    await bridge.complete();
    return bridge;
  }

  /** Returns once istiod has exactly these services. */
  async has(services: Services): Promise<void> {
    await until(`istiod has ${JSON.stringify(services)}`, () => {
      expect(addressesIn(this.istiod)).toEqual(services);
      return true;
    });
  }

  conflicts(): Promise<ConflictPage & { next: string | null }> {
    return this.bridge.page('/debug/conflicts');
  }

  /** Returns once the bridge has another stream to a source, on which it has heard what there is. */
  async reconnected(source: ServingSource, streams: number): Promise<void> {
    await until('the bridge has dialled anew, and has its answer', () => {
      const stream = source.source.streams.find((one, i) => i >= streams && !one.closed);
      return stream !== undefined && stream.acked.length > 0;
    });
  }
}

function addressesIn({ resources }: WatchingIstiod): Services {
  const type = bodies().lookupType(serviceEntry.body);
  return Object.fromEntries(
    Array.from(resources, ([name, { body }]) => {
      const { endpoints = [] } = type.toObject(type.decode(body.value)) as Spec;
      return [name, endpoints.map(({ address }) => address)];
    }),
  );
}

const sent = {
  'precedence, a first': ['10.0.0.1', '10.0.0.2'],
  'precedence, b first': ['10.0.0.2', '10.0.0.3'],
  'mergeEndpoints, a first': ['10.0.0.1', '10.0.0.2', '10.0.0.3'],
  'mergeEndpoints, b first': ['10.0.0.2', '10.0.0.3', '10.0.0.1'],
} as const;

const cases = Object.entries(sent).map(([name, addresses]) => {
  const [policy, order] = name.split(', ') as [Policy, 'a first' | 'b first'];
  return { policy, order, orders: addresses };
});

describe.each(cases)('$policy, $order', ({ policy, order, orders }) => {
  const all: Services = { 'shop/orders': orders, 'shop/a': ['10.0.0.1'], 'shop/b': ['10.0.0.3'] };

  test('is sent once, and told with both sources', async () => {
    const lab = await Lab.start(policy, order);
    await lab.has(all);
    const { counts, conflicts, next } = await until('it is found', async () => {
      const page = await lab.conflicts();
      // All name the same host: that comes in a moment.
      return page.conflicts.length > 1 && page;
    });
    const sources = order === 'a first' ? ['a', 'b'] : ['b', 'a'];
    const reason = policy === 'precedence' ? 'precedence' : 'merged';
    expect(conflicts).toMatchObject([
      { kind: 'ServiceEntry', resource: 'shop/orders', host: null, sources, reason },
      { kind: 'ServiceEntry', resource: null, host: 'orders.example.com', sources, reason: 'same_host' },
    ]);
    expect(Date.parse(conflicts[0]?.since ?? '')).toBeLessThanOrEqual(Date.now());
    expect(counts.map((one) => [one.reason, one.count, one.leavesOut])).toEqual([
      [reason, 1, policy === 'precedence'],
      ['same_host', 1, false],
    ]);
    expect(next).toBeNull();
    const metrics = await (await lab.bridge.fetch('/metrics')).text();
    expect(metrics).toContain(`isthmus_conflicts{kind="ServiceEntry",reason="${reason}"} 1`);
    const level = policy === 'precedence' ? 'warn' : 'info';
    expect(lab.bridge.log.of(level)).toContain('several sources hold the same resource');
  });

  test('a reconnect of either source, in any order, sends nothing anew', async () => {
    const lab = await Lab.start(policy, order);
    await lab.has(all);
    const { length } = lab.istiod.peer.responses;
    for (const source of [lab.b, lab.a, lab.a, lab.b]) {
      const { streams } = source.source;
      const before = streams.length;
      (await source.live()).end(14, 'going away');
      await lab.reconnected(source, before);
    }
    publish(lab.b, { ...ofB, 'shop/new': ['10.0.0.9'] });
    await lab.has({ ...all, 'shop/new': ['10.0.0.9'] });
    expect(lab.istiod.peer.responses).toHaveLength(length + 1);
  });

  test('the first source loses it: the other form follows in the same push, and it is back as it was', async () => {
    const lab = await Lab.start(policy, order);
    await lab.has(all);
    const [first, ofFirst, ofOther] = order === 'a first' ? [lab.a, ofA, ofB] : [lab.b, ofB, ofA];
    publish(first, { ...ofFirst, 'shop/orders': [] });
    const rest = policy === 'precedence' ? [] : ofOther['shop/orders'];
    await lab.has({ ...all, 'shop/orders': rest ?? [] });
    const { 'shop/orders': gone, ...without } = ofFirst;
    expect(gone).toBeDefined();
    publish(first, without);
    await lab.has({ ...all, 'shop/orders': ofOther['shop/orders'] ?? [] });
    await until('the conflict is over', async () =>
      (await lab.conflicts()).conflicts.every((one) => one.resource === null),
    );
    publish(first, ofFirst);
    await lab.has(all);
    expect(lab.istiod.lost('shop/orders', 'shop/a', 'shop/b')).toEqual([]);
  });

  test('replicas agree, byte for byte, whoever answered first', async () => {
    const lab = await Lab.start(policy, order);
    await lab.has(all);
    const late = await serve({});
    const other = WatchingIstiod.connect((await Lab.bridge(policy, lab.a, late, order)).ports.xds);
    publish(late, { 'shop/orders': ['10.0.0.7'] });
    publish(late, ofB);
    const bytes = ({ peer }: WatchingIstiod) => {
      const last = peer.responses.at(-1);
      return [last?.versionInfo, last?.resources.map(({ value }) => Buffer.from(value).toString('hex'))];
    };
    await until('both have the same', () => {
      expect(bytes(other)).toEqual(bytes(lab.istiod));
      return true;
    });
  });
});

describe.each(['precedence', 'mergeEndpoints'] as const)('%s: a source that restarts and is empty', (policy) => {
  test.each(['a', 'b'] as const)('%s, keeps all that it had while it is held, and after it is back', async (name) => {
    const lab = await Lab.start(policy);
    const all: Services = {
      'shop/orders': sent[`${policy}, a first`],
      'shop/a': ['10.0.0.1'],
      'shop/b': ['10.0.0.3'],
    };
    await lab.has(all);
    const { length } = lab.istiod.peer.responses;
    const { source, port } = lab[name];
    await source.kill();
    const again = await serve({}, port);
    const [hold] = await until('it is held', async () => {
      const holds = await lab.bridge.page<HoldView[]>('/debug/guard');
      return holds.length > 0 && holds;
    });
    expect(hold).toMatchObject({ origin: name, removals: 2, reason: 'emptied' });
    expect((await lab.conflicts()).conflicts[0]).toMatchObject({ resource: 'shop/orders', sources: ['a', 'b'] });
    const others = name === 'a' ? lab.b : lab.a;
    publish(again, name === 'a' ? ofA : ofB);
    await until('it is held no more', async () => (await lab.bridge.page<HoldView[]>('/debug/guard')).length === 0);
    publish(others, { ...(name === 'a' ? ofB : ofA), 'shop/new': ['10.0.0.9'] });
    await lab.has({ ...all, 'shop/new': ['10.0.0.9'] });
    expect(lab.istiod.peer.responses, 'nothing but that was sent').toHaveLength(length + 1);
    expect(lab.istiod.lost(...Object.keys(all))).toEqual([]);
  });
});
