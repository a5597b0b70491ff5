import { beforeEach, describe, expect, test } from 'vitest';
import { ResourcePool } from '../../../src/model/resource.ts';
import { viewed } from '../../../src/wire/bytes.ts';
import { readRow } from '../../../src/wire/resource-frame.ts';
import { viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { bogusNonce, FakeIstiod, nodeIds, versionsIn } from '../../support/fake-istiod.ts';
import { requireKind, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { settle } from '../../support/settle.ts';
import { StoreLab } from '../../support/store-lab.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const oldSe = 'networking.istio.io/v1alpha3/ServiceEntry';
const we = 'networking.istio.io/v1/WorkloadEntry';
const gateway = 'networking.istio.io/v1/Gateway';
const telemetry = 'telemetry.istio.io/v1/Telemetry';
const meshConfig = 'core/v1alpha1/MeshConfig';

let lab: StoreLab;

/** Long enough for a gathering and a gap, too short for an ACK to be overdue. */
const pass = (ms = 1000) => lab.clock.run(ms);

/** A source that has one ServiceEntry and no WorkloadEntry. */
async function synced(): Promise<void> {
  await lab.say('a', serviceEntry, { 'x/1': 'one' });
  await lab.say('a', workloadEntry, {});
  await pass();
}

beforeEach(() => {
  lab = new StoreLab();
  lab.addOrigin('a', serviceEntry, workloadEntry);
});

describe('the first request of a type', () => {
  beforeEach(synced);

  test.each([
    ['the made-up nonce of istiod', bogusNonce],
    ['no nonce', ''],
    ['the nonce of an earlier stream', '1'],
  ])('subscribes with %s', async (_what, responseNonce) => {
    const istiod = new FakeIstiod(lab);
    istiod.request({ typeUrl: se, responseNonce, node: { id: nodeIds.from112, cluster: '' } });
    await pass();
    expect(istiod.took()).toEqual([se]);
  });

  test('is answered with everything, under the version of the snapshot', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(se);
    await pass();
    const snapshot = lab.store.snapshot(serviceEntry.id);
    const { versionInfo, resources } = istiod.last(se);
    expect(versionInfo).toBe(snapshot?.version);
    expect(resources.map(({ typeUrl }) => typeUrl)).toEqual(['type.googleapis.com/istio.mcp.v1alpha1.Resource']);
    const [resource] = resources.map(({ value }) => viewResourceBytes(value));
    expect(resource).toMatchObject({
      name: 'x/1',
      version: snapshot && readRow(snapshot.pool, snapshot.rows[0] as number).version,
      bodyType: 'istio.networking.v1alpha3.ServiceEntry',
    });
  });

  test('gets back exactly the type URL that was asked for, both spellings on one stream too', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(se, oldSe);
    await pass();
    expect(istiod.responses.map(({ typeUrl }) => typeUrl)).toEqual([se, oldSe]);
    expect(versionsIn(istiod.last(oldSe))).toEqual(versionsIn(istiod.last(se)));
    await lab.say('a', serviceEntry, { 'x/2': 'two' });
    istiod.took();
    await pass();
    expect(istiod.took()).toEqual([se, oldSe]);
  });

  test('waits for the others that come within a few milliseconds; the answers leave in their order', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(gateway);
    await pass(4);
    istiod.ask(we);
    await pass(4);
    istiod.ask(se);
    expect(istiod.responses).toEqual([]);
    await pass(4);
    expect(istiod.responses.map(({ typeUrl }) => typeUrl)).toEqual([gateway, we, se]);
    expect(new Set(istiod.responses.map(({ at }) => at)).size).toBe(1);
  });

  test('that comes late is answered in a burst of its own, after the gap', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(se);
    await pass(20);
    istiod.ask(we);
    await pass();
    const [first, second] = istiod.responses;
    expect([first?.typeUrl, second?.typeUrl]).toEqual([se, we]);
    expect((second?.at ?? 0) - (first?.at ?? 0)).toBeGreaterThanOrEqual(250);
  });
});

describe('types that are never answered', () => {
  beforeEach(synced);

  test('MeshConfig is one, whenever and however often it is asked for', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(meshConfig, se, meshConfig);
    await pass();
    istiod.request({ typeUrl: meshConfig });
    await lab.say('a', serviceEntry, {});
    await pass();
    expect(istiod.took()).toEqual([se, se]);
    expect(istiod.exchange.nodeId).toBe(nodeIds.from112);
  });

  test.each([
    'type.googleapis.com/envoy.config.cluster.v3.Cluster',
    'type.googleapis.com/envoy.config.listener.v3.Listener',
    'istio/networking/v1alpha3/serviceentries',
    'ServiceEntry',
    '',
    '//',
    'a//c',
    `a/b/${'c'.repeat(300)}`,
  ])('%j is one', async (typeUrl) => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(typeUrl, typeUrl);
    await pass();
    expect(istiod.took()).toEqual([]);
    expect(istiod.ended).toBeUndefined();
    istiod.ask(se);
    await pass();
    expect(istiod.took()).toEqual([se]);
  });

  test('what was not asked for is one', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(we);
    await lab.say('a', serviceEntry, { 'x/2': 'two' });
    await pass();
    expect(istiod.took()).toEqual([we]);
  });
});

describe('before the sources have spoken', () => {
  test('types that nobody may hold are answered empty at once, the others when they are complete', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask(se, telemetry, we, gateway);
    await pass();
    expect(istiod.responses.map(({ typeUrl, resources }) => [typeUrl, resources.length])).toEqual([
      [telemetry, 0],
      [gateway, 0],
    ]);
    istiod.took();
    await pass(3_600_000);
    expect(istiod.took()).toEqual([]);

    await lab.say('a', serviceEntry, { 'x/1': 'one' });
    await pass();
    expect(istiod.responses.map(({ typeUrl, resources }) => [typeUrl, resources.length])).toEqual([[se, 1]]);
    istiod.took();
    await lab.say('a', workloadEntry, {});
    await pass();
    expect(istiod.responses.map(({ typeUrl, resources }) => [typeUrl, resources.length])).toEqual([[we, 0]]);
  });

  test('a type waits while one of its two origins has not spoken', async () => {
    lab.addOrigin('b', serviceEntry);
    const istiod = new FakeIstiod(lab);
    istiod.ask(se, we);
    await synced();
    await pass();
    expect(istiod.took()).toEqual([we]);
    await lab.say('b', serviceEntry, { 'x/2': 'two' });
    await pass();
    expect(Object.keys(versionsIn(istiod.last(se)))).toEqual(['x/1', 'x/2']);
  });

  test('a type that nobody knows is answered empty, once', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.ask('networking.istio.io/v9/Novelty', 'acme.example/v1/Thing');
    await pass();
    expect(istiod.responses.map(({ typeUrl, resources }) => [typeUrl, resources.length])).toEqual([
      ['networking.istio.io/v9/Novelty', 0],
      ['acme.example/v1/Thing', 0],
    ]);
    await synced();
    await pass();
    expect(istiod.responses).toHaveLength(2);
    expect(lab.reported.of('pushed').map(([kind]) => kind)).toEqual(['other', 'other']);
  });
});

describe('a change', () => {
  let istiod: FakeIstiod;

  beforeEach(async () => {
    await synced();
    istiod = new FakeIstiod(lab);
    istiod.ask(se, we, telemetry);
    await pass();
    istiod.took();
  });

  test('is pushed for its own type only', async () => {
    await lab.say('a', serviceEntry, { 'x/1': 'one', 'x/2': 'two' });
    await pass();
    expect(Object.keys(versionsIn(istiod.last(se)))).toEqual(['x/1', 'x/2']);
    expect(istiod.took()).toEqual([se]);
  });

  test('keeps the version of every untouched resource', async () => {
    istiod.ask(oldSe);
    await pass();
    const before = versionsIn(istiod.last(oldSe));
    await lab.say('a', serviceEntry, { 'x/1': 'one', 'x/2': 'two' });
    await pass();
    expect(versionsIn(istiod.last(se))).toMatchObject(before);
  });

  test('of several types within a debounce is one burst', async () => {
    await lab.say('a', workloadEntry, { 'x/1': 'one' });
    await lab.say('a', serviceEntry, {});
    await pass();
    expect(istiod.responses.map(({ at }) => at)).toEqual([istiod.responses[0]?.at, istiod.responses[0]?.at]);
    expect(istiod.took()).toEqual([se, we]);
  });

  test('that comes while an answer is owed waits, and only the newest state follows', async () => {
    istiod.acknowledges = false;
    for (const content of ['b', 'c', 'd', 'e']) {
      await lab.say('a', serviceEntry, { 'x/1': content });
      await pass();
    }
    expect(istiod.responses).toHaveLength(1);
    istiod.acknowledges = true;
    istiod.ack(istiod.last(se));
    await pass();
    expect(istiod.responses).toHaveLength(2);
    expect(istiod.last(se).versionInfo).toBe(lab.store.snapshot(serviceEntry.id)?.version);
  });

  test('that is taken back while an answer is owed is not pushed', async () => {
    istiod.acknowledges = false;
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass();
    for (const content of ['three', 'two']) {
      await lab.say('a', serviceEntry, { 'x/1': content });
      await pass();
    }
    istiod.ack(istiod.last(se));
    await pass();
    expect(istiod.responses).toHaveLength(1);
  });

  test('is told to the operator with its type, and its ACK with its time', async () => {
    istiod.acknowledges = false;
    lab.reported.calls.length = 0;
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass(4050);
    istiod.ack(istiod.last(se));
    expect(lab.reported.of('pushed')).toEqual([['ServiceEntry', expect.any(Number), 'change', 0]]);
    expect(lab.reported.of('pushAcked')).toEqual([['ServiceEntry', 4]]);
  });
});

describe('an answer', () => {
  let istiod: FakeIstiod;

  beforeEach(async () => {
    await synced();
    istiod = new FakeIstiod(lab);
    istiod.acknowledges = false;
    istiod.ask(se, we);
    await pass();
  });

  const subscription = (typeUrl: string) =>
    Array.from(istiod.exchange.subscriptions).find((s) => s.typeUrl === typeUrl);

  test('with a stale nonce counts for nothing', async () => {
    const response = istiod.last(se);
    istiod.ack({ ...response, nonce: bogusNonce });
    istiod.ack({ ...response, nonce: '' });
    istiod.ack({ ...response, nonce: istiod.last(we).nonce });
    istiod.nack({ ...response, nonce: '999' });
    expect(subscription(se)).toMatchObject({ pending: true, ackedVersion: undefined, nack: undefined });
    istiod.ack(response);
    istiod.ack(response);
    istiod.nack(response);
    expect(subscription(se)).toMatchObject({ pending: false, ackedVersion: response.versionInfo, nack: undefined });
    expect(lab.reported.of('pushAcked')).toHaveLength(1);
    expect(lab.reported.of('pushNacked')).toHaveLength(0);
  });

  test('that is a NACK is not argued with: the type comes again with its next version', async () => {
    istiod.nack(istiod.last(se), 'what is this');
    istiod.ack(istiod.last(we));
    await lab.say('a', workloadEntry, { 'x/1': 'one' });
    await pass();
    expect(istiod.took()).toEqual([se, we, we]);
    expect(subscription(se)).toMatchObject({ nack: 'what is this', ackedVersion: undefined });
    expect(lab.reported.of('pushNacked')).toEqual([['ServiceEntry']]);
  });

  test('that is a NACK is forgotten after an ACK of the next version', async () => {
    istiod.nack(istiod.last(se));
    istiod.acknowledges = true;
    istiod.ack(istiod.last(we));
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass();
    expect(istiod.last(se).versionInfo).toBe(lab.store.snapshot(serviceEntry.id)?.version);
    expect(subscription(se)).toMatchObject({ nack: undefined, ackedVersion: istiod.last(se).versionInfo });
  });

  test('that does not come is reported once for each type that waits, and ends the stream after 5 min', async () => {
    istiod.ack(istiod.last(we));
    await pass(29_000);
    expect(lab.reported.of('ackOverdue')).toEqual([]);
    await pass(2000);
    expect(lab.reported.of('ackOverdue')).toEqual([['ServiceEntry']]);
    await pass(300_000);
    expect(istiod.ended).toMatchObject({ code: 14, at: 300_010 + 1000 });
    expect(lab.reported.of('pushStreamEnded')).toEqual([['ack_timeout']]);
    expect(lab.clock.timers).toBe(0);
  });
});

describe('a new stream', () => {
  test('gets everything again, with the same versions', async () => {
    await synced();
    const first = new FakeIstiod(lab);
    first.ask(se, we, telemetry);
    await pass();
    first.exchange.close();
    const second = new FakeIstiod(lab);
    second.ask(se, we, telemetry);
    await pass();
    const gist = ({ responses }: FakeIstiod) =>
      responses.map((response) => [response.typeUrl, response.versionInfo, versionsIn(response)]);
    expect(gist(second)).toEqual(gist(first));
    expect(gist(second)).toHaveLength(3);
  });

  test('gets the same versions from a bridge that was started anew', async () => {
    await synced();
    const istiod = new FakeIstiod(lab);
    istiod.ask(se);
    await pass();
    lab = new StoreLab();
    lab.addOrigin('a', serviceEntry, workloadEntry);
    await synced();
    const again = new FakeIstiod(lab);
    again.ask(se);
    await pass();
    expect(versionsIn(again.last(se))).toEqual(versionsIn(istiod.last(se)));
    expect(again.last(se).versionInfo).toBe(istiod.last(se).versionInfo);
  });

  test('does not wait for the answers of another one', async () => {
    await synced();
    const slow = new FakeIstiod(lab);
    slow.take = () => new Promise(() => {});
    slow.ask(se);
    await pass();
    const quick = new FakeIstiod(lab);
    quick.ask(se);
    await pass();
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass();
    expect(quick.responses).toHaveLength(2);
    expect(slow.responses).toHaveLength(1);
  });
});

describe('an istiod up to 1.11', () => {
  let istiod: FakeIstiod;
  let log: MemoryLogger;
  const large = { 'x/large': 'x'.repeat(5 << 20) };

  beforeEach(async () => {
    await synced();
    log = new MemoryLogger();
    istiod = new FakeIstiod(lab, nodeIds.upTo111, { recycleMs: 600_000, log });
    istiod.ask(meshConfig, oldSe, 'networking.istio.io/v1alpha3/WorkloadEntry');
    await pass();
  });

  test('gets every resource without a version, and the response with one', () => {
    expect(istiod.exchange.profile?.name).toBe('up-to-1.11');
    expect(versionsIn(istiod.last(oldSe))).toEqual({ 'x/1': '' });
    expect(istiod.last(oldSe).versionInfo).toBe(lab.store.snapshot(serviceEntry.id)?.version);
  });

  test('beside a newer one takes nothing away from it', async () => {
    const newer = new FakeIstiod(lab);
    newer.ask(se);
    await pass();
    expect(versionsIn(newer.last(se))['x/1']).toMatch(/^[\w-]{16}$/);
  });

  test('is not sent a type over 4 MiB, but all others, and the type again once it is smaller', async () => {
    istiod.took();
    lab.reported.calls.length = 0;
    await lab.say('a', serviceEntry, large);
    await lab.say('a', workloadEntry, { 'x/1': 'one' });
    await pass();
    expect(istiod.took()).toEqual(['networking.istio.io/v1alpha3/WorkloadEntry']);
    expect(lab.reported.of('pushTooLarge')).toEqual([['ServiceEntry']]);
    expect(istiod.ended).toBeUndefined();
    await lab.say('a', workloadEntry, { 'x/1': 'two' });
    await pass();
    expect(lab.reported.of('pushTooLarge'), 'one alarm for each version').toHaveLength(1);
    istiod.acknowledges = false;
    await lab.say('a', serviceEntry, { 'x/2': 'two' });
    await pass();
    expect(versionsIn(istiod.last(oldSe))).toEqual({ 'x/2': '' });
    expect(Array.from(istiod.exchange.subscriptions, ({ tooLarge }) => tooLarge)).toEqual([undefined, undefined]);
  });

  describe('of a response that grows', () => {
    const mib4 = 4 << 20;
    const first = () => [...istiod.exchange.subscriptions][0];

    /** Sends so many characters; returns the size of the response that came of it, sent or not. */
    const grow = async (length: number): Promise<number> => {
      await lab.say('a', serviceEntry, { 'x/1': 'x'.repeat(length) });
      await pass();
      const { sent, tooLarge } = first() ?? {};
      return tooLarge?.bytes ?? sent?.bytes ?? 0;
    };
    /** The same, until the response has this size. */
    const growTo = async (bytes: number): Promise<void> => {
      const length = bytes - (await grow(bytes - 1000)) + bytes - 1000;
      expect(await grow(length)).toBe(bytes);
    };

    test('is sent one of exactly 4 MiB, and none of a byte more', async () => {
      await growTo(mib4);
      expect(istiod.last(oldSe).bytes).toHaveLength(mib4);
      expect(first()?.tooLarge).toBeUndefined();
      istiod.took();
      await growTo(mib4 + 1);
      expect(first()?.tooLarge?.bytes).toBe(mib4 + 1);
      expect(istiod.took(), 'what was sent on the way').toEqual([oldSe]);
    });

    test('warns once when it comes near, and once when it is more', async () => {
      const border = Math.ceil(0.8 * mib4);
      await growTo(border - 1);
      expect(log.of('warn')).toEqual([]);
      await growTo(border);
      expect(log.of('warn')).toEqual(['a type is nearly too large for this istiod']);
      expect(log.lines.findLast(({ level }) => level === 'warn')?.fields).toMatchObject({
        typeUrl: oldSe,
        bytes: border,
        limit: mib4,
      });
      await grow(border - 10_000);
      await growTo(mib4);
      expect(log.of('warn')).toHaveLength(1);
      for (const more of [1, 2, 3]) await grow(mib4 + more);
      expect(log.of('error')).toEqual(['a type is too large for this istiod']);
      expect(lab.reported.of('pushTooLarge')).toHaveLength(3);
      await growTo(mib4);
      expect(log.of('warn').at(-1)).toBe('a type fits this istiod again, and is sent');
      await grow(1000);
      expect(log.of('info').at(-1)).toBe('a type is far from what this istiod can receive again');
      await growTo(border);
      expect(log.of('warn')).toHaveLength(3);
    });
  });

  test('is shown as cured when the type shrinks to what it had', async () => {
    const isTooLarge = () => Array.from(istiod.exchange.subscriptions, ({ tooLarge }) => tooLarge !== undefined);
    await lab.say('a', serviceEntry, large);
    await pass();
    expect(isTooLarge()).toEqual([true, false]);
    istiod.took();
    await lab.say('a', serviceEntry, { 'x/1': 'one' });
    await pass();
    expect(istiod.took()).toEqual([]);
    expect(isTooLarge()).toEqual([false, false]);
    await lab.say('a', serviceEntry, large);
    await pass();
    expect(lab.reported.of('pushTooLarge')).toHaveLength(2);
    expect(log.of('error'), 'an alarm for each time').toHaveLength(2);
  });

  test('is never sent away: not for its age, not for its silence', async () => {
    istiod.acknowledges = false;
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass(24 * 3_600_000);
    expect(istiod.ended).toBeUndefined();
    expect(lab.reported.of('ackOverdue')).toEqual([['ServiceEntry']]);
    istiod.acknowledges = true;
    istiod.ack(istiod.last(oldSe));
    istiod.took();
    await lab.say('a', serviceEntry, { 'x/1': 'three' });
    await pass();
    expect(istiod.took()).toEqual([oldSe]);
    expect(istiod.ended).toBeUndefined();
  });

  test('is what the operator says it is', async () => {
    const named = new FakeIstiod(lab, nodeIds.from112, { istiodVersion: '1.11' });
    named.ask(oldSe);
    await pass();
    expect(versionsIn(named.last(oldSe))).toEqual({ 'x/1': '' });
  });
});

test('a newer istiod is sent types of any size', async () => {
  await lab.say('a', serviceEntry, { 'x/large': 'x'.repeat(5 << 20) });
  await pass();
  const istiod = new FakeIstiod(lab);
  istiod.ask(se);
  await pass();
  expect(istiod.last(se).resources[0]?.value.length).toBeGreaterThan(5 << 20);
  expect(lab.reported.of('pushTooLarge')).toEqual([]);
});

test('a newer istiod is not sent a response of more than 2 GiB, which it cannot receive', async () => {
  const pool = new ResourcePool();
  // A row that says so, without the bytes: what is too large is not even put together.
  const chunk = Object.assign(viewed(Buffer.alloc(1)), { liveBytes: 0 });
  const layout = { head: 0, metadata: 0, time: 0 };
  const row = pool.add(chunk, 0, 2 ** 31 - 20, { h1: 1, h2: 2, h3: 3 }, layout);
  const snapshot = {
    kind: serviceEntry.id,
    version: 'v',
    identity: 'i',
    pool,
    rows: Int32Array.of(row),
    stamps: Int32Array.of(0),
    bytes: 0,
  };
  const store = { isExpected: () => true, snapshot: () => snapshot, onChange: () => () => {} };
  const istiod = new FakeIstiod(Object.create(lab, { store: { value: store } }) as StoreLab);
  istiod.ask(se);
  await pass();
  expect(istiod.responses).toEqual([]);
  expect(lab.reported.of('pushTooLarge')).toEqual([['ServiceEntry']]);
  expect([...istiod.exchange.subscriptions][0]?.tooLarge?.bytes).toBeGreaterThan(2 ** 31 - 1);
});

describe('a stream grows old', () => {
  beforeEach(synced);

  test.each([
    [0, 480_000],
    [0.5, 600_000],
    [0.999_999, 720_000],
  ])('after 10 min ± 20 %%: with chance %d after about %d ms', async (chance, age) => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: 600_000, random: () => chance });
    const { clock } = lab;
    const born = clock.now();
    istiod.ask(se);
    await pass(3_600_000);
    expect(istiod.ended).toMatchObject({ code: 0 });
    expect(Math.abs((istiod.ended?.at ?? 0) - born - age)).toBeLessThan(1);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['recycled']]);
    expect(clock.timers).toBe(0);
  });

  test('and is ended only when nothing is owed', async () => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: 600_000 });
    istiod.ask(se, we);
    await pass(599_000);
    istiod.acknowledges = false;
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await lab.say('a', workloadEntry, { 'x/1': 'two' });
    await pass(60_000);
    expect(istiod.ended).toBeUndefined();
    istiod.ack(istiod.last(we));
    expect(istiod.ended).toBeUndefined();
    istiod.ack(istiod.last(se));
    expect(istiod.ended).toMatchObject({ code: 0 });
  });

  test('and is ended as soon as its last response was taken, where the answer came before', async () => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: 600_000 });
    istiod.ask(se);
    await pass(599_000);
    istiod.acknowledges = false;
    let taken: () => void = () => {};
    istiod.take = () =>
      new Promise((resolve) => {
        taken = resolve;
      });
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass(10_000);
    istiod.ack(istiod.last(se));
    expect(istiod.ended).toBeUndefined();
    taken();
    await settle();
    expect(istiod.ended).toMatchObject({ code: 0 });
  });

  test('but not where that was switched off', async () => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: undefined });
    istiod.ask(se);
    await pass(24 * 3_600_000);
    expect(istiod.ended).toBeUndefined();
    expect(lab.clock.timers).toBe(0);
  });
});

describe('a stream is ended', () => {
  beforeEach(synced);

  test('with INVALID_ARGUMENT for bytes that are no request', async () => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: 600_000 });
    istiod.ask(se);
    istiod.exchange.onRequest(Buffer.from([0xff]));
    expect(istiod.ended).toMatchObject({ code: 3 });
    expect(lab.clock.timers).toBe(0);
    await pass();
    expect(istiod.took()).toEqual([]);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['refused']]);
  });

  test('with RESOURCE_EXHAUSTED for a 65th type', async () => {
    const istiod = new FakeIstiod(lab);
    const types = Array.from({ length: 65 }, (_, i) => `acme.example/v1/Thing${i}`);
    istiod.ask(...types.slice(0, 64));
    await pass();
    expect(istiod.took()).toHaveLength(64);
    expect(istiod.ended).toBeUndefined();
    istiod.ask(types[64] ?? '');
    expect(istiod.ended).toMatchObject({ code: 8 });
    await pass();
    expect(istiod.took()).toEqual([]);
  });

  test('with UNAVAILABLE at a shutdown', () => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: 600_000 });
    istiod.exchange.shutdown();
    istiod.exchange.shutdown();
    expect(istiod.ended).toMatchObject({ code: 14 });
    expect(lab.reported.of('pushStreamEnded')).toEqual([['shutdown']]);
    expect(lab.clock.timers).toBe(0);
  });

  test('with UNAVAILABLE when its peer takes no bytes for a minute', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.take = () => new Promise(() => {});
    istiod.ask(se, we);
    await pass(120_000);
    expect(istiod.ended).toMatchObject({ code: 14 });
    expect(istiod.took()).toEqual([se]);
    expect(lab.reported.of('pushStreamEnded')).toEqual([['send_timeout']]);
    expect(lab.clock.timers).toBe(0);
  });

  test('with UNAVAILABLE when the transport fails', async () => {
    const istiod = new FakeIstiod(lab);
    istiod.take = () => Promise.reject(new Error('cancelled'));
    istiod.ask(se, we);
    await pass();
    expect(istiod.ended).toMatchObject({ code: 14 });
    expect(lab.reported.of('pushStreamEnded')).toEqual([['failed']]);
  });

  test('by its peer: that is counted, once, and not where we ended it', () => {
    const istiod = new FakeIstiod(lab);
    istiod.exchange.close();
    istiod.exchange.close();
    expect(lab.reported.of('pushStreamEnded')).toEqual([['peer']]);
    const other = new FakeIstiod(lab);
    other.exchange.shutdown();
    other.exchange.close();
    expect(lab.reported.of('pushStreamEnded')).toEqual([['peer'], ['shutdown']]);
    expect(istiod.ended).toBeUndefined();
  });
});

describe('after a stream is over nothing is sent', () => {
  beforeEach(synced);

  test('whatever is asked, and whatever changes', async () => {
    const istiod = new FakeIstiod(lab, nodeIds.from112, { recycleMs: 600_000 });
    istiod.ask(se);
    istiod.exchange.close();
    expect(lab.clock.timers).toBe(0);
    istiod.ask(we);
    istiod.exchange.onRequest(Buffer.from([0xff]));
    await lab.say('a', serviceEntry, { 'x/1': 'two' });
    await pass(1_000_000);
    expect(istiod.took()).toEqual([]);
    expect(istiod.ended).toBeUndefined();
  });

  test('of a burst that was under way', async () => {
    const istiod = new FakeIstiod(lab);
    let taken: () => void = () => {};
    istiod.take = () =>
      new Promise((resolve) => {
        taken = resolve;
      });
    istiod.ask(se, we);
    await pass();
    istiod.exchange.close();
    taken();
    await pass(1_000_000);
    expect(istiod.took()).toEqual([se]);
    expect(lab.clock.timers).toBe(0);
  });
});

test('kinds are told apart by group as well as by name', async () => {
  const policy = requireKind('AuthorizationPolicy', 'security.istio.io');
  lab.addOrigin('b', policy);
  const istiod = new FakeIstiod(lab);
  istiod.ask('security.istio.io/v1/AuthorizationPolicy', 'networking.istio.io/v1/AuthorizationPolicy');
  await pass();
  expect(istiod.took()).toEqual(['networking.istio.io/v1/AuthorizationPolicy']);
});
