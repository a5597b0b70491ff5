import { beforeEach, describe, expect, test } from 'vitest';
import { inForceAfter, isSameStream, pendingSettings } from '../../../src/config/changes.ts';
import { Reload } from '../../../src/config/reload.ts';
import { type Config, type ConfigInput, configSchema } from '../../../src/config/schema.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const configOf = (settings: ConfigInput = {}): Config => configSchema.parse(settings);
const source = { name: 'galley', address: 'mcp://galley:9901' };

describe('what a running bridge takes from another config', () => {
  const before = configOf({ stateDir: '/a', xds: { minGap: '1s' }, debounce: { max: '2s' } });

  test('is all but what only a start reads', () => {
    const wanted = configOf({
      stateDir: '/b',
      sources: [source],
      log: { level: 'debug', format: 'text' },
      istiod: { version: '1.24' },
      conflicts: { sameKey: 'mergeEndpoints' },
      quarantine: { invalid: 'report' },
    });
    const inForce = inForceAfter(before, wanted);
    expect(inForce).toEqual({
      ...before,
      sources: wanted.sources,
      log: { level: 'debug', format: 'auto' },
      debounce: wanted.debounce,
    });
    const pending = pendingSettings(inForce, wanted);
    expect(Object.fromEntries(pending.map(({ setting, ...values }) => [setting, values]))).toEqual({
      'xds.minGap': { inForce: 1000, wanted: 250 },
      'log.format': { inForce: 'auto', wanted: 'text' },
      'istiod.version': { inForce: null, wanted: '1.24' },
      stateDir: { inForce: '/a', wanted: '/b' },
      'conflicts.sameKey': { inForce: 'precedence', wanted: 'mergeEndpoints' },
      'quarantine.invalid': { inForce: before.quarantine.invalid, wanted: 'report' },
    });
    expect(pendingSettings(inForceAfter(before, before), before)).toEqual([]);
  });

  test('leaves streams alone whose settings are the same', () => {
    const [one] = configOf({ sources: [source] }).sources as [Config['sources'][number]];
    const other = (more: object) => configOf({ sources: [{ ...source, ...more }] }).sources[0] as typeof one;
    expect([isSameStream(one, other({})), isSameStream(one, other({ syncTimeout: '1s' }))]).toEqual([true, true]);
    for (const more of [
      { address: 'mcp://galley:9902' },
      { incremental: true },
      { maxMessage: '1MiB' },
      { countDropped: true },
    ]) {
      expect([more, isSameStream(one, other(more))]).toEqual([more, false]);
    }
  });
});

describe('readings', () => {
  const clock = new FakeClock();
  let log: MemoryLogger;
  let applied: Config[];
  /** Called once for each reading. */
  let results: (() => Promise<Config>)[];
  let reload: Reload;

  beforeEach(() => {
    log = new MemoryLogger();
    applied = [];
    results = [];
    reload = new Reload({
      file: 'isthmus.yaml',
      read: () => (results.shift() as () => Promise<Config>)(),
      inForce: () => configOf(),
      apply: async (wanted) => void applied.push(wanted),
      clock,
      log,
    });
  });

  test('that are asked for while one is under way become one more', async () => {
    let finish = () => {};
    const first = new Promise<Config>((resolve) => {
      finish = () => resolve(configOf({ shutdownGrace: '1s' }));
    });
    results.push(
      () => first,
      async () => configOf({ shutdownGrace: '2s' }),
    );
    const all = [reload.request(), reload.request(), reload.request()];
    finish();
    await Promise.all(all);
    expect(applied.map(({ shutdownGrace }) => shutdownGrace)).toEqual([1000, 2000]);
    results.push(async () => configOf({ shutdownGrace: '3s' }));
    await reload.request();
    expect(applied).toHaveLength(3);
  });

  test('that fail change nothing, and the next good one is in force', async () => {
    const { readAt } = reload.view;
    clock.advance(1000);
    results.push(
      () => Promise.reject(new Error('no such disk')),
      async () => configOf(),
    );
    await reload.request();
    expect([applied, reload.view.readAt, reload.view.failed]).toEqual([
      [],
      readAt,
      { at: clock.date(), message: 'no such disk', mistakes: [] },
    ]);
    await reload.request();
    expect([applied.length, reload.view.failed, reload.view.readAt]).toEqual([1, undefined, clock.date()]);
  });

  test('that come when the bridge ends, or are read then, change nothing', async () => {
    let finish = () => {};
    const late = new Promise<Config>((resolve) => {
      finish = () => resolve(configOf());
    });
    results.push(() => late);
    const asked = reload.request();
    reload.stop();
    finish();
    await asked;
    await reload.request();
    expect([applied, log.of('info')]).toEqual([[], ['shutting down: the config is not read again']]);
  });

  test('of nothing are said to be that', async () => {
    const none = new Reload({ file: undefined, read: undefined, inForce: configOf, apply: async () => {}, clock, log });
    await none.request();
    expect(log.of('warn')).toEqual(['there is no config file to read again; nothing has changed']);
  });
});
