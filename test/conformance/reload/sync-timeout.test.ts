import { describe, expect, onTestFinished, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import { Bridge } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { LegacySource } from '../../support/legacy-source.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const soon = { syncTimeout: '50ms' };

/** A source that is connected and says nothing. */
async function mute(): Promise<LegacySource> {
  const source = await LegacySource.listen();
  onTestFinished(() => source.kill());
  return source;
}

async function namesGiven(bridge: Bridge, n = 1): Promise<string[]> {
  const peer = XdsPeer.connect(bridge.ports.xds);
  peer.onResponse = (response) => peer.ack(response);
  peer.subscribe(se);
  return Object.keys(versionsOf(await peer.response(se, n)));
}

const syncsOf = async (bridge: Bridge) =>
  Object.fromEntries(
    (await bridge.page<OriginView[]>('/debug/origins')).map(({ name, kinds }) => [name, kinds[0]?.sync]),
  );

describe('a source that says nothing for longer than its syncTimeout', () => {
  async function waited() {
    const one = await ServingSource.listen({ 'a/1': 'x' });
    const source = await mute();
    const settings = { sources: [sourceAt('one', one.port), sourceAt('mute', source.port, soon)] };
    const bridge = await Bridge.of(settings);
    await bridge.complete();
    return { bridge, source };
  }

  test('is waited for no longer: what the others have goes out', async () => {
    const { bridge } = await waited();
    expect(await namesGiven(bridge)).toEqual(['a/1']);
    expect(await syncsOf(bridge)).toEqual({ one: 'synced', mute: 'overdue' });
  });

  test('is an alarm everywhere', async () => {
    const { bridge } = await waited();
    const syncz = await (await bridge.fetch('/syncz')).json();
    expect(syncz).toMatchObject({ complete: true, overdue: [{ kind: 'ServiceEntry', sources: ['mute'] }] });
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_source_overdue{source="mute",kind="ServiceEntry"} 1');
    expect(metrics).toContain('isthmus_source_synced{source="mute",kind="ServiceEntry"} 0');
    expect(bridge.log.lines.filter(({ level }) => level === 'error')[0]?.fields).toMatchObject({
      source: 'mute',
      collections: ['istio/networking/v1alpha3/serviceentries'],
      syncTimeoutMs: 50,
    });
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect(code).toBe(1);
    expect(stdout).toMatch(
      /^! source mute has said nothing of ServiceEntry within its syncTimeout: they count as empty/m,
    );
    expect((await run('check', bridge.adminUrl, '-o', 'json')).stdout).toContain('COLLECTIONS_OVERDUE');
  });

  test('is as any other once it speaks', async () => {
    const { bridge, source } = await waited();
    const [stream] = source.streams;
    stream?.send({ collection: 'istio/networking/v1alpha3/serviceentries', resources: [] });
    await until('it has spoken', async () => (await syncsOf(bridge))['mute'] === 'synced');
    const syncz = await (await bridge.fetch('/syncz')).json();
    expect(syncz).toMatchObject({ complete: true, overdue: [] });
  });
});

test('without a syncTimeout a source is waited for; one that comes with the config is taken at once', async () => {
  const one = await ServingSource.listen({ 'a/1': 'x' });
  const source = await mute();
  const sourcesWith = (more: object) => [sourceAt('one', one.port), sourceAt('mute', source.port, more)];
  const bridge = await Bridge.of({ sources: sourcesWith({}) });
  await until('one has spoken', async () => (await syncsOf(bridge))['one'] === 'synced');
  expect((await bridge.fetch('/syncz')).status).toBe(503);
  await bridge.reload({ sources: sourcesWith(soon) });
  expect(await namesGiven(bridge)).toEqual(['a/1']);
  expect(source.streams, 'its stream has gone on').toHaveLength(1);
});

test('what was only waited for long enough is nothing that the next process believes', async () => {
  const stateDir = tempFolder();
  const source = await mute();
  const settings = { stateDir, shutdownGrace: '60s', sources: [sourceAt('mute', source.port, soon)] };
  const first = await Bridge.of(settings);
  await first.complete();
  await first.app.stop();
  const next = await Bridge.of({ ...settings, sources: [sourceAt('mute', source.port)] });
  expect(await syncsOf(next)).toEqual({ mute: 'waiting' });
  expect((await next.fetch('/syncz')).status).toBe(503);
});

test('what an earlier process knew is no empty collection, however long its source is away', async () => {
  const stateDir = tempFolder();
  const one = await ServingSource.listen({ 'a/1': 'x' });
  const settings = { stateDir, shutdownGrace: '60s', sources: [sourceAt('one', one.port, soon)] };
  const first = await Bridge.of(settings);
  await first.complete();
  await first.app.stop();
  await one.source.kill();
  const other = await mute();
  const next = await Bridge.of({ ...settings, sources: [...settings.sources, sourceAt('mute', other.port, soon)] });
  // The time-outs of both are over then.
  await until('nobody is waited for', async () => (await syncsOf(next))['mute'] === 'overdue');
  expect([await namesGiven(next), (await syncsOf(next))['one']]).toEqual([['a/1'], 'stale']);
});
