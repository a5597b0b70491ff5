import { expect, test } from 'vitest';
import { scanTexts, type CheckCase } from '../../../support/migrate/check-cases.ts';

const unread = (texts: CheckCase['in'], behind?: CheckCase['behind']) =>
  scanTexts({ in: texts, ...(behind === undefined ? {} : { behind }) }).unread.map(
    ({ code, severity, file, line, column }) => `${severity} ${code} ${file}:${line}:${column}`,
  );

test('broken YAML is a finding with its place, and the other documents and files are read', () => {
  const scanned = scanTexts({
    in: { 'a.yaml': 'trustDomain: x\n---\na: [1\nb: 2\n---\nrootNamespace: y\n', 'b.yaml': 'rootNamespace: z\n' },
  });
  expect(scanned.meshConfigs.map(({ json }) => json)).toEqual([
    { trustDomain: 'x' },
    { rootNamespace: 'y' },
    { rootNamespace: 'z' },
  ]);
  expect(scanned.unread[0]).toMatchObject({ code: 'YAML_INVALID', severity: 'error', file: 'a.yaml', line: 4 });
});

test('a broken mesh config in a good ConfigMap has its place in the file', () => {
  const text =
    'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio }\ndata:\n  mesh: |\n    trustDomain: x\n    a: [1\n    b: 2\n';
  const [problem] = scanTexts({ in: text }).unread;
  expect(problem).toMatchObject({ code: 'YAML_INVALID', line: 8, file: 'in.yaml' });
  expect(problem?.message).toContain('ConfigMap istio');
});

test('a key that stands twice, a mesh config that is no text, and several documents in one', () => {
  expect(unread('trustDomain: x\ntrustDomain: y\n')).toEqual(['error YAML_DUPLICATE_KEY in.yaml:2:1']);
  const configMap = (mesh: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio }\ndata:\n  mesh: ${mesh}\n`;
  expect(unread(configMap('{ trustDomain: x }'))).toEqual(['error MESH_CONFIG_INVALID in.yaml:5:9']);
  expect(unread(configMap('|\n    a: b\n    ---\n    c: d'))).toEqual(['error MESH_CONFIG_INVALID in.yaml:7:5']);
  expect(unread(configMap('"- a"'))).toEqual(['error MESH_CONFIG_INVALID in.yaml:5:10']);
});

test('a template is said once, where it begins to be one, and is never guessed', () => {
  const template = 'apiVersion: v1\nkind: ConfigMap\ndata:\n{{- if .Values.x }}\n  mesh: |\n{{- end }}\n';
  expect(unread(`${template}---\n${template}`)).toEqual(['warning TEMPLATE in.yaml:4:1']);
  expect(unread('# {{ only a comment }}\ntrustDomain: x\n')).toEqual([]);
});

test('what cannot be read of what the bridge serves is told too', () => {
  expect(unread('trustDomain: x\n', { 'behind.yaml': 'a: [\n' })).toEqual(['error YAML_INVALID behind.yaml:2:1']);
});

test('the version that runs is the oldest Pilot; the target is an istiod that runs, if it is 1.9 or newer', () => {
  const istiod = (tag: string) =>
    `apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { containers: [{ image: "istio/pilot:${tag}" }] }\n`;
  const versions = (one: CheckCase) => {
    const { from, target } = scanTexts(one);
    return [from?.text, target?.text];
  };
  expect(versions({ in: `${istiod('1.16.5')}---\n${istiod('1.12.9')}` })).toEqual(['1.12.9', '1.12.9']);
  expect(versions({ in: istiod('1.8.6') })).toEqual(['1.8.6', undefined]);
  expect(versions({ in: istiod('1.8.6'), from: '1.7', target: '1.24' })).toEqual(['1.7', '1.24']);
  const operator = 'apiVersion: install.istio.io/v1alpha1\nkind: IstioOperator\nspec: { tag: 1.6.14 }\n';
  expect(versions({ in: operator })).toEqual(['1.6.14', undefined]);
  // What runs says more than what is to be installed.
  expect(versions({ in: `${operator}---\n${istiod('1.5.10')}` })).toEqual(['1.5.10', undefined]);
});

test('a version that is none is a mistake of the command line', () => {
  for (const text of ['1', 'latest', '2.1.0', '1.24.x', '']) {
    expect(() => scanTexts({ in: 'trustDomain: x\n', target: text })).toThrow(
      `--to-version: "${text}" is no version of Istio`,
    );
  }
});

test('resources are told by group and kind, with the size that they have in a message', () => {
  const { resources } = scanTexts({
    in: [
      'apiVersion: networking.istio.io/v1beta1\nkind: Gateway\nmetadata: { name: a, namespace: n }\nspec: { selector: { x: y } }\n',
      'apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: { name: b }\nspec: {}\n',
      'apiVersion: config.istio.io/v1alpha2\nkind: handler\nmetadata: { name: c }\nspec: {}\n',
      'apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: { name: d }\nspec: {}\n',
    ].join('---\n'),
  });
  expect(resources.map(({ key, collection }) => [key, collection])).toEqual([
    ['n/a', 'istio/networking/v1alpha3/gateways'],
    ['default/b', 'istio/security/v1beta1/peerauthentications'],
    ['default/c', 'istio/policy/v1beta1/handlers'],
  ]);
  expect(resources[0]?.bytes).toBeGreaterThan(150);
  expect(resources[0]?.bytes).toBeLessThan(250);
});
