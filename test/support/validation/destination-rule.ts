import { casesOf, missed, newer, older } from './case.ts';

const rule = (change: object): object => ({ host: 'reviews.shop.svc', ...change });
const policy = (trafficPolicy: object): object => rule({ trafficPolicy });
const pool = (connectionPool: object): object => policy({ connectionPool });
const outliers = (outlierDetection: object): object => policy({ outlierDetection });
const hash = (consistentHash: object): object => policy({ loadBalancer: { consistentHash } });
const locality = (localityLbSetting: object): object =>
  policy({ loadBalancer: { localityLbSetting }, outlierDetection: {} });
const to = (localities: object, from = 'r1'): object => locality({ distribute: [{ from, to: localities }] });
const froms = (...sources: string[]): object =>
  locality({ distribute: sources.map((from) => ({ from, to: { r9: 100 } })) });
const failover = (from: string, target: string): object => locality({ failover: [{ from, to: target }] });
const tls = (change: object): object => policy({ tls: change });
const perPort = (change: object): object => policy({ portLevelSettings: [change] });
const subset = (change: object): object => rule({ subsets: [{ name: 'v1', labels: { version: 'v1' }, ...change }] });
const selected = (exportTo: string[]): object => rule({ exportTo, workloadSelector: { matchLabels: { app: 'a' } } });

const ofFlag = 'PILOT_ENABLE_DESTINATION_RULE_INHERITANCE takes it, up to 1.19';

export const destinationRuleCases = casesOf('DestinationRule', [
  ['a host', rule({})],
  ['a wildcard host', rule({ host: '*.example.com' })],
  ['the host *', rule({ host: '*' })],
  ['no host', { trafficPolicy: { tls: { mode: 'DISABLE' } } }, missed(ofFlag)],
  ['no host and subsets', { subsets: [{ name: 'v1' }] }, 'missing'],
  ['no host and exportTo', { exportTo: ['.'] }, 'missing'],
  ['no host and a selector', { workloadSelector: { matchLabels: { app: 'a' } } }, 'missing'],
  ['a bad host', rule({ host: 'a b' }), 'hosts'],
  ['an IP address as a host', rule({ host: '10.0.0.1' }), 'hosts'],

  ['an empty policy', policy({}), 'missing'],
  ['a policy with a retry budget alone', policy({ retryBudget: {} }), missed('1.28 and newer know it')],
  ['a tunnel', policy({ tunnel: { targetHost: 'a.com', targetPort: 80 } })],
  ['a tunnel without a port', policy({ tunnel: { targetHost: 'a.com' } }), missed('1.14 does not know it')],
  ['a proxy protocol alone', policy({ proxyProtocol: {} }), older('1.21 and newer know it')],

  ['an empty connection pool', pool({}), 'missing'],
  ['an empty tcp', pool({ tcp: {} })],
  ['maxConnections 0', pool({ tcp: { maxConnections: 0 } })],
  ['maxConnections -1', pool({ tcp: { maxConnections: -1 } }), 'numbers'],
  ['connectTimeout 1ms', pool({ tcp: { connectTimeout: '0.001s' } })],
  ['connectTimeout 0s', pool({ tcp: { connectTimeout: '0s' } }), 'durations'],
  ['connectTimeout 1.5ms', pool({ tcp: { connectTimeout: '0.0015s' } }), 'durations'],
  ['connectTimeout -1s', pool({ tcp: { connectTimeout: '-1s' } }), 'durations'],
  ['connectTimeout of 300 years', pool({ tcp: { connectTimeout: '9500000000s' } }), missed('not worth a rule')],
  ['maxConnectionDuration 0s', pool({ tcp: { maxConnectionDuration: '0s' } }), missed('1.14 does not know it')],
  ['tcp idleTimeout 0s', pool({ tcp: { idleTimeout: '0s' } }), newer('1.16 does not know it, 1.26 takes it')],
  ['http1MaxPendingRequests -1', pool({ http: { http1MaxPendingRequests: -1 } }), 'numbers'],
  ['http2MaxRequests -1', pool({ http: { http2MaxRequests: -1 } }), 'numbers'],
  ['maxRequestsPerConnection -1', pool({ http: { maxRequestsPerConnection: -1 } }), 'numbers'],
  ['maxRetries -1', pool({ http: { maxRetries: -1 } }), 'numbers'],
  ['maxConcurrentStreams -1', pool({ http: { maxConcurrentStreams: -1 } }), newer('older ones do not know it')],
  ['http idleTimeout 1s', pool({ http: { idleTimeout: '1s' } })],
  ['http idleTimeout 1us', pool({ http: { idleTimeout: '0.000001s' } }), 'durations'],
  ['an upgrade', pool({ http: { h2UpgradePolicy: 'UPGRADE' } })],
  ["an upgrade and the client's", pool({ http: { h2UpgradePolicy: 'UPGRADE', useClientProtocol: true } }), 'conflict'],

  ['outlier detection', outliers({ interval: '1s', baseEjectionTime: '1s', maxEjectionPercent: 100 })],
  ['interval 0s', outliers({ interval: '0s' }), 'durations'],
  ['baseEjectionTime 0s', outliers({ baseEjectionTime: '0s' }), 'durations'],
  ['maxEjectionPercent 101', outliers({ maxEjectionPercent: 101 }), 'numbers'],
  ['maxEjectionPercent -1', outliers({ maxEjectionPercent: -1 }), 'numbers'],
  ['minHealthPercent 101', outliers({ minHealthPercent: 101 }), 'numbers'],
  ['local failures', outliers({ consecutiveLocalOriginFailures: 1, splitExternalLocalOriginErrors: true })],
  ['local failures that are not split', outliers({ consecutiveLocalOriginFailures: 1 }), 'conflict'],
  ['0 local failures that are not split', outliers({ consecutiveLocalOriginFailures: 0 })],

  ['a cookie', hash({ httpCookie: { name: 'a', ttl: '0s' } })],
  ['a cookie without a name', hash({ httpCookie: { ttl: '0s' } }), 'missing'],
  ['a cookie without a ttl', hash({ httpCookie: { name: 'a' } }), older('1.20 and newer take it')],
  [
    'a ring size beside a ring',
    hash({ useSourceIp: true, minimumRingSize: '10', ringHash: { minimumRingSize: '10' } }),
    missed('1.14 does not know it'),
  ],

  ['distribute', to({ r1: 80, 'r2/z1': 20 })],
  ['distribute with *', to({ 'r1/*': 80, 'r2/z1/*': 20 })],
  ['distribute to nothing', to({}), 'weights'],
  ['weight 0', to({ r1: 0, r2: 100 }), 'weights'],
  ['weight 101', to({ r1: 101 }), 'weights'],
  ['weights of 99', to({ r1: 99 }), 'weights'],
  ['* in the middle', to({ 'r1/*/s1': 100 }), 'locality'],
  ['two *', to({ '*/*': 100 }), 'locality'],
  ['an empty zone', to({ 'r1/': 100 }), 'locality'],
  ['an empty region', to({ '/z1': 100 }), 'locality'],
  ['an empty locality', to({ '': 100 }), 'locality'],
  ['a subzone with a slash', to({ 'r1/z1/s1/': 100 })],
  ['a region and its zone', to({ r1: 50, 'r1/z1': 50 }), 'locality'],
  ['a zone and its subzone', to({ 'r1/z1': 50, 'r1/z1/s1': 50 }), 'locality'],
  ['two zones of a region', to({ 'r1/z1': 50, 'r1/z2': 50 })],
  ['subzones that begin alike', to({ 'r1/z1/s': 50, 'r1/z1/s/t': 50 })],
  ['the same source twice', froms('r1', 'r1'), 'locality'],
  ['a source and its zone', froms('r1/z1', 'r1'), 'locality'],
  ['* before another source', froms('*', 'r1'), missed('only in this order')],
  ['* after another source', froms('r1', '*')],
  ['two sources', froms('r1', 'r2')],
  ['failover', failover('r1', 'r2')],
  ['failover to itself', failover('r1', 'r1'), 'locality'],
  ['failover of a zone', failover('r1/z1', 'r2'), 'locality'],
  ['failover to *', failover('r1', '*'), 'locality'],
  [
    'distribute and failover',
    locality({ distribute: [{ from: 'r1', to: { r2: 100 } }], failover: [{ from: 'r1', to: 'r2' }] }),
    'conflict',
  ],

  ['SIMPLE', tls({ mode: 'SIMPLE' })],
  ['MUTUAL', tls({ mode: 'MUTUAL', clientCertificate: '/c.pem', privateKey: '/k.pem' })],
  ['MUTUAL without a certificate', tls({ mode: 'MUTUAL', privateKey: '/k.pem' }), 'tls'],
  ['MUTUAL without a key', tls({ mode: 'MUTUAL', clientCertificate: '/c.pem' }), 'tls'],
  ['MUTUAL with a credential', tls({ mode: 'MUTUAL', credentialName: 'c' })],
  ['SIMPLE with a credential and a CA', tls({ mode: 'SIMPLE', credentialName: 'c', caCertificates: '/a.pem' }), 'tls'],
  ['MUTUAL with a credential and a key', tls({ mode: 'MUTUAL', credentialName: 'c', privateKey: '/k.pem' }), 'tls'],
  ['DISABLE with a credential and a CA', tls({ mode: 'DISABLE', credentialName: 'c', caCertificates: '/a.pem' })],
  ['ISTIO_MUTUAL', tls({ mode: 'ISTIO_MUTUAL' })],

  ['settings of a port', perPort({ port: { number: 80 }, tls: { mode: 'SIMPLE' } })],
  ['settings of no port', perPort({ tls: { mode: 'SIMPLE' } }), 'ports'],
  ['a port without settings', perPort({ port: { number: 80 } }), 'missing'],
  ['bad settings of a port', perPort({ port: { number: 80 }, connectionPool: {} }), 'missing'],

  ['a subset', subset({})],
  ['a subset without a name', subset({ name: '' }), 'subsets'],
  ['a subset with a bad name', subset({ name: 'v1.0' }), 'subsets'],
  ['a subset with a bad label', subset({ labels: { version: 'v 1' } }), 'labels'],
  ['a subset with an empty policy', subset({ trafficPolicy: {} }), 'missing'],
  ['two subsets of a name', rule({ subsets: [{ name: 'v1' }, { name: 'v1' }] }), newer('older ones do not look')],

  ['exportTo ~', rule({ exportTo: ['~'] }), 'export_to'],
  ['exportTo two namespaces', rule({ exportTo: ['.', 'other'] })],
  ['a selector', selected([])],
  ['a selector and exportTo .', selected(['.'])],
  ['a selector and exportTo the namespace', selected(['shop'])],
  ['a selector and exportTo another', selected(['other']), 'export_to'],
  ['a selector and exportTo two', selected(['.', 'other']), 'export_to'],
  ['a selector and exportTo *', selected(['*']), 'export_to'],
  ['a selector with *', rule({ workloadSelector: { matchLabels: { app: '*' } } }), 'selectors'],
  ['a selector without labels', rule({ workloadSelector: {} })],
]);
