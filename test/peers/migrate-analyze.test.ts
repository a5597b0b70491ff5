import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { allChecks } from '../../migrate/checks/all.ts';
import { runChecks } from '../../migrate/checks/check.ts';
import { deployment, scanTexts, sources } from '../support/migrate/check-cases.ts';
import { useLab } from './support/lab.ts';
import { describeWithPeers } from './support/peers.ts';
import { freePort } from './support/ports.ts';
import { until } from './support/until.ts';

/** What istiod does at its start, as a finding says it or as it is seen. */
type Fate = 'does not start' | 'passes over';

/** Addresses of config sources, and the code of the finding that says what becomes of them. */
const addresses: readonly (readonly [address: string, code: string])[] = [
  ['istio-galley.istio-system.svc:9901', 'ADDRESS_LEGACY'],
  ['localhost:9901', 'ADDRESS_LEGACY'],
  ['10.0.0.1:9901', 'ADDRESS_BARE_IP'],
  ['"[::1]:9901"', 'ADDRESS_BARE_IP'],
  ['my_host:9901', 'ADDRESS_BARE_IP'],
  ['":9901"', 'ADDRESS_BARE_IP'],
  ['mcp://istio-galley:9901', 'ADDRESS_SCHEME'],
  ['dns:///isthmus:15410', 'ADDRESS_SCHEME'],
  ['""', 'ADDRESS_UNUSABLE'],
  ['isthmus', 'ADDRESS_UNUSABLE'],
  ['xds:127.0.0.1:9', 'ADDRESS_UNUSABLE'],
  ['xds:///127.0.0.1:9', 'ADDRESS_UNUSABLE'],
  ['"xds://::1:9"', 'ADDRESS_UNUSABLE'],
  ['xds://127.0.0.1:http', 'ADDRESS_UNUSABLE'],
  ['xds://127.0.0.1:70000', 'ADDRESS_UNUSABLE'],
  ['"xds://is thmus:9"', 'ADDRESS_UNUSABLE'],
  ['fs://', 'ADDRESS_UNUSABLE'],
  ['xds://127.0.0.1', 'ADDRESS_WITHOUT_PORT'],
  ['k8s://cluster/config', 'KUBERNETES_SOURCE_INEXACT'],
  ['xds://name.invalid:15410', 'ADDRESS_HOST'],
];

const flags: readonly (readonly [flag: string, code: string])[] = [
  ['--registries=Consul', 'REGISTRY_REMOVED'],
  ['--registries=MCP', 'REGISTRY_REMOVED'],
  ['--mcpMaxMsgSize=8388608', 'FLAG_REMOVED'],
  ['--mcpServerAddrs=mcp://istio-galley:9901', 'FLAG_REMOVED'],
  ['--consulserverURL=http://consul:8500', 'FLAG_REMOVED'],
];

for (const [peer, version] of [
  ['istiod-1.16.5', '1.16.5'],
  ['istiod', '1.24.0'],
] as const) {
  describeWithPeers(`istiod ${version} does what isthmus migrate analyze says`, [peer], (binaries) => {
    const lab = useLab();
    let starts = 0;

    /** What the finding of that code says of this istiod. */
    function said(text: string, code: string): Fate {
      const findings = runChecks(allChecks, scanTexts({ in: text, target: version }));
      const finding = findings.find((one) => one.code === code);
      const whats = (finding?.left ?? []).map(({ what }) => what);
      const fates = (['does not start', 'passes over'] as const).filter((fate) =>
        whats.some((what) => what.startsWith(fate)),
      );
      expect(fates, `what ${code} says`).toHaveLength(1);
      return fates[0] ?? 'passes over';
    }

    /** What it does. */
    async function seen(mesh: string, more: readonly string[], warning: RegExp | undefined): Promise<Fate> {
      const name = `istiod-${++starts}`;
      writeFileSync(join(lab.folder(name), 'mesh.yaml'), mesh);
      const [grpc, http, monitoring] = [await freePort(), await freePort(), await freePort()];
      const child = lab.launch({
        name,
        command: binaries[peer],
        args: [
          'discovery',
          ...(more.some((flag) => flag.startsWith('--registries')) ? [] : ['--registries=']),
          ...more,
          `--meshConfig=${join(lab.folder(name), 'mesh.yaml')}`,
          '--networksConfig=./none',
          `--grpcAddr=127.0.0.1:${grpc}`,
          `--httpAddr=127.0.0.1:${http}`,
          `--monitoringAddr=127.0.0.1:${monitoring}`,
          '--httpsAddr=',
          '--secureGRPCAddr=',
          '--ctrlz_port=0',
          '--ctrlz_address=127.0.0.1',
        ],
        env: { ENABLE_CA_SERVER: 'false', PILOT_CERT_PROVIDER: 'none', POD_NAMESPACE: 'istio-system', GOMAXPROCS: '2' },
      });
      const isUp = () => child.exit !== undefined || child.log().includes('marking server ready');
      await until(`${name} has started, or ended`, isUp);
      if (child.exit !== undefined) {
        expect(child.exit.code).toBe(255);
        return 'does not start';
      }
      if (warning !== undefined) expect(child.log()).toMatch(warning);
      await child.end('SIGTERM');
      return 'passes over';
    }

    it.each(addresses)('with the address %s (%s)', async (address, code) => {
      const mesh = sources(address);
      const ignored = /Ignoring unsupported config source|Not implemented, ignore/;
      expect(await seen(mesh, [], ignored)).toBe(said(mesh, code));
    });

    it.each(flags)('with the flag %s (%s)', async (flag, code) => {
      const pilot = deployment('istio-pilot', { image: 'istio/pilot:1.7.8', args: [flag] });
      expect(await seen(sources(`fs://${lab.folder('empty')}`), [flag], undefined)).toBe(said(pilot, code));
    });

    it('and starts with what it calls good', async () => {
      const mesh = sources(`fs://${lab.folder('empty')}`);
      const wrong = runChecks(allChecks, scanTexts({ in: mesh, target: version })).filter(
        ({ severity }) => severity === 'error',
      );
      expect(wrong).toEqual([]);
      expect(await seen(mesh, [], undefined)).toBe('passes over');
    });
  });
}
