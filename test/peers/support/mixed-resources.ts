import type { ConfigFolder } from './config-folder.ts';

/** How many of each kind there are; 200 together. */
const counts = { ServiceEntry: 110, VirtualService: 35, DestinationRule: 35, Gateway: 10, Sidecar: 10 } as const;

const serviceNames = Array.from({ length: counts.ServiceEntry }, (_, index) => {
  const namespace = `team-${index % 10}`;
  return { name: `service-${index}`, namespace, host: `service-${index}.${namespace}.example.com` };
});

/** Writes 200 resources of five kinds that belong to each other into a folder, a file for each kind. */
export function writeMixedResources(folder: ConfigFolder): void {
  const some = (count: number) => serviceNames.slice(0, count);
  const files = {
    'service-entries.yaml': serviceNames.map(({ name, namespace, host }, index) =>
      resource('ServiceEntry', namespace, name, [
        `hosts: [${host}]`,
        `addresses: [240.5.${index >> 8}.${index & 255}]`,
        'ports: [{ number: 80, name: http, protocol: HTTP }, { number: 9000, name: tcp, protocol: TCP }]',
        'location: MESH_INTERNAL',
        'resolution: STATIC',
        'endpoints:',
        `- { address: 10.5.${index >> 8}.${index & 255}, labels: { version: v1 }, ports: { http: 8080 } }`,
        `- { address: 10.6.${index >> 8}.${index & 255}, labels: { version: v2 }, weight: 3 }`,
      ]),
    ),
    'virtual-services.yaml': some(counts.VirtualService).map(({ name, namespace, host }, index) =>
      resource('VirtualService', namespace, name, [
        `hosts: [${host}]`,
        'http:',
        `- match: [{ uri: { prefix: /v2 }, headers: { x-canary: { exact: "${index}" } } }]`,
        `  route: [{ destination: { host: ${host}, subset: v2 } }]`,
        `- route: [{ destination: { host: ${host}, subset: v1 }, weight: 90 }, { destination: { host: ${host}, subset: v2 }, weight: 10 }]`,
        '  timeout: 3s',
        '  retries: { attempts: 2, perTryTimeout: 1s }',
      ]),
    ),
    'destination-rules.yaml': some(counts.DestinationRule).map(({ name, namespace, host }) =>
      resource('DestinationRule', namespace, name, [
        `host: ${host}`,
        'trafficPolicy: { connectionPool: { tcp: { maxConnections: 100, connectTimeout: 2s } } }',
        'subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]',
      ]),
    ),
    'gateways.yaml': some(counts.Gateway).map(({ name, namespace, host }, index) =>
      resource('Gateway', namespace, name, [
        `selector: { istio: gateway-${index} }`,
        `servers: [{ port: { number: 80, name: http, protocol: HTTP }, hosts: [${host}] }]`,
      ]),
    ),
    'sidecars.yaml': some(counts.Sidecar).map(({ name, namespace }) =>
      resource('Sidecar', namespace, name, [
        `workloadSelector: { labels: { app: ${name} } }`,
        'egress: [{ hosts: ["./*", "istio-system/*"] }]',
      ]),
    ),
  };
  for (const [file, resources] of Object.entries(files)) folder.write(file, resources.join('---\n'));
}

function resource(kind: string, namespace: string, name: string, spec: readonly string[]): string {
  return [
    'apiVersion: networking.istio.io/v1alpha3',
    `kind: ${kind}`,
    `metadata: { name: ${name}, namespace: ${namespace}, labels: { from: registry } }`,
    'spec:',
    ...spec.map((line) => `  ${line}`),
    '',
  ].join('\n');
}
