import { casesOf, missed, newer } from './case.ts';

const policy = (change: object): object => ({ rules: [{ to: [{ operation: { ports: ['80'] } }] }], ...change });
const from = (source: object, change: object = {}): object => ({ rules: [{ from: [{ source }] }], ...change });
const to = (operation: object): object => ({ rules: [{ to: [{ operation }] }] });
const when = (condition: object, change: object = {}): object => ({ rules: [{ when: [condition] }], ...change });
const key = (name: string, ...values: string[]): object => when({ key: name, values });
const custom = { action: 'CUSTOM', provider: { name: 'p' } };
const dryRun = (value: string): { annotations: Record<string, string> } => ({
  annotations: { 'istio.io/dry-run': value },
});

const authorization = casesOf('AuthorizationPolicy', [
  ['nothing', {}],
  ['a rule', policy({ selector: { matchLabels: { app: 'a' } } })],
  ['an empty rule', { rules: [{}] }],
  ['DENY without rules', { action: 'DENY' }, 'missing'],
  ['DENY with an empty rule', { action: 'DENY', rules: [{}] }],
  ['CUSTOM', policy(custom)],
  ['CUSTOM without rules', custom, 'missing'],
  ['CUSTOM without a provider', policy({ action: 'CUSTOM' }), 'missing'],
  ['CUSTOM with a provider without a name', policy({ action: 'CUSTOM', provider: {} }), 'missing'],
  ['a provider, and ALLOW', policy({ provider: { name: 'p' } }), 'conflict'],
  ['a selector with *', policy({ selector: { matchLabels: { app: 'a*' } } }), 'selectors'],
  ['a selector with an empty name', policy({ selector: { matchLabels: { '': 'a' } } }), 'selectors'],
  [
    'a selector and a target',
    policy({ selector: {}, targetRefs: [{ kind: 'Service', name: 'a' }] }),
    newer('older ones do not know it'),
  ],

  ['sources', from({ principals: ['a'], namespaces: ['b'], ipBlocks: ['10.0.0.0/8', '::1'] })],
  ['no source', { rules: [{ from: [{}] }] }, 'missing'],
  ['an empty source', from({}), 'missing'],
  ['a source of newer istiods', from({ serviceAccounts: ['a'] }), missed('newer ones know it')],
  ['a bad address', from({ ipBlocks: ['a'] }), 'addresses'],
  ['a bad CIDR', from({ notIpBlocks: ['10.0.0.0/33'] }), 'addresses'],
  ['a bad remote address', from({ remoteIpBlocks: ['10.0.0'] }), 'addresses'],
  ['a bad remote CIDR', from({ notRemoteIpBlocks: ['/'] }), 'addresses'],
  ['an empty address', from({ ipBlocks: [''] }), 'missing'],
  ['an empty principal', from({ principals: [''] }), 'missing'],
  ['an empty principal of a request', from({ notRequestPrincipals: [''] }), 'missing'],
  ['an empty namespace', from({ namespaces: ['a', ''] }), 'missing'],
  ['CUSTOM with a principal', from({ principals: ['a'] }, custom), 'unsupported'],
  ['CUSTOM with a namespace that is not', from({ notNamespaces: ['a'] }, custom), 'unsupported'],
  ['CUSTOM with an address', from({ ipBlocks: ['10.0.0.1'] }, custom)],

  ['operations', to({ hosts: ['a'], methods: ['GET'], paths: ['/a*'], ports: ['80', '0', '65535', '080'] })],
  ['no operation', { rules: [{ to: [{}] }] }, 'missing'],
  ['an empty operation', to({}), 'missing'],
  ['port 65536', to({ ports: ['65536'] }), 'ports'],
  ['port -1', to({ ports: ['-1'] }), 'ports'],
  ['port +1', to({ notPorts: ['+1'] }), 'ports'],
  ['an empty port', to({ ports: [''] }), 'ports'],
  ['an empty path', to({ paths: [''] }), 'missing'],
  ['an empty method that is not', to({ notMethods: [''] }), 'missing'],
  ['a template in a path', to({ paths: ['/{*}/a'] })],
  ['a bad template in a path', to({ paths: ['/{a}'] }), newer('older ones do not look')],

  ['conditions', key('request.headers[a]', 'b')],
  ['no key', when({ values: ['a'] }), 'missing'],
  ['no values', when({ key: 'source.ip' }), 'missing'],
  ['values that are not', when({ key: 'source.ip', notValues: ['10.0.0.1'] })],
  ['an empty value', key('source.namespace', ''), 'missing'],
  ['a header without brackets', key('request.headers', 'a'), 'unsupported'],
  ['a header with empty brackets', key('request.headers[]', 'a'), 'unsupported'],
  ['a header with text after its brackets', key('request.headers[a]b', 'a'), 'unsupported'],
  ['a claim', key('request.auth.claims[a][b]', 'c')],
  ['a filter', key('experimental.envoy.filters.a[b]', 'c')],
  ['a source address', key('source.ip', '10.0.0.0/8')],
  ['a bad source address', key('source.ip', 'a'), 'addresses'],
  ['a bad remote address in a condition', key('remote.ip', 'a'), 'addresses'],
  ['a bad destination address', key('destination.ip', 'a'), 'addresses'],
  ['a destination port', key('destination.port', '80')],
  ['a bad destination port', key('destination.port', 'http'), 'ports'],
  ['sni', key('connection.sni', 'a.com')],
  ['a label', key('destination.labels[a]', 'b'), 'unsupported'],
  ['a destination namespace', key('destination.namespace', 'a'), 'unsupported'],
  ['a destination name', key('destination.name', 'a'), 'unsupported'],
  ['an unknown attribute', key('source.port', '80'), 'unsupported'],
  ['an attribute of newer istiods', key('source.serviceAccount', 'a'), missed('newer ones know it')],
  ['CUSTOM with a principal in a condition', when({ key: 'source.principal', values: ['a'] }, custom), 'unsupported'],
  ['CUSTOM with a claim', when({ key: 'request.auth.claims[a]', values: ['b'] }, custom), 'unsupported'],
  ['CUSTOM with a header', when({ key: 'request.headers[a]', values: ['b'] }, custom)],
]).concat(
  casesOf('AuthorizationPolicy', [['a dry run', policy({})]], dryRun('true')),
  casesOf('AuthorizationPolicy', [['a dry run that is not', policy({})]], dryRun('F')),
  casesOf('AuthorizationPolicy', [['a dry run that may be', policy({}), 'annotations']], dryRun('maybe')),
  casesOf('AuthorizationPolicy', [['a dry run of CUSTOM', policy(custom), 'annotations']], dryRun('true')),
);

const peer = (change: object): object => ({ selector: { matchLabels: { app: 'a' } }, ...change });

const peers = casesOf('PeerAuthentication', [
  ['nothing', {}],
  ['a port', peer({ portLevelMtls: { 80: { mode: 'DISABLE' } } })],
  ['a port of all workloads', { portLevelMtls: { 80: {} } }, 'conflict'],
  ['a port of a selector without labels', { selector: {}, portLevelMtls: { 80: {} } }, 'conflict'],
  ['port 0', peer({ portLevelMtls: { 0: {} } }), 'ports'],
  ['port 65536', peer({ portLevelMtls: { 65536: {} } }), newer('older ones do not look')],
  ['a selector with *', peer({ selector: { matchLabels: { app: '*' } } }), 'selectors'],
]);

const jwt = (change: object): object => ({ jwtRules: [{ issuer: 'a', ...change }] });
const uri = (jwksUri: string): object => jwt({ jwksUri });

const requests = casesOf('RequestAuthentication', [
  ['nothing', {}],
  ['a rule', jwt({ audiences: ['a'], fromHeaders: [{ name: 'a' }], fromParams: ['a'] })],
  ['no issuer', jwt({ issuer: '' }), 'missing'],
  ['no issuer, and a URL', jwt({ issuer: '', jwksUri: 'https://a.com' }), missed('1.27 and newer take it')],
  ['an empty audience', jwt({ audiences: [''] }), 'missing'],
  ['a URL', uri('https://a.com:8443/keys')],
  ['a URL in capitals', uri('HTTPS://a.com')],
  ['a URL of ftp', uri('ftp://a.com'), 'unsupported'],
  ['a URL without a scheme', uri('a.com/keys'), 'unsupported'],
  ['a URL with a bad port', uri('https://a.com:b'), missed("only Go's own reading of URLs knows")],
  ['keys', jwt({ jwks: '{"keys":[]}' })],
  ['keys after a space', jwt({ jwks: ' {"keys":[]}' })],
  ['keys that are no JSON', jwt({ jwks: 'secret' }), 'unsupported'],
  ['keys in a list', jwt({ jwks: '[]' }), 'unsupported'],
  ['keys that do not end', jwt({ jwks: '{"keys":' }), missed('keys are left to istiod')],
  ['a key of an unknown type', jwt({ jwks: '{"keys":[{"kty":"a"}]}' }), missed('keys are left to istiod')],
  ['a header without a name', jwt({ fromHeaders: [{ prefix: 'a' }] }), 'missing'],
  ['an empty parameter', jwt({ fromParams: [''] }), 'missing'],
  ['an empty cookie', jwt({ fromCookies: [''] }), newer('older ones do not know it')],
  ['a claim without a header', jwt({ outputClaimToHeaders: [{ claim: 'a' }] }), newer('older ones do not look')],
  ['a selector with *', { selector: { matchLabels: { '*': 'a' } } }, 'selectors'],
]).concat(casesOf('RequestAuthentication', [['a dry run', jwt({}), 'annotations']], dryRun('true')));

export const securityCases = [...authorization, ...peers, ...requests];

const patches = (...list: object[]): object => ({ configPatches: list });
const remove = { operation: 'REMOVE' };
const patch = (change: object): object => patches({ applyTo: 'CLUSTER', patch: remove, ...change });
const manager = 'envoy.filters.network.http_connection_manager';
const filter = (change: object, applyTo = 'HTTP_FILTER'): object =>
  patches({ applyTo, patch: remove, match: { listener: { filterChain: { filter: change } } } });

export const envoyFilterCases = casesOf('EnvoyFilter', [
  ['nothing', {}],
  ['a patch', patch({ patch: { operation: 'MERGE', value: { connect_timeout: '1s' } } })],
  ['a selector with *', { ...patches(), workloadSelector: { labels: { a: '*' } } }, 'selectors'],
  ['no applyTo', patches({ patch: remove }), 'missing'],
  ['no patch', patches({ applyTo: 'CLUSTER' }), 'missing'],
  ['no operation', patch({ patch: { value: {} } }), 'missing'],
  ['no value', patch({ patch: { operation: 'MERGE' } }), 'missing'],
  ['a version', patch({ match: { proxy: { proxyVersion: '^1\\.9.*' } } })],
  ['a bad version', patch({ match: { proxy: { proxyVersion: '(1' } } }), 'regex'],
  [
    'a long bad version',
    patch({ match: { proxy: { proxyVersion: `(${'1'.repeat(1024)}` } } }),
    missed('1.31 takes it'),
  ],
  ['a cluster by a listener', patch({ match: { listener: {} } }), 'conflict'],
  ['a cluster by a cluster', patch({ match: { cluster: { name: 'a' } } })],
  ['a route by a cluster', patch({ applyTo: 'HTTP_ROUTE', match: { cluster: {} } }), 'conflict'],
  ['a route by a route', patch({ applyTo: 'HTTP_ROUTE', match: { routeConfiguration: { name: 'a' } } })],
  ['a listener by a route', patch({ applyTo: 'LISTENER', match: { routeConfiguration: {} } }), 'conflict'],
  ['a patch for waypoints', patches({ match: { context: 'WAYPOINT' } }), missed('newer ones do not look')],
  ['a filter', filter({ name: 'a' })],
  ['a filter without a name', filter({}), 'missing'],
  ['a filter inside', filter({ name: manager, subFilter: { name: 'a' } })],
  ['a filter inside without a name', filter({ name: manager, subFilter: {} }), 'missing'],
  ['a filter inside another', filter({ name: 'a', subFilter: { name: 'b' } }), 'conflict'],
  [
    'a filter inside, of a network filter',
    filter({ name: manager, subFilter: { name: 'b' } }, 'NETWORK_FILTER'),
    'conflict',
  ],
  [
    'a value of an unknown type',
    patch({ patch: { operation: 'MERGE', value: { connect_timeout: [] } } }),
    missed("the value is Envoy's, whose types are not known here"),
  ],
]);
