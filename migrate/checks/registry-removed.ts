import { pilotFlagCheck } from './check.ts';

/** What istiod 1.9 knows; Mock went later, and nobody runs it outside of tests. */
const known = new Set(['Kubernetes', 'Mock', '']);

const lastWith: Readonly<Record<string, string>> = { Consul: '1.7', MCP: '1.4', Eureka: '1.0' };

export const registryRemoved = pilotFlagCheck({
  code: 'REGISTRY_REMOVED',
  severities: ['error'],
  finds: '`--registries` with Consul, MCP, Eureka or another one than Kubernetes.',
  left: [{ from: 8, what: 'does not start: “service registry … is not supported”' }],
  fix: 'Remove it from `--registries`; its services come by a server that the bridge reads.',
  source: 'Istio pilot/pkg/bootstrap/servicecontroller.go (server.go up to 1.4), 1.1 to 1.30',
  look({ name, value = '', at }, { subject }) {
    if (name !== 'registries') return undefined;
    const removed = value
      .split(',')
      .map((one) => one.trim())
      .filter((one) => !known.has(one));
    if (removed.length === 0) return undefined;
    const names = removed.map((one) =>
      one in lastWith ? `${one} (the last Istio with it was ${lastWith[one]})` : one,
    );
    return {
      at,
      message: `${subject}: --registries names ${names.join(', ')}`,
      fix: 'write --registries=Kubernetes, or leave it away, and let a server of that registry feed the bridge (legacy MCP servers for Consul, Eureka and Nacos: docs/profiles.md)',
    };
  },
});
