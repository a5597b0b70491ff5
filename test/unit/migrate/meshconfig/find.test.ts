import { describe, expect, test } from 'vitest';
import { findMeshConfigs, type FoundFile, type MeshPlace } from '../../../../migrate/meshconfig/find.ts';

const configMap = (mesh: string, name = 'istio') => `apiVersion: v1
kind: ConfigMap
metadata: {name: ${name}, namespace: istio-system}
data:
  mesh: ${mesh}
`;

function only({ meshes, problems }: FoundFile): MeshPlace {
  expect(problems).toEqual([]);
  expect(meshes).toHaveLength(1);
  const [place] = meshes;
  if (place === undefined) throw new Error('there is none');
  return place;
}

/** What stands in the file where the address of an entry is said to be. */
function textAt(text: string, place: MeshPlace, index = 0): string {
  const { offset, line, column } = place.locate(['configSources', index, 'address']);
  const byLine = text.split('\n')[line - 1]?.slice(column - 1);
  const byOffset = text.slice(offset);
  expect(byOffset.startsWith(byLine ?? '?')).toBe(true);
  return byOffset;
}

describe('a place in the mesh config is one in the file', () => {
  test.each([
    ['a literal block', configMap('|\n    # one\n\n    configSources:\n    - address: galley:9901\n')],
    [
      'a literal block, stripped, of deeper indent',
      configMap('|-\n        configSources:\n        - address: galley:9901'),
    ],
    [
      'one with an indentation indicator',
      configMap('|2\n      # deep\n    configSources:\n    - address: galley:9901\n'),
    ],
    [
      'one with CRLF',
      configMap('|\n    a: 1\n    configSources:\n    - address: galley:9901\n').replaceAll('\n', '\r\n'),
    ],
    ['a folded block', configMap('>\n    {"configSources":\n    [{"address":\n       galley:9901}]}\n')],
    ['double quotes', configMap('"configSources:\\n- tlsSettings: {mode: \\x41}\\n  address: galley:9901\\n"')],
    ['double quotes over lines', configMap('"configSources:\\n\\\n    - address:\n      galley:9901\\n"')],
    ['single quotes', configMap("'{a: ''x'', configSources: [{address: galley:9901}]}'")],
    ['a plain mesh config', 'enableTracing: true\nconfigSources:\n- address: galley:9901\n'],
    ['the values of Helm', 'global: {}\nmeshConfig:\n  configSources:\n  - address: galley:9901\n'],
    ['a byte order mark before it', '\ufeffconfigSources:\n- address: galley:9901\n'],
    ['a document before it', `a: 1\n---\n${configMap('|\n    configSources:\n    - address: galley:9901\n')}`],
  ])('in %s', (_what, text) => {
    const place = only(findMeshConfigs('f', text));
    expect(place.configSources.map(({ address }) => address)).toEqual(['galley:9901']);
    expect(textAt(text, place)).toMatch(/^galley:9901/);
  });

  test('a name, and what is not there, have places too', () => {
    const text = configMap('|\n    enableTracing: true\n    rootNamespace: x\n');
    const place = only(findMeshConfigs('f', text));
    expect(place.locate(['rootNamespace'], true)).toMatchObject({ line: 7, column: 5 });
    expect(place.locate(['rootNamespace'])).toMatchObject({ line: 7, column: 20 });
    expect(place.locate(['configSources', 0])).toMatchObject({ line: 6, column: 5 });
  });
});

describe('what an entry is', () => {
  test.each([
    ['xds://isthmus:15410', 'xds', 'isthmus:15410'],
    ['XDS://isthmus:15410/path?q', 'xds', 'isthmus:15410'],
    ['xds://user@[::1]:15410', 'xds', '[::1]:15410'],
    ['xds://isthmus', 'malformed', 'isthmus'],
    ['xds:isthmus:15410', 'malformed', undefined],
    ['xds:///isthmus:15410', 'malformed', undefined],
    ['fs:///etc/istio', 'fs', undefined],
    ['fs://', 'malformed', undefined],
    ['k8s://', 'k8s', undefined],
    ['k8s:///', 'k8sWithPath', undefined],
    ['K8S://', 'k8sWithPath', undefined],
    ['istio-galley.istio-system.svc:9901', 'legacy', 'istio-galley.istio-system.svc:9901'],
    ['10.0.0.1:9901', 'legacy', '10.0.0.1:9901'],
    ['[::1]:9901', 'legacy', '[::1]:9901'],
    ['galley', 'legacy', 'galley'],
    ['mcp://galley:9901', 'legacy', 'galley:9901'],
    ['MCPS://galley:9901/', 'legacy', 'galley:9901'],
    ['dns:///galley:9901', 'legacy', 'galley:9901'],
    ['http://galley', 'unknown', 'galley'],
    ['', 'unknown', undefined],
    ['a b', 'unknown', undefined],
  ])('%j is %s', (address, form, host) => {
    const text = JSON.stringify({ configSources: [{ address }] });
    const [source] = only(findMeshConfigs('f', text)).configSources;
    expect(source).toMatchObject({ address, form });
    if (form !== 'malformed' && form !== 'unknown' && form !== 'fs') expect(source?.host).toBe(host);
  });

  test('its TLS and its subscriptions are read in both spellings, and nonsense is no entry that anybody falls over', () => {
    const mesh = {
      configSources: [{ tls_settings: { mode: 'MUTUAL' }, subscribed_resources: ['X'] }, 'x', null, { address: 7 }],
    };
    const { configSources, sourcesKey } = only(findMeshConfigs('f', JSON.stringify(mesh)));
    expect(sourcesKey).toBe('configSources');
    expect(configSources[0]).toMatchObject({ tlsSettings: { mode: 'MUTUAL' }, subscribedResources: ['X'] });
    expect(configSources.map(({ address, form }) => [address, form])).toEqual([0, 1, 2, 3].map(() => ['', 'unknown']));
    const proto = only(findMeshConfigs('f', 'config_sources: [{address: a:1}]'));
    expect([proto.sourcesKey, proto.configSources[0]?.address]).toEqual(['config_sources', 'a:1']);
  });
});

describe('what a file holds', () => {
  test('ConfigMaps say of which revision they are', () => {
    const text = ['istio', 'istio-canary', 'istio-1-24-0', 'other']
      .map((name) => configMap('"a: 1"', name))
      .join('---\n');
    const found = findMeshConfigs('f', text);
    expect(found.meshes.map(({ revision, what }) => [revision, what])).toEqual([
      ['', 'ConfigMap istio-system/istio, data.mesh'],
      ['canary', 'ConfigMap istio-system/istio-canary, data.mesh'],
      ['1-24-0', 'ConfigMap istio-system/istio-1-24-0, data.mesh'],
      [undefined, 'ConfigMap istio-system/other, data.mesh'],
    ]);
  });

  test('objects are found in lists too, with places of their own', () => {
    const text =
      'kind: List\napiVersion: v1\nitems:\n- {kind: Pod, apiVersion: v1, metadata: {name: a}}\n- kind: ConfigMap\n  apiVersion: v1\n  metadata: {name: istio}\n  data: {mesh: ""}\n';
    const found = findMeshConfigs('f', text);
    expect(found.objects.map(({ kind, name }) => [kind, name])).toEqual([
      ['Pod', 'a'],
      ['ConfigMap', 'istio'],
    ]);
    expect(found.objects[1]?.locate(['metadata', 'name'])).toMatchObject({ line: 7, column: 20 });
    expect(only(found).path).toEqual(['items', 1, 'data', 'mesh']);
  });

  test('the switches of old charts are found, in values and in operators', () => {
    const values =
      'global: {useMCP: true}\npilot:\n  configSource:\n    subscribedResources: [SERVICE_REGISTRY]\ngalley: {enabled: false}\n';
    const found = findMeshConfigs('values.yaml', values);
    expect(found.documents.map(({ what }) => what)).toEqual(['Helm values']);
    expect(found.switches.map(({ path, value, line }) => [path.join('.'), value, line])).toEqual([
      ['global.useMCP', true, 1],
      ['pilot.configSource', { subscribedResources: ['SERVICE_REGISTRY'] }, 3],
      ['galley.enabled', false, 5],
    ]);
    const operator = 'apiVersion: v1\nkind: IstioOperator\nspec:\n  values:\n    global:\n      useMCP: true\n';
    expect(findMeshConfigs('o', operator).switches).toMatchObject([
      { path: ['spec', 'values', 'global', 'useMCP'], line: 6 },
    ]);
  });

  test('what is no mesh config is told as what it is, and is no problem', () => {
    const found = findMeshConfigs(
      'f',
      'kind: Deployment\napiVersion: apps/v1\nmetadata: {name: galley}\n---\n- 1\n---\nfoo: bar\n',
    );
    expect(found.documents.map(({ number, what }) => [number, what])).toEqual([
      [1, 'Deployment galley'],
      [2, 'something else'],
      [3, 'something else'],
    ]);
    expect([found.meshes, found.problems]).toEqual([[], []]);
  });
});

describe('what is broken has a place, and never throws', () => {
  test.each([
    ['syntax', 'a: [1\n', 'syntax', 2],
    ['a tab', 'a:\n\tb: 1\n', 'syntax', 2],
    ['a key twice', 'rootNamespace: a\nenableTracing: true\nrootNamespace: b\n', 'duplicateKey', 3],
    ['a template', 'a: 1\n{{ if }}\n  b: [\n', 'template', 2],
    ['a mesh config that is no text', configMap('{a: 1}'), 'notText', 5],
    ['one that is no map', configMap('|\n    - 1\n'), 'notMap', 6],
    ['one of two documents', configMap('|\n    a: 1\n    ---\n    b: 2\n'), 'severalDocuments', 7],
    ['broken YAML in one', configMap('|\n    a: 1\n    b: [\n'), 'syntax', 7],
    ['a key twice in one', configMap('|\n    a: 1\n    a: 2\n'), 'duplicateKey', 7],
    [
      'a mesh config of an operator that is no map',
      'kind: IstioOperator\napiVersion: v1\nspec:\n  meshConfig: 7\n',
      'notMap',
      4,
    ],
    [
      'too many aliases',
      `a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n${Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(',')}]`).join('\n')}\n`,
      'syntax',
      1,
    ],
    ['nesting', `a: ${'['.repeat(5000)}`, 'syntax', 1],
  ])('%s', (_what, text, kind, line) => {
    const found = findMeshConfigs('f', text);
    expect(found.problems[0]).toMatchObject({ kind, line });
    expect(found.problems[0]?.hint).not.toBe('');
    expect(found.meshes).toEqual([]);
  });

  test('a broken document costs no other', () => {
    const found = findMeshConfigs('f', `a: "open\n---\n${configMap('"a: 1"')}---\nb: [\n`);
    expect(found.meshes.map(({ document }) => document)).toEqual([2]);
    expect(found.problems.map(({ document }) => document)).toEqual(expect.arrayContaining([1, 3]));
  });
});
