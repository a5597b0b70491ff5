import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { encodeResourceMessage } from '../../src/wire/resource-view.ts';
import { run } from '../support/cli.ts';
import { invalidEntry } from '../support/service-entries.ts';
import { field } from '../support/wire-bytes.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { freePort } from './support/ports.ts';
import { service, serviceEntries, ServiceSource, services } from './support/service-source.ts';
import { until } from './support/until.ts';

type Difference = { status: string; kind: string; name: string; why?: string; fields?: object[] };

type Report = {
  verdict: string;
  bridge: { resources: number };
  istiods: {
    compared: boolean;
    equal: number;
    elsewhere: object;
    configSources: string[];
    differences: Difference[];
    notCompared: object[];
    passedOver: { kind: string; name: string; what: string[] }[];
  }[];
  problems: { code: string; severity: string; what: string }[];
};

const peers = ['istiod', 'istiod-1.16.5'] as const;

/** Neither is ever ready by `/ready` without Kubernetes from 1.17 on. */
async function verify(isthmus: Isthmus, istiods: readonly Istiod[], ...more: readonly string[]) {
  const { code, stdout, stderr } = await run(
    'migrate',
    'verify',
    `--bridge=127.0.0.1:${isthmus.xdsPort}`,
    `--admin=http://127.0.0.1:${isthmus.adminPort}`,
    ...istiods.map(({ url }) => `--istiod=${url}`),
    '--no-readiness',
    '--revision=',
    '--output=json',
    ...more,
  );
  if (stdout === '') throw new Error(stderr);
  return { code, stderr, ...(JSON.parse(stdout) as Report) };
}

const differences = ({ istiods }: Report) =>
  istiods.map((one) => one.differences.map(({ status, name }) => `${status} ${name}`));

describeWithPeers('isthmus migrate verify, beside istiod 1.24.0 and 1.16.5', peers, (binaries) => {
  const lab = useLab();
  let source: ServiceSource;
  let isthmus: Isthmus;
  /** The one that both istiods are fed by. */
  let istiods: Istiod[];

  beforeAll(async () => {
    source = await ServiceSource.create(lab);
    source.change(services(20));
    isthmus = await Isthmus.create(lab, { sourcePort: source.port, source: { collections: [serviceEntries] } });
    await isthmus.start();
    const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    istiods = [
      await Istiod.create(lab, binaries.istiod, address, 'istiod-1.24.0'),
      await Istiod.create(lab, binaries['istiod-1.16.5'], address, 'istiod-1.16.5'),
    ];
    for (const istiod of istiods) await istiod.start();
  });

  it('after a start all is equal, in the name of either version', async () => {
    for (const version of ['1.16', '1.24']) {
      const report = await verify(isthmus, istiods, '--to-version', version);
      expect([report.code, report.verdict, report.problems]).toEqual([0, 'equal', []]);
      expect(report.istiods.map(({ equal, elsewhere }) => [equal, elsewhere])).toEqual([
        [20, {}],
        [20, {}],
      ]);
    }
  });

  it('what changes at the source is equal again, with --wait', async () => {
    source.change([service(3, { revision: 1 }), service(20)], [service(4).key]);
    await source.heard();
    const report = await verify(isthmus, istiods, '--wait', '60s');
    expect([report.code, report.istiods.map(({ equal }) => equal)]).toEqual([0, [20, 20]]);
    // It is the new state that both have.
    for (const istiod of istiods) expect(await istiod.configzKeys()).toEqual(new Set(source.manifests().keys()));
    source.change(services(20), [service(20).key]);
    await source.heard();
    expect((await verify(isthmus, istiods, '--wait', '60s')).code).toBe(0);
  });

  it('a bridge that serves something else: each one that is changed, missing or left over is named', async () => {
    const other = await ServiceSource.create(lab);
    other.change([...services(20), service(21)].filter((_, i) => i !== 7));
    other.change([service(5, { revision: 2 })]);
    const bridge = await Isthmus.create(lab, {
      sourcePort: other.port,
      source: { collections: [serviceEntries] },
      name: 'isthmus-other',
    });
    await bridge.start();
    await until('the other bridge is complete', () => bridge.synced());
    const report = await verify(bridge, istiods);
    const expected = ['changed shop/s-0005', 'extra shop/s-0007', 'missing shop/s-0021'];
    expect([report.code, report.verdict, ...differences(report)]).toEqual([1, 'different', expected, expected]);
    for (const istiod of report.istiods) {
      expect(istiod.equal).toBe(18);
      expect(istiod.differences[0]?.fields).toEqual([
        { path: 'metadata.labels.revision', bridge: 'r2', istiod: 'r0' },
        { path: 'spec.endpoints[0].address', bridge: '10.2.0.5', istiod: '10.0.0.5' },
      ]);
    }
  });

  it('one that istiod refuses, and one that nobody can send, are told with their reasons', async () => {
    const nobody = encodeResourceMessage({ name: 'shop/empty', bodyType: '', body: Buffer.alloc(0) });
    source.lie(source.manifests().values(), field(3, invalidEntry('shop/invalid')), field(3, nobody));
    await until(
      'the bridge has it',
      async () => ((await isthmus.page('/debug/quarantine')) as { resources: object[] }).resources.length === 2,
    );
    const report = await verify(isthmus, istiods);
    expect([report.code, ...differences(report)]).toEqual([1, ['refused shop/invalid'], ['refused shop/invalid']]);
    expect(report.istiods[0]?.differences[0]?.why).toContain('port');
    expect(report.istiods.map(({ equal }) => equal)).toEqual([20, 20]);
    expect(report.problems).toEqual([
      expect.objectContaining({ code: 'QUARANTINED', what: expect.stringContaining('shop/empty') as string }),
    ]);
    source.tellTruth();
    expect((await verify(isthmus, istiods, '--wait', '60s')).code).toBe(0);
  });

  it('an istiod that is not fed by the bridge lacks everything, and the report says why', async () => {
    const folder = lab.folder('empty-config');
    mkdirSync(folder, { recursive: true });
    const alone = await Istiod.create(lab, binaries.istiod, `fs://${folder}`, 'istiod-alone');
    await alone.start();
    const report = await verify(isthmus, [alone]);
    expect([report.code, report.istiods[0]?.equal, differences(report)[0]?.length]).toEqual([1, 0, 20]);
    expect(report.problems.map(({ code }) => code)).toEqual(['NOT_PATCHED']);
    await alone.kill();
  });

  it('an istiod that is gone is no difference; one that comes back is waited for', async () => {
    const [istiod] = istiods as [Istiod, ...Istiod[]];
    await istiod.kill();
    const gone = await verify(isthmus, istiods);
    expect([gone.code, gone.verdict, ...gone.istiods.map(({ compared }) => compared)]).toEqual([
      3,
      'unknown',
      false,
      true,
    ]);
    const running = verify(isthmus, istiods, '--wait', '120s');
    await istiod.start();
    const back = await running;
    expect([back.code, back.istiods.map(({ equal }) => equal)]).toEqual([0, [20, 20]]);
  });
});

/** One file per kind; between them they hold every field that Isthmus knows. */
const samples = join(import.meta.dirname, '../unit/schema/fixtures/samples');

describeWithPeers('isthmus migrate verify, every field of every kind', peers, (binaries) => {
  const lab = useLab();

  it('what istiod takes is equal as it prints it, up to fields that it does not know', async () => {
    const port = await freePort();
    lab.launch({
      name: 'legacy-server',
      command: process.execPath,
      args: [
        join(import.meta.dirname, '../../dist/src/main.js'),
        'legacy-server',
        samples,
        `--listen=127.0.0.1:${port}`,
      ],
    });
    const isthmus = await Isthmus.create(lab, { sourcePort: port });
    await isthmus.start();
    await until('the bridge is complete', () => isthmus.synced());
    const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    const istiods = [
      await Istiod.create(lab, binaries.istiod, address, 'istiod-1.24.0'),
      await Istiod.create(lab, binaries['istiod-1.16.5'], address, 'istiod-1.16.5'),
    ];
    for (const istiod of istiods) await istiod.start();
    const report = await verify(isthmus, istiods);
    for (const [i, istiod] of istiods.entries()) {
      const found = report.istiods[i];
      const held = await istiod.configzKeys();
      expect(found?.equal).toBe(held.size);
      expect(held.size).toBeGreaterThan(15);
      // What it refuses, by rules that differ between versions; nothing is changed, and nothing left over.
      const statuses = new Set(found?.differences.map(({ status }) => status));
      expect([...statuses].filter((status) => status !== 'missing' && status !== 'refused')).toEqual([]);
      expect(held.size + (found?.differences.length ?? 0)).toBe(report.bridge.resources);
      expect(found?.notCompared).toEqual([]);
      expect(found?.passedOver).toContainEqual(
        expect.objectContaining({
          name: 'foo/httpbin',
          what: expect.arrayContaining(['spec.rules[0].from[0].source.serviceAccounts']) as string[],
        }),
      );
    }
    expect(report.problems.map(({ code }) => code)).toContain('PASSED_OVER');
  });
});
