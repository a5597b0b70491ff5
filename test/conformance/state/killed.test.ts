import { cpSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { StateReport } from '../../../src/admin/views.ts';
import { freePort } from '../../peers/support/ports.ts';
import { Bridge } from '../../support/bridge.ts';
import { entry, LegacySource } from '../../support/legacy-source.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

// A bridge that is killed: its files are older than what istiods were told.

const collection = 'istio/networking/v1alpha3/serviceentries';
const hasty = { random: () => 0.02 };

const known = { 'shop/orders': 'a', 'shop/users': 'b' };
const all = { ...known, 'shop/carts': 'c' };

/** What a bridge leaves that was killed before `shop/carts` was in its files; its source is gone too. */
async function killed(): Promise<{ port: number; settings: object }> {
  const stateDir = tempFolder();
  const source = await ServingSource.listen(known);
  const { port } = source;
  const settings = { xds: { listen: `127.0.0.1:${await freePort()}` }, sources: [sourceAt('galley', port)] };
  const bridge = await Bridge.of({ ...settings, stateDir, shutdownGrace: '60s' }, hasty);
  await bridge.complete();
  await until('all is saved', async () => {
    const { files } = await bridge.page<StateReport>('/debug/state');
    return files.length > 0 && files.every(({ isDue }) => !isDue);
  });
  const left = tempFolder();
  cpSync(stateDir, left, { recursive: true });
  source.publish(all);
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.has({ 'shop/carts': 'c' });
  await bridge.app.stop();
  await source.source.kill();
  return { port, settings: { ...settings, stateDir: left } };
}

describe('a bridge that was killed', () => {
  test('sends nothing older than its source says, however slow that is', async () => {
    const { port, settings } = await killed();
    const slow = await LegacySource.listen(port);
    const bridge = await Bridge.of(settings, hasty);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    const stream = await slow.stream(1);
    await until('it is asked', () => stream.asked.length > 0);
    expect((await bridge.fetch('/syncz')).status).toBe(503);
    stream.send({ collection, resources: Object.entries(all).map(([name, host]) => entry(name, host)) });
    await istiod.has({ 'shop/carts': 'c' });
    expect(istiod.history.filter((held) => !('shop/carts' in held))).toEqual([]);
    await slow.kill();
  });

  test('sends what it knows at once where the source is gone', async () => {
    const { settings } = await killed();
    const bridge = await Bridge.of(settings, hasty);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.has(known);
  });

  test('sends what it knows after a while where the source says nothing', async () => {
    const { port, settings } = await killed();
    const mute = await LegacySource.listen(port);
    const bridge = await Bridge.of(settings, hasty);
    const istiod = WatchingIstiod.connect(bridge.ports.xds);
    await istiod.has(known);
    await mute.kill();
  });
});
