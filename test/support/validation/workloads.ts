import { casesOf, newer, older } from './case.ts';

const workload = (change: object): object => ({ address: '10.0.0.1', ports: { http: 80 }, ...change });
const label63 = 'a'.repeat(63);

const entries = casesOf('WorkloadEntry', [
  ['an IP address', workload({ labels: { app: 'api', 'example.com/tier': '' } })],
  ['a name', workload({ address: 'vm1.example.com' })],
  ['IPv6', workload({ address: '2001:db8::1' })],
  ['no address', workload({ address: '' }), 'missing'],
  ['a network alone', workload({ address: '', network: 'n1' }), older('1.19 and newer take it')],
  ['a bad address and a network', workload({ address: 'a b', network: 'n1' }), 'addresses'],
  ['a wildcard', workload({ address: '*.example.com' }), 'addresses'],
  ['an address with a port', workload({ address: '10.0.0.1:80' }), 'addresses'],
  ['a CIDR', workload({ address: '10.0.0.0/8' }), 'addresses'],
  ['an address of three parts', workload({ address: '10.0.1' }), 'addresses'],
  ['a socket', { address: 'unix:///run/api.sock' }],
  ['a socket with ports', workload({ address: 'unix:///run/api.sock' }), 'endpoints'],
  ['a socket without a path', { address: 'unix://' }, 'addresses'],
  ['a port without a name', workload({ ports: { '': 80 } }), 'ports'],
  ['a port with a bad name', workload({ ports: { a_b: 80 } }), 'ports'],
  ['port 0', workload({ ports: { http: 0 } }), 'ports'],
  ['port 65536', workload({ ports: { http: 65_536 } }), 'ports'],
  ['a label with a prefix', workload({ labels: { 'app.kubernetes.io/name': 'a.b_c-d' } })],
  ['a label with two slashes', workload({ labels: { 'a/b/c': 'd' } }), 'labels'],
  ['a label without a name', workload({ labels: { '': 'd' } }), 'labels'],
  ['a label with a prefix alone', workload({ labels: { 'a/': 'd' } }), 'labels'],
  ['a label that begins with -', workload({ labels: { '-a': 'd' } }), 'labels'],
  ['a label of 63', workload({ labels: { [label63]: 'd' } })],
  ['a label of 64', workload({ labels: { [`a${label63}`]: 'd' } }), 'labels'],
  ['a label with a prefix of 253', workload({ labels: { [`${'a'.repeat(253)}/b`]: 'd' } })],
  ['a label with a prefix of 254', workload({ labels: { [`${'a'.repeat(254)}/b`]: 'd' } }), 'labels'],
  ['a label with a long value', workload({ labels: { app: `a${label63}` } })],
  ['a label with a bad value', workload({ labels: { app: 'a:b' } }), 'labels'],
  ['a label whose value ends with .', workload({ labels: { app: 'a.' } }), 'labels'],
  ['a label whose value is not ASCII', workload({ labels: { app: 'café' } }), 'labels'],
]).concat(
  casesOf('WorkloadEntry', [['a dry run', workload({}), 'annotations']], { annotations: { 'istio.io/dry-run': 'x' } }),
);

const group = (change: object): object => ({ template: { ports: { http: 80 } }, ...change });
const probe = (change: object): object => group({ probe: { httpGet: { port: 80 }, ...change } });
const get = (change: object): object => group({ probe: { httpGet: { port: 80, ...change } } });

const groups = casesOf('WorkloadGroup', [
  ['a template', group({ metadata: { labels: { app: 'api' } } })],
  ['an empty template', { template: {} }],
  ['no template', { metadata: { labels: { app: 'api' } } }, 'missing'],
  ['a template with a bad address', { template: { address: 'a b' } }],
  ['a bad label', group({ metadata: { labels: { app: 'a b' } } }), 'labels'],
  ['a probe', probe({ periodSeconds: 1, initialDelaySeconds: 1, timeoutSeconds: 1 })],
  ['a probe without a method', group({ probe: { periodSeconds: 1 } }), 'missing'],
  ['an empty probe', group({ probe: {} }), 'missing'],
  ['periodSeconds -1', probe({ periodSeconds: -1 }), 'numbers'],
  ['initialDelaySeconds -1', probe({ initialDelaySeconds: -1 }), 'numbers'],
  ['timeoutSeconds -1', probe({ timeoutSeconds: -1 }), 'numbers'],
  ['successThreshold -1', probe({ successThreshold: -1 }), 'numbers'],
  ['failureThreshold -1', probe({ failureThreshold: -1 }), 'numbers'],
  ['httpGet without a port', get({ port: 0 }), 'ports'],
  ['httpGet with HTTPS', get({ scheme: 'HTTPS' })],
  ['httpGet with https', get({ scheme: 'https' }), 'unsupported'],
  ['httpGet with a header', get({ httpHeaders: [{ name: 'x-a', value: 'b' }] })],
  ['httpGet with a header without a name', get({ httpHeaders: [{ value: 'b' }] }), 'headers'],
  ['httpGet with a bad header', get({ httpHeaders: [{ name: 'a b' }] }), newer('older ones do not look')],
  ['tcpSocket', group({ probe: { tcpSocket: { port: 80 } } })],
  ['tcpSocket without a port', group({ probe: { tcpSocket: {} } }), 'ports'],
  ['tcpSocket with port 65536', group({ probe: { tcpSocket: { port: 65_536 } } }), 'ports'],
  ['exec', group({ probe: { exec: { command: ['true'] } } })],
  ['exec without a command', group({ probe: { exec: {} } }), 'missing'],
]);

export const workloadCases = [...entries, ...groups];
