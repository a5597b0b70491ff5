import { describe, expect, test } from 'vitest';
import { bodyToJson } from '../../../src/schema/json.ts';
import { findingText, parseYaml, type ParsedResource } from '../../../src/schema/yaml.ts';

/** A ServiceEntry in YAML, its spec in one line. */
const entry = (name: string, spec = '{hosts: [a.example.com]}'): string =>
  `apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata:\n  name: ${name}\nspec: ${spec}\n`;

const specOf = ({ kind, body }: ParsedResource): object => bodyToJson(kind, body).spec;

/** Names of what was read, and each finding as a line. */
function read(text: string): { names: string[]; said: string[] } {
  const { resources, findings } = parseYaml(text, 'f.yaml');
  return {
    names: resources.map(({ namespace, name }) => `${namespace}/${name}`),
    said: findings.map((finding) => `${finding.severity} ${finding.document} ${findingText(finding)}`),
  };
}

describe('a good document', () => {
  const text = `# Orders still run on virtual machines.
apiVersion: networking.istio.io/v1beta1
kind: ServiceEntry
metadata:
  name: orders.v2
  namespace: shop
  uid: 1f2e
  creationTimestamp: "2026-01-31T12:00:00.25+01:00"
  labels: {app: orders, empty: null}
  annotations:
    note: |
      two
      lines
spec:
  hosts: [orders.internal.example]
  ports:
  - {number: 80, name: http, protocol: HTTP, targetPort: 8080}
  resolution: STATIC
  endpoints:
  - address: 10.0.0.1
    ports: {http: 8080, 9: 1}
status:
  anything: [at, all]
`;

  test('becomes a resource with its metadata and body', () => {
    const { resources, findings } = parseYaml(text, 'f.yaml');
    expect(findings).toEqual([]);
    expect(resources).toHaveLength(1);
    const { body, kind, ...rest } = resources[0] as ParsedResource;
    expect(kind.id).toBe('networking.istio.io/ServiceEntry');
    expect(rest).toEqual({
      namespace: 'shop',
      name: 'orders.v2',
      labels: { app: 'orders', empty: '' },
      annotations: { note: 'two\nlines\n' },
      createTime: new Date('2026-01-31T11:00:00.250Z'),
      line: 2,
    });
    expect(bodyToJson(kind, body).spec).toEqual({
      hosts: ['orders.internal.example'],
      ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: 8080 }],
      resolution: 'STATIC',
      endpoints: [{ address: '10.0.0.1', ports: { http: 8080, '9': 1 } }],
    });
  });

  test('gives the same body as JSON, with CRLF, and with a byte order mark', () => {
    const want = parseYaml(entry('a'), 'f.yaml').resources[0]?.body;
    const json = {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'ServiceEntry',
      metadata: { name: 'a' },
      spec: { hosts: ['a.example.com'] },
    };
    for (const same of [JSON.stringify(json, null, '\t'), entry('a').replaceAll('\n', '\r\n'), `\ufeff${entry('a')}`]) {
      const { resources, findings } = parseYaml(same, 'f.yaml');
      expect(findings).toEqual([]);
      expect(resources[0]?.body).toEqual(want);
    }
  });

  test('without a namespace gets the given one', () => {
    expect(parseYaml(entry('a'), 'f.yaml').resources[0]?.namespace).toBe('default');
    expect(parseYaml(entry('a'), 'f.yaml', { defaultNamespace: 'mesh' }).resources[0]?.namespace).toBe('mesh');
  });

  test('may lack a time, and may say so with null', () => {
    const withoutTime = entry('a').replace('  name: a', '  name: a\n  creationTimestamp: null');
    expect(parseYaml(withoutTime, 'f.yaml')).toMatchObject({
      findings: [],
      resources: [expect.not.objectContaining({ createTime: expect.anything() })],
    });
  });
});

describe('many documents', () => {
  test('empty ones, comments and directives count as nothing', () => {
    const text = `%YAML 1.2\n---\n# none\n---\n${entry('a')}...\n---\n\n--- # next\n${entry('b')}---\n`;
    expect(read(text)).toEqual({ names: ['default/a', 'default/b'], said: [] });
    expect(read('')).toEqual({ names: [], said: [] });
    expect(read('---\n---\n')).toEqual({ names: [], said: [] });
  });

  test('lists are unfolded', () => {
    const item = (name: string) => ({
      apiVersion: 'networking.istio.io/v1',
      kind: 'WorkloadEntry',
      metadata: { name },
      spec: { address: '10.0.0.1', weight: name === 'bad' ? -1 : 1 },
    });
    const list = { apiVersion: 'v1', kind: 'List', items: [item('a'), item('bad'), item('b')] };
    const typed = { apiVersion: 'networking.istio.io/v1', kind: 'WorkloadEntryList', items: [item('c'), list] };
    const { names, said } = read(JSON.stringify(typed));
    expect(names).toEqual(['default/c', 'default/a', 'default/b']);
    expect(said).toEqual([expect.stringContaining('items[1].items[1].spec.weight: expected a whole number, found -1')]);
  });

  const broken = {
    'an open quote': 'a: "never closed',
    'an open bracket': 'a: [1, {b: 2',
    'bad indentation': 'a:\n  b: 1\n c: 2',
    'a tab': 'a:\n\tb: 1',
    'an unknown anchor': 'a: *nothing',
    'an alias inside its anchor': 'a: &x [*x]',
    'the same name twice': 'a: 1\na: 2',
    'two names that only differ in quotes': 'a: {80: x, "80": y}',
    'a control character': 'a: "\\u00"',
    'an endless nesting': '['.repeat(30_000),
    'a billion laughs': `a: &a [x,x,x,x,x,x,x,x,x,x]\n${'bcdefgh'
      .split('')
      .map((c, i) => `${c}: &${c} [${Array(10).fill(`*${'abcdefgh'[i]}`).join(',')}]\n`)
      .join('')}`,
    'a list': '- a\n- b',
    'a word': 'hello',
  };
  for (const [what, text] of Object.entries(broken)) {
    test(`${what} costs only its own document, and the finding tells which`, () => {
      const { names, said } = read(`${entry('a')}---\n${text}\n---\n${entry('b')}`);
      expect(names).toEqual(['default/a', 'default/b']);
      expect(said.length).toBeGreaterThan(0);
      for (const line of said) expect(line).toMatch(/^error 2 f\.yaml:([6-9]|1\d):\d+: /);
    });
  }

  test('a file that is no YAML at all is told in a few findings', () => {
    expect(read('"'.repeat(1000)).said).toHaveLength(20);
  });

  test('many endpoints may share one anchor', () => {
    const shared = Array.from({ length: 500 }, (_, i) => `\n  - {address: 10.0.0.${i}, labels: *l}`).join('');
    const spec = `\n  workloadSelector: {labels: &l {app: a}}\n  hosts: [a.example.com]\n  endpoints:${shared}`;
    expect(read(entry('a', spec))).toEqual({ names: ['default/a'], said: [] });
  });

  test('anchors, aliases and merge keys work, and findings point to where the text stands', () => {
    const text = entry(
      'a',
      '\n  hosts: [a.example.com]\n  endpoints:\n  - &e {address: 10.0.0.1, weight: 1}\n  - {<<: *e, weight: 2}\n  - *e',
    );
    const { resources, findings } = parseYaml(text, 'f.yaml');
    expect(findings).toEqual([]);
    expect(specOf(resources[0] as ParsedResource)).toMatchObject({
      endpoints: [
        { address: '10.0.0.1', weight: 1 },
        { address: '10.0.0.1', weight: 2 },
        { address: '10.0.0.1', weight: 1 },
      ],
    });
    const bad = text.replace('weight: 1', 'weight: x');
    expect(read(bad).said).toEqual([
      expect.stringContaining('f.yaml:8:36: spec.endpoints[0].weight: expected a whole number'),
      expect.stringContaining('f.yaml:8:36: spec.endpoints[2].weight: expected a whole number'),
    ]);
  });
});

describe('each finding has a place, a path, and what to do', () => {
  const cases: readonly (readonly [what: string, text: string, names: string[], said: string[]])[] = [
    [
      'inside the spec',
      entry('a', '\n  hosts: [a]\n  ports:\n  - number: 80\n    nmae: http\n    protocol: 7\n'),
      [],
      [
        'warning 1 f.yaml:9:5: spec.ports[0].nmae: is no known field; it is left out; did you mean "name"?',
        'error 1 f.yaml:10:15: spec.ports[0].protocol: expected text, found 7; put it in quotes: "7"',
      ],
    ],
    [
      'an unknown field costs nothing',
      `${entry('a', '{hosts: [a], newField: 1}')}specs: {}\n`.replace('  name: a', '  name: a\n  lables: {}'),
      ['default/a'],
      [
        'warning 1 f.yaml:7:1: specs: is no field of a resource; it is left out; did you mean "spec"?',
        'warning 1 f.yaml:5:3: metadata.lables: is no field of metadata; it is left out; did you mean "labels"?',
        'warning 1 f.yaml:6:20: spec.newField: is no known field; it is left out; its fields are hosts, addresses, ports, location, resolution, endpoints, exportTo, subjectAltNames, workloadSelector',
      ],
    ],
    [
      'no apiVersion',
      entry('a').replace(/^apiVersion.*\n/, ''),
      [],
      ['error 1 f.yaml:1:1: apiVersion: is missing; write apiVersion: networking.istio.io/v1'],
    ],
    [
      'a version that never was',
      entry('a').replace('/v1', '/v2'),
      [],
      [
        'error 1 f.yaml:1:13: apiVersion: "networking.istio.io/v2" is no version of ServiceEntry; write one of networking.istio.io/v1alpha3, networking.istio.io/v1beta1, networking.istio.io/v1',
      ],
    ],
    [
      'another group',
      entry('a').replace('networking.istio.io', 'config.istio.io'),
      [],
      [
        'error 1 f.yaml:1:13: apiVersion: ServiceEntry is no kind of "config.istio.io/v1"; write apiVersion: networking.istio.io/v1',
      ],
    ],
    [
      'a misspelt kind',
      entry('a').replace('ServiceEntry', 'ServiceEntries'),
      [],
      [
        'error 1 f.yaml:2:7: kind: ServiceEntries is no known kind of networking.istio.io; the known kinds are ServiceEntry, WorkloadEntry,',
      ],
    ],
    [
      'a kind in lower case',
      entry('a').replace('ServiceEntry', 'serviceentry'),
      [],
      ['error 1 f.yaml:2:7: kind: serviceentry is no known kind of networking.istio.io; did you mean ServiceEntry?'],
    ],
    [
      'a kind of Kubernetes',
      'apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\nspec: {replicas: 1}\n',
      [],
      [
        'warning 1 f.yaml:2:7: kind: Deployment of apps/v1 is no Istio configuration; it is left out; keep it elsewhere to silence this',
      ],
    ],
    [
      'no metadata',
      'apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nspec: {}\n',
      [],
      ['error 1 f.yaml:1:1: metadata: is missing; write a name there'],
    ],
    [
      'no spec',
      entry('a').replace(/^spec.*\n/m, 'spec:\n'),
      [],
      ['error 1 f.yaml:5:6: spec: is missing; describe the ServiceEntry there'],
    ],
    [
      'bad metadata',
      entry('A_b').replace(
        'metadata:',
        'metadata:\n  namespace: 7\n  labels: {v: 1.0}\n  annotations: [a]\n  creationTimestamp: 2026-02-30T00:00:00Z',
      ),
      [],
      [
        'error 1 f.yaml:8:9: metadata.name: "A_b" is no valid name; use lower-case letters, digits and "-", dots between, in quotes if it is a number',
        'error 1 f.yaml:4:14: metadata.namespace: 7 is no valid namespace; use lower-case letters, digits and "-"',
        'error 1 f.yaml:5:15: metadata.labels.v: expected text, found 1; put it in quotes',
        'error 1 f.yaml:6:16: metadata.annotations: expected an object, found a list; write it as "name: value" lines',
        'error 1 f.yaml:7:22: metadata.creationTimestamp: expected a time, found "2026-02-30T00:00:00Z"; write it as in "2026-01-31T12:00:00Z", or remove it',
      ],
    ],
    [
      'a name that is missing',
      entry('a').replace('name: a', 'generateName: a-'),
      [],
      ['error 1 f.yaml:4:3: metadata.name: is missing; give the resource a name'],
    ],
  ];
  for (const [what, text, names, said] of cases) {
    test(what, () => {
      const result = read(text);
      expect(result.names).toEqual(names);
      expect(result.said.map((line, i) => (line.startsWith(said[i] ?? '-') ? said[i] : line))).toEqual(said);
    });
  }

  test('a version that no API server has of the kind says which ones there are', () => {
    const said = (apiVersion: string, kind: string) =>
      read(`apiVersion: ${apiVersion}\nkind: ${kind}\nmetadata: {name: a}\nspec: {}\n`).said;
    for (const [apiVersion, kind] of [
      ['networking.istio.io/v1alpha3', 'EnvoyFilter'],
      ['networking.istio.io/v1beta1', 'VirtualService'],
      ['security.istio.io/v1beta1', 'PeerAuthentication'],
      ['security.istio.io/v1', 'PeerAuthentication'],
      ['telemetry.istio.io/v1', 'Telemetry'],
      ['networking.istio.io/v1beta1', 'ProxyConfig'],
    ] as const) {
      expect(said(apiVersion, kind)).toEqual([]);
    }
    expect(said('networking.istio.io/v1', 'EnvoyFilter')).toEqual([
      'error 1 f.yaml:1:13: apiVersion: "networking.istio.io/v1" is no version of EnvoyFilter; write one of networking.istio.io/v1alpha3',
    ]);
    expect(said('networking.istio.io/v2', 'Gateway')).toEqual([
      'error 1 f.yaml:1:13: apiVersion: "networking.istio.io/v2" is no version of Gateway; write one of networking.istio.io/v1alpha3, networking.istio.io/v1beta1, networking.istio.io/v1',
    ]);
    expect(said('networking.istio.io/v1', 'WasmPlugin')).toEqual([
      'error 1 f.yaml:1:13: apiVersion: WasmPlugin is no kind of "networking.istio.io/v1"; write apiVersion: extensions.istio.io/v1alpha1',
    ]);
  });

  test('deep in a VirtualService, with what was meant', () => {
    const text = `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: reviews
spec:
  hosts: [reviews]
  http:
  - match:
    - uri: {exact: /a, prefix: /b}
      headers:
        end-user: jason
    route:
    - destination: {hots: reviews, port: 9080}
      weight: 90%
    redirect: {port: 1, derivePort: FROM_REQUEST_PORTS}
    timeout: 5
    websocketUpgrade: true
`;
    expect(read(text).said).toEqual([
      'error 1 f.yaml:9:24: spec.http[0].match[0].uri.prefix: excludes "exact", which is set too; keep one of them',
      'error 1 f.yaml:11:19: spec.http[0].match[0].headers.end-user: expected an object, found "jason"; its fields are exact, prefix, regex',
      'warning 1 f.yaml:13:21: spec.http[0].route[0].destination.hots: is no known field; it is left out; did you mean "host"?',
      'error 1 f.yaml:13:42: spec.http[0].route[0].destination.port: expected an object, found 9080; its fields are number',
      'error 1 f.yaml:14:15: spec.http[0].route[0].weight: expected a whole number, found "90%"; write a whole number from -2147483648 to 2147483647',
      'error 1 f.yaml:15:25: spec.http[0].redirect.derivePort: excludes "port", which is set too; keep one of them',
      'error 1 f.yaml:16:14: spec.http[0].timeout: expected a duration, found 5; write it as in "5s" or "0.25s"',
      'warning 1 f.yaml:17:5: spec.http[0].websocketUpgrade: is a field that istiod 1.9 and newer passes over; it is kept; say what it says with the fields of today',
    ]);
  });

  test('in the second document lines are counted from the top of the file', () => {
    const { findings } = parseYaml(`${entry('a')}---\n${entry('b', '{hosts: [7]}')}`, 'dir/f.yaml');
    expect(findings).toEqual([
      {
        severity: 'error',
        file: 'dir/f.yaml',
        line: 11,
        column: 16,
        document: 2,
        path: 'spec.hosts[0]',
        message: 'expected text, found 7',
        hint: 'put it in quotes: "7"',
      },
    ]);
  });
});
