import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, it } from 'vitest';
import { checkAllHold, checkNeverBelow } from './checks.ts';
import { FaultChain, faultPeers } from './support/fault-chain.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { service, services } from './support/service-source.ts';
import { until } from './support/until.ts';

const holdMs = 5_000;
const hourMs = 60 * 60_000;
/** Its source is asked again after the hold, and what it answers has to stand as long. */
const believedMs = 2 * holdMs;

const preload = fileURLToPath(new URL('../support/clock-shift.mjs', import.meta.url));

type OriginsPage = readonly { readonly kinds: readonly { readonly lastMessageAt: string | null }[] }[];

describeWithPeers('A source of services, two istiods, and a guard that holds for 5 s', faultPeers, (binaries) => {
  const lab = useLab();
  let clock = '';
  let chain: FaultChain;

  beforeAll(async () => {
    clock = join(lab.root, 'clock');
    writeFileSync(clock, '0');
    const env = { NODE_OPTIONS: `--import=${preload}`, ISTHMUS_TEST_CLOCK: clock };
    chain = await FaultChain.create(lab, binaries, { guardHold: `${holdMs / 1000}s`, env });
    chain.source.change([...services(20, { namespace: 'kept' }), ...services(60, { namespace: 'gone' })]);
    await chain.start();
  });

  /** The wall clock of Isthmus is off by so much from now on. */
  function setClock(offsetMs: number): void {
    writeFileSync(clock, String(offsetMs));
    process.kill(chain.isthmus.pid, 'SIGUSR2');
  }

  /** By the wall clock of Isthmus, its source spoke last so long ago. */
  async function lastMessageAgeMs(): Promise<number> {
    const [origin] = (await chain.isthmus.page('/debug/origins')) as OriginsPage;
    return Date.now() - Date.parse(origin?.kinds[0]?.lastMessageAt ?? '');
  }

  /** A whole namespace is deleted: it stays as long as the guard holds it, and then leaves. */
  async function namespaceLeaves(whileHeld: () => Promise<void>): Promise<void> {
    const { source, isthmus } = chain;
    const gone = services(60, { namespace: 'gone' });
    source.change(gone);
    const confirmed = await chain.holdsEnded('confirmed_by_source');
    let begun = 0;
    await checkNeverBelow(chain, {
      minLooks: 50,
      run: async (watch) => {
        begun = performance.now();
        source.change(
          [],
          gone.map(({ key }) => key),
        );
        await until('all of it is held', async () => (await isthmus.held()) === gone.length);
        await whileHeld();
        // Until then, every look has to find all of it.
        await sleep(begun + believedMs - performance.now());
        watch.release(gone.map(({ key }) => key));
      },
    });
    const tookMs = performance.now() - begun;
    process.stderr.write(`faults: a namespace left ${(tookMs / 1000).toFixed(1)} s after its owner deleted it\n`);
    // Generous, and far from the hour by which a clock may be off.
    expect(tookMs).toBeLessThan(believedMs + 60_000);
    expect(await chain.holdsEnded('confirmed_by_source')).toBe(confirmed + 1);
    expect(chain.manifests().size).toBe(20);
  }

  it('a whole namespace leaves after the hold', async () => {
    await namespaceLeaves(async () => {});
  });

  it('it leaves as soon although the clock is set back an hour meanwhile', async () => {
    await namespaceLeaves(async () => setClock(-hourMs));
    expect(await lastMessageAgeMs()).toBeGreaterThan(hourMs);
    setClock(0);
  });

  it('nothing is lost when the clock is set back an hour: changes, holds, files and restarts go on', async () => {
    const { source, isthmus, istiods } = chain;
    source.change(services(60, { namespace: 'gone' }));
    await checkNeverBelow(chain, {
      minLooks: 50,
      run: async (watch) => {
        setClock(-hourMs);
        source.change([service(0, { namespace: 'kept', revision: 1 })]);
        await checkAllHold(chain);
        expect(await lastMessageAgeMs()).toBeGreaterThan(hourMs - 60_000);

        source.lie([]);
        await until('all of it is held', async () => (await isthmus.held()) === 80);
        source.tellTruth();
        await until('the hold is over', async () => (await isthmus.held()) === 0);

        // It is still back when the next process starts, and reads files of a time that is to come.
        await until('everything is saved', () => isthmus.saved());
        await source.kill();
        await isthmus.kill();
        const answered = istiods.map((istiod) => istiod.responses('ServiceEntry'));
        await isthmus.start();
        await until('both have an answer again', () =>
          istiods.every((istiod, at) => istiod.responses('ServiceEntry') > (answered[at] ?? 0)),
        );
        await watch.looks(5);
        source.change([service(1, { namespace: 'kept', revision: 1 })]);
        await source.start();
        await checkAllHold(chain);

        setClock(0);
        source.change([service(2, { namespace: 'kept', revision: 1 })]);
      },
    });
  });
});
