import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import { Bridge } from '../../support/bridge.ts';
import { run, startServe } from '../../support/cli.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { versionsOf, XdsPeer } from '../../support/xds-peer.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const patient = { shutdownGrace: '60s' };

/** Resources that a new istiod is given. */
async function givenBy(xds: number): Promise<string[]> {
  const peer = XdsPeer.connect(xds);
  peer.subscribe(se);
  return Object.keys(versionsOf(await peer.response(se)));
}

const filesIn = (stateDir: string) =>
  readdirSync(join(stateDir, 'last-known-good'))
    .filter((name) => name !== 'lock')
    .toSorted();

const namesOf = async (bridge: Bridge) => (await bridge.page<OriginView[]>('/debug/origins')).map(({ name }) => name);

/** The state folder of a bridge of two sources that has ended, and the one of them that is in the config still. */
async function left(gone: Readonly<Record<string, string>> = { 'b/1': 'x', 'b/2': 'x' }) {
  const stateDir = tempFolder();
  const kept = await ServingSource.listen({ 'a/1': 'x' });
  const other = await ServingSource.listen(gone);
  const keptConfig = sourceAt('kept', kept.port);
  const first = await Bridge.of({ ...patient, stateDir, sources: [keptConfig, sourceAt('gone', other.port)] });
  await first.complete();
  await first.app.stop();
  return { stateDir, other, settings: { ...patient, stateDir, sources: [keptConfig] } };
}

describe('a bridge that is started without a source that it had before', () => {
  test('serves what it had, says so, and does not dial it', async () => {
    const { settings, stateDir, other } = await left();
    const bridge = await Bridge.of(settings);
    await bridge.complete();
    expect(await givenBy(bridge.ports.xds)).toEqual(['a/1', 'b/1', 'b/2']);
    const origins = await bridge.page<OriginView[]>('/debug/origins');
    expect(origins.map(({ name, address }) => [name, address === null])).toEqual([
      ['kept', false],
      ['gone', true],
    ]);
    expect(other.source.streams).toHaveLength(1);
    expect(bridge.log.lines.filter(({ level }) => level === 'warn')[0]?.fields).toMatchObject({
      source: 'gone',
      resources: { ServiceEntry: 2 },
      hint: expect.stringContaining('confirmRemoval: [gone]'),
    });
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^! source gone is in the config no more, .*: 2 ServiceEntry;/m),
    ]);
    expect((await run('check', bridge.adminUrl, '-o', 'json')).stdout).toContain('SOURCE_RETIRED');
    await bridge.app.stop();
    expect(filesIn(stateDir)).toContain('gone.ServiceEntry.state');
  });

  test('and does so after any number of restarts', async () => {
    const { settings } = await left();
    for (let i = 0; i < 3; i++) {
      const bridge = await Bridge.of(settings);
      await bridge.complete();
      expect(await givenBy(bridge.ports.xds)).toEqual(['a/1', 'b/1', 'b/2']);
      await bridge.app.stop();
    }
  });

  test('lets it go where that is confirmed, with its files', async () => {
    const { settings, stateDir } = await left();
    const bridge = await Bridge.of({ ...settings, confirmRemoval: ['gone'] });
    await bridge.complete();
    expect([await givenBy(bridge.ports.xds), await namesOf(bridge)]).toEqual([['a/1'], ['kept']]);
    expect(bridge.log.lines.find(({ message }) => message.includes('have left'))?.fields).toEqual({
      source: 'gone',
      resources: { ServiceEntry: 2 },
    });
    await until('its files are gone', () => !existsSync(join(stateDir, 'last-known-good/gone.ServiceEntry.state')));
    await bridge.app.stop();
    const next = await Bridge.of(settings);
    await next.complete();
    expect(await namesOf(next)).toEqual(['kept']);
  });

  test('lets it go while it runs, with its files', async () => {
    const { settings, stateDir } = await left();
    const bridge = await Bridge.of(settings);
    await bridge.complete();
    await bridge.reload({ ...settings, confirmRemoval: ['gone'] });
    await bridge.app.stop();
    expect(filesIn(stateDir).filter((name) => !name.startsWith('kept.'))).toEqual([]);
  });

  test('forgets it where it had nothing', async () => {
    const { settings, stateDir } = await left({});
    const bridge = await Bridge.of(settings);
    await bridge.complete();
    expect([await givenBy(bridge.ports.xds), await namesOf(bridge)]).toEqual([['a/1'], ['kept']]);
    await bridge.app.stop();
    expect(filesIn(stateDir).some((name) => name.startsWith('gone'))).toBe(false);
  });

  test('takes it back where the config names it again', async () => {
    const { settings, other } = await left();
    const bridge = await Bridge.of(settings);
    await bridge.complete();
    other.publish({ 'b/2': 'x', 'b/3': 'x' });
    await bridge.reload({ ...settings, sources: [...settings.sources, sourceAt('gone', other.port)] });
    await until('it has spoken', async () => (await givenBy(bridge.ports.xds)).join() === 'a/1,b/2,b/3');
  });

  test('can not serve a file that is damaged, says so, and leaves it there', async () => {
    const { settings, stateDir } = await left();
    writeFileSync(join(stateDir, 'last-known-good/gone.ServiceEntry.state'), 'damaged');
    const bridge = await Bridge.of(settings);
    await bridge.complete();
    expect(bridge.log.of('error')[0]).toMatch(/^a last-known-good file can't be read: /);
    await bridge.app.stop();
    expect(filesIn(stateDir)).toContain('gone.ServiceEntry.state.damaged');
  });
});

test('an istiod that connects while the files are read is given all of it or nothing, never a type without it', async () => {
  const many = Object.fromEntries(Array.from({ length: 3000 }, (_, i) => [`b/${String(i).padStart(4, '0')}`, 'x']));
  const { stateDir } = await left(many);
  // Nobody in the config may have a ServiceEntry: else the type would wait for him.
  const { xds } = await startServe('--state-dir', stateDir);
  expect(await givenBy(xds)).toHaveLength(3001);
});
