import { expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { knownCollections } from '../../../src/model/kinds.ts';
import { tempFolder } from '../../support/temp-folder.ts';

function load(text: string) {
  return loadConfig(`${tempFolder({ 'isthmus.yaml': text })}/isthmus.yaml`);
}

const defaults = {
  sources: [],
  confirmRemoval: [],
  xds: { listen: { host: '127.0.0.1', port: 15410 }, minGap: 250, recycle: 600_000, allowedPeers: [] },
  sink: { allowedPeers: [] },
  admin: { listen: { host: '127.0.0.1', port: 15480 } },
  metrics: {},
  legacy: {},
  debounce: { after: 50, max: 1000 },
  guard: { maxRemovalPercent: 50, minRemoved: 20, hold: 300_000 },
  quarantine: { invalid: 'keepLastGood' },
  conflicts: { sameKey: 'precedence', sameHost: 'report' },
  istiod: {},
  log: { level: 'info', format: 'auto' },
  shutdownGrace: 5000,
};

test('without a file and flags, everything has its default', () => {
  expect(loadConfig(undefined)).toEqual(defaults);
});

test.each([
  ['an empty file', ''],
  ['comments alone', '# nothing yet\n'],
  ['an empty document', '---\n'],
  ['an empty mapping', '{}\n'],
])('%s is the defaults', (_what, text) => {
  expect(load(text)).toEqual(defaults);
});

test('a source needs a name and an address; the rest has its default', () => {
  const { sources } = load('sources:\n- { name: galley, address: "mcp://galley.istio-system:9901" }\n');
  expect(sources).toEqual([
    {
      name: 'galley',
      address: { host: 'galley.istio-system', port: 9901 },
      profile: 'auto',
      protocol: 'resourceSource',
      collections: knownCollections,
      askAs: {},
      state: 'full',
      empty: 'believed',
      slashes: 'refuse',
      incremental: false,
      sinkNodeId: '',
      silentCollection: 30_000,
      oneConnection: false,
      repairs: { invalidLabels: false, hostColons: false, zeroPorts: false, servicePorts: false },
      maxMessage: 256 * 2 ** 20,
      countDropped: false,
    },
  ]);
});

test('every setting can be set', () => {
  const config = load(`
sources:
- name: consul-a
  address: mcp://[::1]:9901/
  tls: { ca: ca.crt, cert: tls.crt, key: tls.key, serverName: consul, subjectAltNames: [spiffe://a/b] }
  profile: default
  protocol: aggregated-1.1
  collections: [istio/networking/v1alpha3/serviceentries]
  askAs: { istio/networking/v1alpha3/serviceentries: ServiceEntry }
  state: merge
  empty: held
  slashes: escape
  defaultNamespace: legacy
  incremental: true
  sinkNodeId: pilot-1
  silentCollection: 1h30m
  keepalive: 30s
  oneConnection: true
  repairs: { invalidLabels: true, hostColons: true, missingDot: nacos, zeroPorts: true, servicePorts: true }
  maxMessage: 1048576
  countDropped: true
  syncTimeout: 2m
- name: eureka
  match:
    identity: spiffe://cluster.local/ns/legacy/sa/eureka
    meta: { Cluster: east, zone.id: "1" }
    address: 10.0.0.0/8
confirmRemoval: [consul, consul-a/istio/networking/v1alpha3/gateways]
xds: { listen: "[::]:15010", minGap: 1s, recycle: 0s, tls: { cert: a, key: b, clientCa: c, allowedIdentities: [d] }, allowedPeers: [::1] }
sink: { listen: 127.0.0.1:15411, tls: { cert: a, key: b, clientCa: c }, allowedPeers: [10.0.0.0/8] }
admin: { listen: "localhost:0" }
metrics: { listen: "0.0.0.0:15490" }
legacy: { listen: "localhost:9901" }
stateDir: /var/lib/isthmus
debounce: { after: 10ms, max: 10ms }
guard: { maxRemovalPercent: 12.5, minRemoved: 0, hold: 0s }
quarantine: { invalid: report }
istiod: { version: "1.24", revision: canary }
conflicts: { sameKey: mergeEndpoints, sameHost: ignore }
log: { level: debug }
shutdownGrace: 1.5s
`);
  expect(config).toEqual({
    sources: [
      {
        name: 'consul-a',
        address: { host: '::1', port: 9901 },
        tls: {
          ca: 'ca.crt',
          cert: 'tls.crt',
          key: 'tls.key',
          serverName: 'consul',
          subjectAltNames: ['spiffe://a/b'],
          insecureSkipVerify: false,
        },
        profile: 'default',
        protocol: 'aggregated-1.1',
        collections: ['istio/networking/v1alpha3/serviceentries'],
        askAs: { 'istio/networking/v1alpha3/serviceentries': 'ServiceEntry' },
        state: 'merge',
        empty: 'held',
        slashes: 'escape',
        defaultNamespace: 'legacy',
        incremental: true,
        sinkNodeId: 'pilot-1',
        silentCollection: 5_400_000,
        keepalive: 30_000,
        oneConnection: true,
        repairs: {
          invalidLabels: true,
          hostColons: true,
          missingDot: 'nacos',
          zeroPorts: true,
          servicePorts: true,
        },
        maxMessage: 2 ** 20,
        countDropped: true,
        syncTimeout: 120_000,
      },
      {
        name: 'eureka',
        match: {
          identity: 'spiffe://cluster.local/ns/legacy/sa/eureka',
          // As headers come.
          meta: { cluster: 'east', 'zone.id': '1' },
          address: '10.0.0.0/8',
        },
        profile: 'auto',
        protocol: 'resourceSource',
        collections: knownCollections,
        askAs: {},
        state: 'full',
        empty: 'believed',
        slashes: 'refuse',
        incremental: false,
        sinkNodeId: '',
        silentCollection: 30_000,
        oneConnection: false,
        repairs: { invalidLabels: false, hostColons: false, zeroPorts: false, servicePorts: false },
        maxMessage: 256 * 2 ** 20,
        countDropped: false,
      },
    ],
    confirmRemoval: ['consul', 'consul-a/istio/networking/v1alpha3/gateways'],
    xds: {
      listen: { host: '::', port: 15010 },
      minGap: 1000,
      recycle: 0,
      tls: { cert: 'a', key: 'b', clientCa: 'c', allowedIdentities: ['d'] },
      allowedPeers: ['::1'],
    },
    sink: {
      listen: { host: '127.0.0.1', port: 15411 },
      tls: { cert: 'a', key: 'b', clientCa: 'c' },
      allowedPeers: ['10.0.0.0/8'],
    },
    admin: { listen: { host: 'localhost', port: 0 } },
    metrics: { listen: { host: '0.0.0.0', port: 15490 } },
    legacy: { listen: { host: 'localhost', port: 9901 } },
    stateDir: '/var/lib/isthmus',
    debounce: { after: 10, max: 10 },
    guard: { maxRemovalPercent: 12.5, minRemoved: 0, hold: 0 },
    quarantine: { invalid: 'report' },
    istiod: { version: '1.24', revision: 'canary' },
    conflicts: { sameKey: 'mergeEndpoints', sameHost: 'ignore' },
    log: { level: 'debug', format: 'auto' },
    shutdownGrace: 1500,
  });
});

test('istiods without a revision are said to have none', () => {
  expect(load('istiod: { revision: "" }').istiod).toEqual({ revision: '' });
});

test('what is written once may be used twice', () => {
  const { sources } = load(`
sources:
- { name: a, address: "mcp://a:1", collections: &all [istio/networking/v1alpha3/serviceentries] }
- { name: b, address: "mcp://b:1", collections: *all }
`);
  expect(sources.map(({ collections }) => collections)).toEqual([
    ['istio/networking/v1alpha3/serviceentries'],
    ['istio/networking/v1alpha3/serviceentries'],
  ]);
});
