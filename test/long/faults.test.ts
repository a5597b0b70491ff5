import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it } from 'vitest';
import { Random, seedOf } from '../support/istiod/random.ts';
import { TcpRelay } from '../support/tcp-relay.ts';
import { messageOf } from '../../src/model/errors.ts';
import { faultPeers } from '../peers/support/fault-chain.ts';
import { faultsPage, hasPassed } from '../peers/support/fault-report.ts';
import { FaultRun } from '../peers/support/fault-run.ts';
import { Isthmus } from '../peers/support/isthmus.ts';
import { Istiod } from '../peers/support/istiod.ts';
import { useLab } from '../peers/support/lab.ts';
import { McpSource } from '../peers/support/mcp-source.ts';
import { describeWithPeers } from '../peers/support/peers.ts';
import { serviceEntries } from '../peers/support/service-source.ts';

const page = join(import.meta.dirname, '../../docs/long-runs/faults.md');
/** Fewer for a trial. */
const changes = Number(process.env['ISTHMUS_FAULT_CHANGES'] ?? 1_000);
const seed = seedOf();

describeWithPeers('istiod 1.24.0 and 1.16.5', [...faultPeers, 'mcp-source-1.8-dev'], (binaries) => {
  const lab = useLab();

  it(`${changes} random changes, with random disconnects and kill -9 of each part (ISTHMUS_SEED=${seed})`, async () => {
    process.stderr.write(`faults: ISTHMUS_SEED=${seed}\n`);
    const source = await McpSource.create(lab, binaries['mcp-source-1.8-dev'], { collections: [serviceEntries] });
    const sourceRelay = await TcpRelay.to(source.port);
    const isthmus = await Isthmus.create(lab, {
      sourcePort: sourceRelay.port,
      source: { collections: [serviceEntries] },
      stateDir: lab.folder('isthmus-state'),
      guardHold: '5m',
    });
    const relays = [await TcpRelay.to(isthmus.xdsPort), await TcpRelay.to(isthmus.xdsPort)] as const;
    const [newer, older] = relays.map(({ port }) => `xds://127.0.0.1:${port}` as const) as [
      `xds://${string}`,
      `xds://${string}`,
    ];
    const seats = [
      { istiod: await Istiod.create(lab, binaries.istiod, newer, 'istiod-1.24.0'), relay: relays[0] },
      { istiod: await Istiod.create(lab, binaries['istiod-1.16.5'], older, 'istiod-1.16.5'), relay: relays[1] },
    ];

    const begun = performance.now();
    const run = await FaultRun.start({ source, sourceRelay, isthmus, seats, random: new Random(seed) });
    let failure: unknown;
    try {
      await run.run(changes);
    } catch (error) {
      failure = error;
    }
    const report = await run.stop();
    const frame = {
      seed,
      durationMs: performance.now() - begun,
      failure: failure === undefined ? undefined : messageOf(failure),
    };
    mkdirSync(dirname(page), { recursive: true });
    writeFileSync(page, faultsPage(report, frame));

    if (!hasPassed(report, frame.failure)) process.stderr.write(`faults: what was done:\n${run.journal.join('\n')}\n`);
    if (failure !== undefined) throw failure;
    expect(report.strange).toEqual([]);
    for (const [name, { lacking, counted }] of report.samples) {
      expect(lacking, `looks at ${name} that lack a service`).toEqual([]);
      expect(counted, `looks at ${name}`).toBeGreaterThan(changes / 5);
    }
    expect(Object.values(report.changes).reduce((sum, times) => sum + times, 0)).toBeGreaterThanOrEqual(changes);
  });
});
