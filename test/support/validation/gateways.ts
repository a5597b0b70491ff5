import { casesOf, missed, newer, older } from './case.ts';

const http = { number: 80, name: 'http', protocol: 'HTTP' };
const https = { number: 443, name: 'https', protocol: 'HTTPS' };

const servers = (...list: object[]): object => ({ servers: list });
const server = (change: object): object => servers({ port: http, hosts: ['*'], ...change });
const secure = (tls: object, port: object = https): object => servers({ port, hosts: ['a.com'], tls });
const port = (change: object): object => server({ port: { ...http, ...change } });
const hosts = (...list: string[]): object => server({ hosts: list });

const gateways = casesOf('Gateway', [
  ['a server', server({})],
  ['no server', { selector: { istio: 'ingress' } }, 'missing'],
  ['a server without hosts', server({ hosts: [] }), 'missing'],
  ['hosts with namespaces', hosts('shop/a.com', './*', '*/*.a.com', '10.0.0.1')],
  ['a host of one label', hosts('a'), 'hosts'],
  ['a host of one label in a namespace', hosts('shop/a'), 'hosts'],
  ['a bad host', hosts('a b.com'), 'hosts'],
  ['a bad namespace', hosts('a.b/c.com'), 'hosts'],
  ['an empty namespace', hosts('/a.com'), 'hosts'],
  ['an empty host in a namespace', hosts('shop/'), 'hosts'],
  ['the namespace ~', hosts('~/a.com'), 'hosts'],
  ['an IPv6 address as a host', hosts('::1'), 'hosts'],
  ['an IPv4 address in IPv6 as a host', hosts('::ffff:10.0.0.1')],
  ['a wildcard inside a label', hosts('*a.com'), newer('older ones take it')],

  ['no port', servers({ hosts: ['*'] }), 'missing'],
  ['port 0', port({ number: 0 }), newer('older ones take it')],
  ['port 65536', port({ number: 65_536 }), 'ports'],
  ['a port without a name', port({ name: '' }), 'missing'],
  ['a port with a bad name', port({ name: 'a b' })],
  ['a port without a protocol', port({ protocol: '' }), 'protocols'],
  ['an unknown protocol', port({ protocol: 'SMTP' }), 'protocols'],
  ['a target port', port({ targetPort: 80 }), newer('older ones do not look')],
  ['the same name twice', servers({ port: http, hosts: ['*'] }, { port: http, hosts: ['*'] }), 'duplicates'],

  ['bind', server({ bind: '10.0.0.1' })],
  ['bind to a name', server({ bind: 'a.com' }), 'addresses'],
  ['bind to a socket', server({ bind: 'unix:///run/a', port: { ...http, number: 0 } })],
  ['bind to a bad socket', server({ bind: 'unix://a', port: { ...http, number: 0 } }), 'addresses'],
  ['bind to a socket, with a port', server({ bind: 'unix:///run/a' }), 'conflict'],

  ['HTTPS without tls', server({ port: https }), 'tls'],
  ['TLS without tls', server({ port: { ...https, protocol: 'tls' } }), 'tls'],
  ['HTTP with a redirect', secure({ httpsRedirect: true }, http)],
  ['HTTP with tls', secure({ mode: 'SIMPLE', credentialName: 'c' }, http), 'tls'],
  ['HTTP with a certificate', secure({ serverCertificate: '/c.pem' }, http), 'tls'],
  ['TCP with tls', secure({ mode: 'PASSTHROUGH' }, { ...http, protocol: 'TCP' }), 'tls'],
  ['PASSTHROUGH', secure({ mode: 'PASSTHROUGH' })],
  ['PASSTHROUGH with a certificate', secure({ mode: 'PASSTHROUGH', serverCertificate: '/c.pem' })],
  ['SIMPLE with a credential', secure({ mode: 'SIMPLE', credentialName: 'c' })],
  ['SIMPLE with files', secure({ mode: 'SIMPLE', serverCertificate: '/c.pem', privateKey: '/k.pem' })],
  ['SIMPLE without a certificate', secure({ mode: 'SIMPLE', privateKey: '/k.pem' }), 'tls'],
  ['SIMPLE without a key', secure({ mode: 'SIMPLE', serverCertificate: '/c.pem' }), 'tls'],
  ['SIMPLE with several credentials', secure({ mode: 'SIMPLE', credentialNames: ['c'] }), missed('newer ones know it')],
  [
    'SIMPLE with several certificates',
    secure({ mode: 'SIMPLE', tlsCertificates: [{ serverCertificate: '/c.pem', privateKey: '/k.pem' }] }),
    missed('newer ones know it'),
  ],
  ['MUTUAL with a credential', secure({ mode: 'MUTUAL', credentialName: 'c' })],
  ['MUTUAL without a CA', secure({ mode: 'MUTUAL', serverCertificate: '/c.pem', privateKey: '/k.pem' }), 'tls'],
  [
    'MUTUAL with files',
    secure({ mode: 'MUTUAL', serverCertificate: '/c.pem', privateKey: '/k.pem', caCertificates: '/a.pem' }),
  ],
  ['OPTIONAL_MUTUAL without files', secure({ mode: 'OPTIONAL_MUTUAL' }), newer('older ones do not know it')],
  ['ISTIO_MUTUAL', secure({ mode: 'ISTIO_MUTUAL' })],
  ['ISTIO_MUTUAL with a certificate', secure({ mode: 'ISTIO_MUTUAL', serverCertificate: '/c.pem' }), 'tls'],
  ['ISTIO_MUTUAL with a CA', secure({ mode: 'ISTIO_MUTUAL', caCertificates: '/c.pem' }), 'tls'],
  [
    'ISTIO_MUTUAL with a credential',
    secure({ mode: 'ISTIO_MUTUAL', credentialName: 'c' }),
    missed('PILOT_ENABLE_LEGACY_ISTIO_MUTUAL_CREDENTIAL_NAME takes it'),
  ],
  ['an unknown cipher', secure({ mode: 'SIMPLE', credentialName: 'c', cipherSuites: ['a', 'a'] })],
]).concat(
  casesOf('Gateway', [['a name with dots', server({}), 'names']], { name: 'a.b' }),
  casesOf('Gateway', [['a name of the Gateway API', server({})]], {
    name: 'a-b',
    annotations: { 'internal.istio.io/gateway-semantics': 'gateway' },
  }),
);

const egress = (...list: object[]): object => ({ egress: list });
const listener = (change: object): object => egress({ hosts: ['./*'], ...change });
const reached = (...list: string[]): object => egress({ hosts: list });
const ingress = (change: object): object => ({
  ingress: [{ port: { number: 80, protocol: 'HTTP', name: 'http' }, defaultEndpoint: '127.0.0.1:8080', ...change }],
});
const endpoint = (defaultEndpoint: string): object => ingress({ defaultEndpoint });
const terminated = (tls: object, protocol = 'HTTPS'): object => ingress({ port: { number: 443, protocol }, tls });
const files = { serverCertificate: '/c.pem', privateKey: '/k.pem' };
const proxy = (change: object, mode = 'ALLOW_ANY'): object => ({
  outboundTrafficPolicy: { mode, egressProxy: { host: 'proxy.shop.svc', port: { number: 80 }, ...change } },
});

const sidecars = casesOf('Sidecar', [
  ['egress', reached('./*', 'istio-system/*', '*/a.com', '~/*')],
  ['nothing', {}, 'missing'],
  ['a selector alone', { workloadSelector: { labels: { app: 'a' } } }, 'missing'],
  ['a pool alone', { inboundConnectionPool: { tcp: {} } }, older('newer ones know it')],
  ['a policy', { outboundTrafficPolicy: {} }],
  ['a selector with *', { ...egress({ hosts: ['./*'] }), workloadSelector: { labels: { app: '*' } } }, 'selectors'],

  ['no host', egress({}), 'missing'],
  ['a host without a namespace', reached('a.com'), 'hosts'],
  ['a host of one label', reached('shop/a'), 'hosts'],
  ['a bad host', reached('shop/a b.com'), 'hosts'],
  ['an IP address', reached('shop/10.0.0.1'), 'hosts'],
  ['a bad namespace', reached('a.b/c.com'), 'hosts'],
  ['an empty namespace', reached('/a.com'), 'hosts'],
  ['a namespace after ~', reached('~shop/*'), missed('1.31 takes it')],
  ['an empty host', reached('shop/'), 'hosts'],
  ['the same host twice', reached('shop/a.com', 'shop/a.com')],
  ['a wildcard inside a label', reached('shop/*a.com'), newer('older ones take it')],
  ['a port', listener({ port: { number: 80, protocol: 'HTTP', name: 'http' }, bind: '127.0.0.1' })],
  ['port 65536', listener({ port: { number: 65_536 } }), 'ports'],
  ['a bad name of a port', listener({ port: { number: 80, name: 'a_b' } }), 'ports'],
  ['a port without a name', listener({ port: { number: 80 } })],
  ['an unknown protocol', listener({ port: { number: 80, protocol: 'SMTP' } }), 'protocols'],
  ['bind to a name', listener({ port: { number: 80 }, bind: 'a' }), 'addresses'],
  ['bind to a socket', listener({ port: { protocol: 'HTTP' }, bind: 'unix:///run/a' })],
  ['bind to a bad socket', listener({ port: { protocol: 'HTTP' }, bind: 'unix://' }), 'addresses'],
  ['neither a number nor a socket', listener({ port: { protocol: 'HTTP' } }), 'ports'],
  [
    'a socket that captures',
    listener({ port: { protocol: 'HTTP' }, bind: 'unix:///run/a', captureMode: 'IPTABLES' }),
    'conflict',
  ],
  [
    'the same port twice',
    egress({ port: { number: 80 }, hosts: ['./*'] }, { port: { number: 80 }, hosts: ['./*'] }),
    'duplicates',
  ],
  [
    'the same socket twice',
    egress(
      { port: { protocol: 'HTTP' }, bind: 'unix:///a', hosts: ['./*'] },
      { port: { protocol: 'HTTP' }, bind: 'unix:///a', hosts: ['./*'] },
    ),
    'duplicates',
  ],
  ['all other ports last', egress({ port: { number: 80 }, hosts: ['./*'] }, { hosts: ['./*'] })],
  ['all other ports first', egress({ hosts: ['./*'] }, { port: { number: 80 }, hosts: ['./*'] }), 'missing'],

  ['ingress', ingress({ bind: '10.0.0.1' })],
  ['ingress without a port', ingress({ port: null }), 'missing'],
  ['ingress at port 0', ingress({ port: { protocol: 'HTTP' } }), 'ports'],
  ['ingress with a bad name', ingress({ port: { number: 80, name: 'a_b' } }), 'ports'],
  ['ingress with an unknown protocol', ingress({ port: { number: 80, protocol: 'SMTP' } }), 'protocols'],
  ['ingress at a name', ingress({ bind: 'a' }), 'addresses'],
  ['ingress with a target port', ingress({ port: { number: 80, targetPort: 80 } }), newer('older ones do not look')],
  ['two of the same port', { ingress: [{ port: { number: 80 } }, { port: { number: 80 } }] }, 'duplicates'],
  ['an endpoint at all addresses', endpoint('0.0.0.0:80')],
  ['an endpoint without a host', endpoint(':80')],
  ['an endpoint that is a socket', endpoint('unix:///run/a')],
  ['an endpoint that is a bad socket', endpoint('unix://a'), 'addresses'],
  ['an endpoint elsewhere', endpoint('10.0.0.1:80'), 'endpoints'],
  ['an endpoint without a port', endpoint('127.0.0.1'), 'endpoints'],
  ['an endpoint with an empty port', endpoint('127.0.0.1:'), 'endpoints'],
  ['an endpoint at port 65536', endpoint(':65536'), 'endpoints'],
  ['an endpoint at port +80', endpoint(':+80')],
  ['an endpoint at IPv6', endpoint('[::1]:80')],
  ['an endpoint at another IPv6', endpoint('[::2]:80'), missed('1.14 reads IPv6 another way')],
  ['an endpoint in brackets', endpoint('[127.0.0.1]:80')],
  ['tls', terminated({ mode: 'SIMPLE', ...files })],
  ['tls without files', terminated({ mode: 'SIMPLE' }), 'tls'],
  ['tls with a credential', terminated({ mode: 'SIMPLE', credentialName: 'c' }), 'tls'],
  ['tls with names', terminated({ mode: 'SIMPLE', ...files, subjectAltNames: ['a'] }), 'tls'],
  ['tls with a redirect', terminated({ mode: 'SIMPLE', ...files, httpsRedirect: true }), 'tls'],
  ['tls with AUTO_PASSTHROUGH', terminated({ mode: 'AUTO_PASSTHROUGH' }), 'tls'],
  ['tls with HTTP', terminated({ mode: 'SIMPLE', ...files }, 'HTTP'), 'tls'],

  ['a proxy', proxy({})],
  ['a proxy, and REGISTRY_ONLY', proxy({}, 'REGISTRY_ONLY'), 'conflict'],
  ['a proxy at a wildcard', proxy({ host: '*.a.com' }), 'hosts'],
  ['a proxy without a host', proxy({ host: '' }), 'hosts'],
  ['a proxy without a port', proxy({ port: null }), 'ports'],
  ['a proxy with port 0', proxy({ port: {} }), 'ports'],
  ['a proxy with a bad subset', proxy({ subset: 'a.b' }), 'subsets'],
]);

export const gatewayCases = [...gateways, ...sidecars];
