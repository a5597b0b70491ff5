import { beforeEach, describe, expect, test } from 'vitest';
import type { LabelReason } from '../../../src/model/label-reasons.ts';
import type { CensusView } from '../../../src/model/census.ts';
import type { StreamView } from '../../../src/xds/ads-server.ts';
import { RevisionWatch } from '../../../src/xds/revision-watch.ts';
import type { LabelledView } from '../../../src/xds/revisions.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

let clock: FakeClock;
let log: MemoryLogger;
let streams: StreamView[];
let refreshes: number;
let isCurrent: boolean;
let broken: boolean;
let watch: RevisionWatch;

const census: CensusView = {
  of: () => undefined,
  refresh: async () => {
    if (broken) throw new Error('no');
    refreshes++;
    return isCurrent;
  },
};

function labelled(reason: LabelReason, parts: Partial<LabelledView> = {}): LabelledView {
  const fate = reason === 'takes_all' ? 'taken' : 'dropped';
  return {
    kind: 'Gateway',
    fate,
    reason,
    why: 'so it is',
    resources: 1,
    labels: { canary: 1 },
    names: ['x/1'],
    ...parts,
  };
}

function stream(node: string, ...views: readonly LabelledView[]): StreamView {
  const shown = { id: 1, peer: 'p', profile: '1.12-and-newer', version: '1.18', revision: '', since: '' };
  return { ...shown, node, types: [], labelled: views };
}

/** Something happens, and time passes. */
async function look(ms = 30_000): Promise<void> {
  watch.poke();
  await clock.run(ms);
}

beforeEach(() => {
  clock = new FakeClock();
  log = new MemoryLogger();
  streams = [];
  refreshes = 0;
  isCurrent = true;
  broken = false;
  watch = new RevisionWatch({ clock, log, census, streams: () => streams });
});

describe('looks', () => {
  test('only where an istiod is connected', async () => {
    await look();
    expect([refreshes, clock.timers]).toEqual([0, 0]);
  });

  test('a second after the first thing that happens, then every 30 s at most', async () => {
    streams = [stream('a')];
    watch.poke();
    await clock.run(999);
    expect(refreshes).toBe(0);
    await clock.run(1);
    expect(refreshes).toBe(1);
    for (let i = 0; i < 29; i++) await look(1000);
    expect(refreshes).toBe(1);
    await clock.run(1000);
    expect(refreshes).toBe(2);
    await clock.run(3_600_000);
    expect(refreshes, 'nothing has happened').toBe(2);
    await look(1000);
    expect(refreshes).toBe(3);
  });

  test('again where something has changed that was not counted, until it is', async () => {
    streams = [stream('a')];
    isCurrent = false;
    watch.poke();
    await clock.run(31_000);
    expect(refreshes).toBe(2);
    isCurrent = true;
    await clock.run(3_600_000);
    expect(refreshes).toBe(3);
  });

  test('no more once it is closed', async () => {
    streams = [stream('a', labelled('no_revision'))];
    watch.poke();
    watch.close();
    await look();
    expect([refreshes, log.lines]).toEqual([0, []]);
  });
});

test('says where it cannot look, and looks again', async () => {
  streams = [stream('a', labelled('no_revision'))];
  broken = true;
  await look();
  expect(log.of('error')).toEqual(['labels istio.io/rev could not be counted']);
  broken = false;
  await look();
  expect(log.of('warn')).toHaveLength(1);
});

describe('says', () => {
  test('once what an istiod drops, with why and with what to do', async () => {
    const gateways = labelled('no_revision', { names: ['x/1', 'x/2', 'x/3', 'x/4', 'x/5', 'x/6'], resources: 9 });
    streams = [stream('a', gateways, labelled('no_revision', { kind: 'Sidecar', labels: { stable: 1 } }))];
    await look();
    await look();
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message: 'an istiod drops resources because of their label istio.io/rev: so it is',
        fields: {
          node: 'a',
          version: '1.18',
          revision: '',
          reason: 'no_revision',
          resources: { Gateway: 9, Sidecar: 1 },
          labels: ['canary', 'stable'],
          examples: ['Gateway x/1', 'Gateway x/2', 'Gateway x/3', 'Gateway x/4', 'Gateway x/5'],
          hint: expect.stringContaining('docs/revisions.md'),
        },
      },
    ]);
  });

  test('each reason, and each istiod', async () => {
    streams = [stream('a', labelled('no_revision')), stream('b', labelled('no_revision'))];
    await look();
    expect(log.of('warn')).toHaveLength(2);
    streams = [stream('a', labelled('no_revision'), labelled('other_revision')), stream('b', labelled('no_revision'))];
    await look();
    expect(log.of('warn')).toHaveLength(3);
  });

  test('nothing again when the stream of an istiod is a new one', async () => {
    streams = [stream('a', labelled('no_revision'))];
    await look();
    streams = [];
    await look(600_000);
    streams = [stream('a', labelled('no_revision'))];
    await look();
    expect(log.of('warn')).toHaveLength(1);
  });

  test('it again where it had ended meanwhile', async () => {
    for (const views of [[labelled('no_revision')], [], [labelled('no_revision')]]) {
      streams = [stream('a', ...views)];
      await look();
    }
    expect(log.of('warn')).toHaveLength(2);
  });

  test('without alarm that an istiod takes all', async () => {
    streams = [stream('a', labelled('takes_all'))];
    await look();
    expect([log.of('warn'), log.of('info')]).toEqual([
      [],
      [expect.stringMatching(/^an istiod takes resources although/)],
    ]);
  });

  test('of 1000 istiods; the one of which it was longest ago is forgotten', async () => {
    const names = Array.from({ length: 1001 }, (_, i) => `n${i}`);
    streams = names.map((name) => stream(name, labelled('no_revision')));
    await look();
    expect(log.of('warn')).toHaveLength(1001);
    streams = [stream('n1000', labelled('no_revision')), stream('n0', labelled('no_revision'))];
    await look();
    expect(log.of('warn')).toHaveLength(1002);
  });
});
