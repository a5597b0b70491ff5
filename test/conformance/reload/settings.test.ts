import { describe, expect, test } from 'vitest';
import type { HoldView, ReloadReport } from '../../../src/admin/views.ts';
import { Bridge } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { occupyPort } from '../../support/listeners.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { until } from '../../support/until.ts';

type Config = { readonly reload: ReloadReport; readonly guard: object; readonly debounce: object };

const configOf = (bridge: Bridge) => bridge.page<Config>('/debug/config');

describe('settings of a config that is read again', () => {
  test('of the guard and the debounce are in force at once', async () => {
    const server = await ServingSource.listen({ 'a/1': 'x', 'a/2': 'x' });
    const sources = [sourceAt('one', server.port)];
    const bridge = await Bridge.of({ sources });
    await bridge.complete();
    await bridge.reload({ sources, guard: { hold: '0s' }, debounce: { after: '2ms', max: '3ms' } });
    server.publish({});
    await until('all is gone', async () => {
      const [snapshot] = await bridge.page<{ resources: number }[]>('/debug/snapshot');
      return snapshot?.resources === 0;
    });
    server.publish({ 'a/1': 'x', 'a/2': 'x' });
    await until('all is back', async () => {
      const [snapshot] = await bridge.page<{ resources: number }[]>('/debug/snapshot');
      return snapshot?.resources === 2;
    });
    await bridge.reload({ sources });
    server.publish({});
    await until('it is held', async () => (await bridge.page<HoldView[]>('/debug/guard')).length === 1);
    expect(await configOf(bridge)).toMatchObject({
      guard: { hold: 300_000 },
      debounce: { after: 1 },
      reload: { failed: null, needsRestart: [] },
    });
  });

  test('of listeners and the like wait for a restart, which is said; the others are taken', async () => {
    const bridge = await Bridge.of({ sources: [] });
    const settings = {
      sources: [],
      xds: { listen: '127.0.0.1:1', minGap: '0s' },
      stateDir: '/none',
      guard: { hold: '7s' },
    };
    await bridge.reload(settings);
    const { reload, guard } = await configOf(bridge);
    expect(guard).toMatchObject({ hold: 7000 });
    expect(reload.needsRestart).toEqual([
      { setting: 'xds.listen', inForce: { host: '127.0.0.1', port: 0 }, wanted: { host: '127.0.0.1', port: 1 } },
      { setting: 'xds.minGap', inForce: 250, wanted: 0 },
      { setting: 'stateDir', inForce: null, wanted: '/none' },
    ]);
    expect(bridge.log.of('warn').at(-1)).toBe(
      'some settings of the config need a restart of the bridge; the others are in force',
    );
    expect(await (await bridge.fetch('/metrics')).text()).toContain('isthmus_config_pending_settings 3');
    const { code, stdout } = await run('status', bridge.adminUrl);
    expect([code, stdout]).toEqual([
      1,
      expect.stringMatching(/^! xds\.minGap needs a restart: 0 is in the config, 250 in force$/m),
    ]);
    await bridge.reload({ sources: [] });
    expect((await configOf(bridge)).reload.needsRestart).toEqual([]);
    expect((await run('status', bridge.adminUrl)).code).toBe(0);
  });

  test('that are wrong change nothing, and are said everywhere, until a good config is read', async () => {
    const server = await ServingSource.listen({ 'a/1': 'x' });
    const sources = [sourceAt('one', server.port)];
    const bridge = await Bridge.of({ sources, guard: { hold: '9s' } });
    await bridge.complete();
    const { reload: before } = await configOf(bridge);
    await bridge.reload({ sources: [], guard: { hold: 'soon' } });
    const { reload, guard } = await configOf(bridge);
    expect([guard, reload.readAt]).toEqual([expect.objectContaining({ hold: 9000 }), before.readAt]);
    expect(reload.failed?.message).toContain('soon');
    expect(server.source.streams.map(({ closed }) => closed)).toEqual([false]);
    expect(bridge.log.of('error')[0]).toMatch(/^the config can't be read again; what was in force stays: /);
    expect(await (await bridge.fetch('/metrics')).text()).toContain('isthmus_config_reload_failed 1');
    expect((await run('status', bridge.adminUrl)).stdout).toMatch(/^! the config could not be read again at 20/m);
    expect((await run('check', bridge.adminUrl, '-o', 'json')).stdout).toContain('CONFIG_NOT_IN_FORCE');
    await bridge.reload({ sources, guard: { hold: '8s' } });
    expect((await configOf(bridge)).reload.failed).toBeNull();
    const metrics = await (await bridge.fetch('/metrics')).text();
    expect(metrics).toContain('isthmus_config_reload_failed 0');
    const [, readAt = ''] = /^isthmus_config_read_timestamp_seconds (.*)$/m.exec(metrics) ?? [];
    expect(Number(readAt) * 1000).toBeGreaterThanOrEqual(Date.parse(before.readAt));
  });
});

test('a source that can not be reached any more is served as it was, through any number of readings', async () => {
  const server = await ServingSource.listen({ 'a/1': 'x' });
  const bridge = await Bridge.of({ sources: [sourceAt('one', server.port)] });
  await bridge.complete();
  const port = await occupyPort();
  for (const max of ['1s', '2s', '3s']) {
    await bridge.reload({ sources: [sourceAt('one', port)], debounce: { after: '1ms', max } });
  }
  const [snapshot] = await bridge.page<{ resources: number; complete: boolean }[]>('/debug/snapshot');
  expect(snapshot).toMatchObject({ resources: 1, complete: true });
});
