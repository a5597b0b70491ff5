import { isNetwork } from '../scan/address.ts';
import { fieldOf, type MeshConfig } from '../scan/mesh-config.ts';
import type { Scanned } from '../scan/scan.ts';
import type { Check } from './check.ts';

const withNetwork = ({ meshConfigs }: Scanned): MeshConfig[] =>
  meshConfigs.filter(({ sources }) => sources.some(({ address }) => isNetwork(address)));

export const bridgeFirst: Check = {
  code: 'BRIDGE_FIRST',
  severities: ['info'],
  finds: 'Any mesh config with a server among its sources: the order of things.',
  left: [
    {
      from: 9,
      what: 'reads configSources at its start only, and exits with 255 where a source does not answer then: it crash-loops until the bridge is up',
    },
    {
      from: 9,
      to: 15,
      what: 'is ready at once, whether the source has answered or not: sidecars that connect first get config without its services',
    },
    { from: 16, what: 'is not ready before the source has answered every kind' },
  ],
  fix: 'Start the bridge, wait for `/syncz`, then change the mesh config and restart istiod.',
  source: 'run on 1.9.9, 1.11.8, 1.12.9, 1.18.1, 1.24.0, 1.30.3',
  applicable: (scanned) => withNetwork(scanned).length > 0,
  run: (scanned) =>
    withNetwork(scanned).map((mesh) => ({
      at: mesh.at([fieldOf(mesh, 'configSources')], true),
      message: `${mesh.subject}: istiod dials its sources when it starts, and only then`,
      fix: 'start the bridge and wait until its /syncz says 200 (isthmus check xds://HOST:PORT from a Pod beside istiod); then change the mesh config, then restart istiod one replica at a time',
    })),
};
