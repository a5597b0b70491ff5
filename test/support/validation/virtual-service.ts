import { casesOf, missed, newer, older } from './case.ts';

const to = (change: object = {}): object => ({ destination: { host: 'reviews', ...change } });
const service = (change: object): object => ({ hosts: ['reviews'], http: [{ route: [to()] }], ...change });
const route = (change: object): object => service({ http: [{ route: [to()], ...change }] });
const match = (change: object): object => route({ match: [change] });
const headers = (change: object): object => route({ headers: change });
const set = (name: string, value = 'x'): object => headers({ request: { set: { [name]: value } } });
const destination = (change: object): object => service({ http: [{ route: [to(change)] }] });
const fault = (change: object): object => route({ fault: change });
const abort = (change: object): object => fault({ abort: { httpStatus: 500, ...change } });
const delay = (change: object): object => fault({ delay: { fixedDelay: '1s', ...change } });
const redirect = (change: object): object => service({ http: [{ redirect: { uri: '/', ...change } }] });
const retries = (change: object): object => route({ retries: { attempts: 1, ...change } });
const cors = (change: object): object => route({ corsPolicy: change });
const delegated = (change: object): object => ({ http: [{ route: [to()] }], ...change });
const tls = (change: object, hosts = ['a.com']): object => ({
  hosts,
  tls: [{ match: [{ sniHosts: ['a.com'], port: 443, ...change }], route: [to()] }],
});
const tcp = (change: object): object => ({ hosts: ['a.com'], tcp: [{ route: [to()], ...change }] });
const gateways = (...names: string[]): object => service({ gateways: names });
const claim = { headers: { '@request.auth.claims.group': { exact: 'a' } } };

const since115 = missed('1.14 takes it');
const since122 = newer('older ones do not look');

export const virtualServiceCases = casesOf('VirtualService', [
  ['a route', service({})],
  ['no route', { hosts: ['a.com'] }, 'missing'],
  ['a bad host', service({ hosts: ['a b'] }), 'hosts'],
  ['an IP address as a host', service({ hosts: ['10.0.0.1'] })],
  ['the host *, in the mesh', service({ hosts: ['*'] }), 'hosts'],
  ['the host *, in the mesh and at a gateway', service({ hosts: ['*'], gateways: ['mesh', 'shop/gw'] }), 'hosts'],
  ['the host *, at a gateway', service({ hosts: ['*'], gateways: ['shop/gw'] })],
  [
    'a generated host',
    service({ hosts: ['outbound_.80_._.a.com'], gateways: ['shop/gw'] }),
    missed('1.24 takes it as SNI'),
  ],
  ['the same host twice', service({ hosts: ['a.com', 'a.com'] }), 'duplicates'],
  ['a host and a wildcard that holds it', service({ hosts: ['*.a.com', 'b.a.com'] }), 'duplicates'],
  ['a wildcard after a host that it holds', service({ hosts: ['b.a.com', '*.a.com'] }), 'duplicates'],
  ['two wildcards', service({ hosts: ['*.a.com', '*.com'] }), 'duplicates'],
  ['a wildcard and its domain', service({ hosts: ['*.a.com', 'a.com'] })],

  ['gateways', gateways('shop/gw', 'mesh')],
  ['a gateway by its domain', gateways('gw.shop.svc.cluster.local')],
  ['a gateway without a namespace', gateways('/gw'), 'names'],
  ['a gateway with a bad name', gateways('shop/a.b'), 'names'],
  ['a gateway with two slashes', gateways('a/b/c'), 'names'],
  ['an empty gateway', gateways(''), 'names'],
  ['a bad gateway after one without a slash', gateways('mesh', 'a b')],

  ['delegated', delegated({})],
  ['delegated, with gateways', delegated({ gateways: ['shop/gw'] }), 'conflict'],
  ['delegated, with tcp', delegated({ tcp: [{ route: [to()] }] }), 'conflict'],
  ['delegated, with tls', delegated({ tls: [{ match: [{ sniHosts: ['10.0.0.1'] }], route: [to()] }] }), 'conflict'],
  ['delegated, and delegates', delegated({ http: [{ delegate: { name: 'a' }, route: [to()] }] }), 'conflict'],
  ['delegates', service({ http: [{ delegate: { name: 'a' } }] })],
  ['delegates, with a route', route({ delegate: { name: 'a' } }), 'conflict'],
  ['delegates, with a redirect', service({ http: [{ delegate: { name: 'a' }, redirect: { uri: '/' } }] }), 'conflict'],

  ['an empty route', service({ http: [{}] }), 'missing'],
  ['a redirect', redirect({})],
  ['a redirect and a route', route({ redirect: { uri: '/' } }), 'conflict'],
  [
    'a redirect and a fault',
    service({ http: [{ redirect: { uri: '/' }, fault: { abort: { httpStatus: 500 } } }] }),
    'conflict',
  ],
  ['a redirect and a rewrite', service({ http: [{ redirect: { uri: '/' }, rewrite: { uri: '/' } }] }), 'conflict'],
  ['a redirect to nowhere', service({ http: [{ redirect: {} }] }), 'missing'],
  ['a redirect to another port', service({ http: [{ redirect: { derivePort: 'FROM_REQUEST_PORT' } }] })],
  ['a redirect with 299', redirect({ redirectCode: 299 }), 'numbers'],
  ['a redirect with 300', redirect({ redirectCode: 300 })],
  ['a redirect with 400', redirect({ redirectCode: 400 }), 'numbers'],
  ['a redirect to ftp', redirect({ scheme: 'ftp' }), 'unsupported'],
  ['a redirect to https', redirect({ scheme: 'https' })],
  ['a redirect to port 65536', redirect({ port: 65_536 }), 'ports'],
  ['a direct response', service({ http: [{ directResponse: { status: 200 } }] })],
  [
    'a direct response with 199',
    service({ http: [{ directResponse: { status: 199 } }] }),
    missed('1.14 does not know it'),
  ],
  ['a direct response and a route', route({ directResponse: { status: 200 } }), since115],

  ['a regex', match({ uri: { regex: '/a(b|[^)]c)*\\d' } })],
  ['an empty regex', match({ uri: { regex: '' } }), 'regex'],
  ['a regex of 1024', match({ uri: { regex: 'a'.repeat(1024) } })],
  ['a regex of 1025', match({ uri: { regex: 'a'.repeat(1025) } }), 'regex'],
  ['a regex of 1025 bytes', match({ uri: { regex: `${'é'.repeat(512)}a` } }), 'regex'],
  ['a regex that lacks a bracket', match({ scheme: { regex: '(a' } }), 'regex'],
  ['a regex with a bracket too many', match({ method: { regex: 'a)' } }), 'regex'],
  ['a regex with an open class', match({ authority: { regex: '[a' } }), 'regex'],
  ['a regex with look-ahead', match({ uri: { regex: 'a(?=b)' } }), 'regex'],
  ['a regex with a negative look-behind', match({ uri: { regex: '(?<!a)b' } }), 'regex'],
  ['a regex with flags and names', match({ uri: { regex: '(?i:a)(?P<n>b)(?:c)' } })],
  ['a regex with a back-reference', match({ queryParams: { a: { regex: '(a)\\1' } } }), 'regex'],
  ['a regex with an octal', match({ uri: { regex: '\\101' } })],
  ['a regex with a quote', match({ uri: { regex: '\\Q(\\E' } })],
  ['a regex with brackets in a class', match({ uri: { regex: '[](][[:alpha:])]' } })],
  ['a regex that ends with a backslash', match({ uri: { regex: 'a\\' } }), 'regex'],
  ['a regex with two stars', match({ uri: { regex: 'a**' } }), missed("only Go's own compiler knows all of RE2")],
  ['a regex with a bad range', match({ uri: { regex: '[b-a]' } }), missed("only Go's own compiler knows all of RE2")],
  ['a regex of a header', match({ headers: { a: { regex: '(' } } }), 'regex'],
  [
    'a regex of a route that delegates',
    service({ http: [{ delegate: { name: 'a' }, match: [{ uri: { regex: '(' } }] }] }),
    since122,
  ],
  ['an empty prefix of a header', match({ headers: { a: { prefix: '' } } }), since115],
  ['an empty prefix of a method', match({ method: { prefix: '' } }), since122],
  ['a header without a name', match({ headers: { '': { exact: 'a' } } }), 'headers'],
  ['a header with a space', match({ headers: { 'a b': { exact: 'a' } } }), newer('older ones do not look')],
  ['a header that must be there', match({ headers: { a: {} } })],
  ['a claim, in the mesh', match(claim), 'headers'],
  [
    'a claim in brackets, in the mesh',
    match({ withoutHeaders: { '@request.auth.claims[a]': {} } }),
    newer('1.16 does not know it'),
  ],
  [
    'a claim that must not be there, in the mesh',
    match({ withoutHeaders: { '@request.auth.claims.a': {} } }),
    'headers',
  ],
  ['a claim, at a gateway', service({ gateways: ['shop/gw'], http: [{ match: [claim], route: [to()] }] })],
  [
    'a claim, at a gateway and in the mesh',
    service({ gateways: ['shop/gw', 'mesh'], http: [{ match: [claim], route: [to()] }] }),
    newer('older ones take it'),
  ],
  ['a port', match({ port: 65_535 })],
  ['port 65536', match({ port: 65_536 }), 'ports'],
  ['source labels', match({ sourceLabels: { app: 'a' } })],
  ['a bad source label', match({ sourceLabels: { app: 'a b' } }), 'labels'],
  ['a bad gateway of a match', match({ gateways: ['a b'] }), 'names'],
  ['a source namespace', match({ sourceNamespace: 'shop' })],
  ['a bad source namespace', match({ sourceNamespace: 'a.b' }), 'names'],

  ['a header to set', set('x-a', 'a %HOSTNAME% 100%%')],
  ['the host to set', set('Host')],
  ['the authority to set', set(':authority')],
  ['the path to set', set(':path'), 'headers'],
  ['a header without a name to set', set(''), 'headers'],
  ['a value with one %', set('x-a', '100%'), 'headers'],
  ['a value with three %', set('x-a', '%A%%'), 'headers'],
  ['a value with arguments', set('x-a', '%REQ(x-a%b)%')],
  ['a value with arguments that do not end', set('x-a', '%REQ(x-a'), missed('1.14 counts the signs only')],
  ['a value with a line break', set('x-a', 'a\nb'), since115],
  ['the path to add', headers({ request: { add: { ':path': '/' } } }), 'headers'],
  ['the host to remove', headers({ request: { remove: ['host'] } }), 'headers'],
  ['nothing to remove', headers({ request: { remove: [''] } }), 'headers'],
  ['the host to set in a response', headers({ response: { set: { host: 'a' } } }), 'headers'],
  ['a header to set in a response', headers({ response: { set: { 'x-a': 'a' }, remove: ['x-b'] } })],
  ['the status to remove from a response', headers({ response: { remove: [':status'] } }), 'headers'],
  ['the authority twice', headers({ request: { set: { host: 'a' }, add: { ':authority': 'b' } } }), 'conflict'],
  [
    'the authority in rewrite too',
    route({ rewrite: { authority: 'a' }, headers: { request: { set: { host: 'b' } } } }),
    'conflict',
  ],
  [
    'the path to set at a destination',
    service({ http: [{ route: [{ ...to(), headers: { request: { set: { ':path': '/' } } } }] }] }),
    'headers',
  ],
  [
    'the authority to set at a destination',
    service({ http: [{ route: [{ ...to(), headers: { request: { set: { ':authority': 'a' } } } }] }] }),
    older('1.21 and newer take it'),
  ],
  ['an empty rewrite', route({ rewrite: {} }), 'missing'],
  ['a rewrite', route({ rewrite: { uri: '/' } })],
  [
    'a rewrite by regex',
    route({ rewrite: { uriRegexRewrite: { match: 'a', rewrite: 'b' } } }),
    older('1.19 and newer know it'),
  ],

  ['cors', cors({ allowOrigins: [{ exact: '*' }], allowMethods: ['GET'], allowHeaders: ['a'], maxAge: '1s' })],
  ['cors with an empty origin', cors({ allowOrigins: [{}] }), 'missing'],
  ['cors with a bad regex', cors({ allowOrigins: [{ regex: '(' }] }), 'regex'],
  ['cors with a method in lower case', cors({ allowMethods: ['get'] }), 'unsupported'],
  ['cors with all methods', cors({ allowMethods: ['*'] }), missed('1.26 and newer take it')],
  ['cors with an empty header', cors({ allowHeaders: [''] }), 'headers'],
  ['cors with an empty exposed header', cors({ exposeHeaders: [''] }), 'headers'],
  ['cors with a part of a second', cors({ maxAge: '1.5s' }), 'durations'],
  ['cors with 0 seconds', cors({ maxAge: '0s' }), 'durations'],

  ['an abort', abort({ percentage: { value: 0.0001 } })],
  ['an empty fault', fault({}), 'missing'],
  ['an abort of 101 %', abort({ percentage: { value: 101 } }), 'numbers'],
  ['an abort of too little', abort({ percentage: { value: 0.00001 } }), 'numbers'],
  ['an abort with 199', abort({ httpStatus: 199 }), 'numbers'],
  ['an abort with 200', abort({ httpStatus: 200 })],
  ['an abort with 600', abort({ httpStatus: 600 })],
  ['an abort with 601', abort({ httpStatus: 601 }), 'numbers'],
  ['an abort with nothing', fault({ abort: {} })],
  ['an abort of gRPC', fault({ abort: { grpcStatus: 'NOT_FOUND' } })],
  ['an abort of gRPC with a number', fault({ abort: { grpcStatus: '5' } }), 'unsupported'],
  ['an abort of HTTP/2', fault({ abort: { http2Error: 'a' } }), 'unsupported'],
  ['a delay', delay({})],
  ['a delay of -1 %', delay({ percentage: { value: -1 } }), 'numbers'],
  ['a delay of 0 s', delay({ fixedDelay: '0s' }), 'durations'],
  ['a delay that grows', fault({ delay: { exponentialDelay: '1s' } }), 'unsupported'],

  ['a mirror', route({ mirror: { host: 'a' }, mirrorPercentage: { value: 100 } })],
  ['a mirror at *', route({ mirror: { host: '*' } }), 'hosts'],
  ['mirrors at *', route({ mirrors: [{ destination: { host: '*' } }] }), newer('older ones do not know it')],
  ['a mirror of 101 %', route({ mirrorPercent: 101 }), 'numbers'],
  ['a mirror of 100.5 %', route({ mirrorPercentage: { value: 100.5 } }), 'numbers'],
  ['a mirror of -0.5 %', route({ mirrorPercentage: { value: -0.5 } }), 'numbers'],

  ['retries', retries({ perTryTimeout: '1s', retryOn: '5xx,503,gateway-error' })],
  ['retries -1', retries({ attempts: -1 }), 'numbers'],
  ['retries 0', retries({ attempts: 0 })],
  ['retries 0 with a time-out', retries({ attempts: 0, perTryTimeout: '1s' }), 'conflict'],
  ['retries 0 with localities', retries({ attempts: 0, retryRemoteLocalities: false }), 'conflict'],
  ['retries with a time-out of 0', retries({ perTryTimeout: '0s' }), 'durations'],
  ['retries with a space', retries({ retryOn: '5xx, 503' }), 'unsupported'],
  ['retries on an unknown reason', retries({ retryOn: 'always' }), 'unsupported'],
  ['retries on an unknown status', retries({ retryOn: '599' }), 'unsupported'],
  ['retries on +503', retries({ retryOn: '+503' })],
  ['retries on 509', retries({ retryOn: '509' }), missed('Node knows it, Go does not')],
  ['retries after HTTP/3', retries({ retryOn: 'http3-post-connect-failure' }), older('newer ones know it')],
  ['a time-out', route({ timeout: '1s' })],
  ['a time-out of 0', route({ timeout: '0s' }), 'durations'],

  ['a destination', destination({ subset: 'v1', port: { number: 80 } })],
  ['no destination', service({ http: [{ route: [{ weight: 1 }] }] }), 'missing'],
  ['a destination without a host', destination({ host: '' }), 'hosts'],
  ['the destination *', destination({ host: '*' }), 'hosts'],
  ['a wildcard destination', destination({ host: '*.a.com' })],
  ['an IP address as a destination', destination({ host: '10.0.0.1' }), 'hosts'],
  ['a bad subset', destination({ subset: 'v1.0' }), 'subsets'],
  ['a port without a number', destination({ port: {} }), 'ports'],
  ['weights', service({ http: [{ route: [{ ...to(), weight: 100 }, to()] }] })],
  ['no weights', service({ http: [{ route: [to(), to()] }] }), 'weights'],
  [
    'a negative weight',
    service({
      http: [
        {
          route: [
            { ...to(), weight: -1 },
            { ...to(), weight: 2 },
          ],
        },
      ],
    }),
    'numbers',
  ],

  ['tls', tls({})],
  ['tls without a match', { hosts: ['a.com'], tls: [{ route: [to()] }] }, 'missing'],
  ['tls without hosts', tls({ sniHosts: [] }), 'missing'],
  ['tls with a bad host', tls({ sniHosts: ['a b'] }), 'hosts'],
  ['tls with a host of others', tls({ sniHosts: ['b.com'] }), 'hosts'],
  ['tls with a host of a wildcard', tls({ sniHosts: ['b.a.com'] }, ['*.a.com'])],
  ['tls with a wildcard of a wildcard', tls({ sniHosts: ['*.b.a.com'] }, ['*.a.com'])],
  ['tls with a wildcard of a host', tls({ sniHosts: ['*.a.com'] }), 'hosts'],
  ['tls with a wildcard that holds a wildcard', tls({ sniHosts: ['*.com'] }, ['*.a.com']), 'hosts'],
  ['tls with an IP address', tls({ sniHosts: ['10.0.0.1'] })],
  ['tls with a generated host', tls({ sniHosts: ['outbound_.80_._.a.com'] }), 'hosts'],
  ['tls with a bad subnet', tls({ destinationSubnets: ['a'] }), 'addresses'],
  ['tls with a subnet', tls({ destinationSubnets: ['10.0.0.0/8', '10.0.0.1'] })],
  ['tls with port 65536', tls({ port: 65_536 }), 'ports'],
  ['tls with a bad source label', tls({ sourceLabels: { app: 'a b' } }), 'labels'],
  ['tls with a bad gateway', tls({ gateways: ['a b'] }), 'names'],
  ['tls without a route', { hosts: ['a.com'], tls: [{ match: [{ sniHosts: ['a.com'] }] }] }, 'missing'],
  ['tcp', tcp({ match: [{ port: 80, sourceLabels: { app: 'a' } }] })],
  ['tcp with port 65536', tcp({ match: [{ port: 65_536 }] }), 'ports'],
  ['tcp with a bad subnet', tcp({ match: [{ destinationSubnets: ['10.0.0.0/33'] }] }), 'addresses'],
  ['tcp without a route', tcp({ route: [] }), 'missing'],
  ['tcp to *', tcp({ route: [to({ host: '*' })] }), 'hosts'],
  ['tcp without weights', tcp({ route: [to(), to()] }), 'weights'],

  ['exportTo ~', service({ exportTo: ['~'] }), 'export_to'],
  ['exportTo *', service({ exportTo: ['*'] })],
]).concat(
  casesOf('VirtualService', [['a dry run', service({}), 'annotations']], {
    annotations: { 'istio.io/dry-run': 'true' },
  }),
  casesOf('VirtualService', [['a destination of the Gateway API', destination({ host: '' })]], {
    annotations: { 'internal.istio.io/route-semantics': 'gateway' },
  }),
);
