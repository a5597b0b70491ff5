import { describe, expect, test } from 'vitest';
import { kindOf, type Kind } from '../../../src/model/kinds.ts';
import { resourceToObject, toYaml, type KubernetesObject } from '../../../src/schema/object.ts';
import { findingText, parseYaml, type ParsedResource } from '../../../src/schema/yaml.ts';
import { encodeResourceMessage, viewResourceBytes, type ResourceView } from '../../../src/wire/resource-view.ts';

const view = (changes: Partial<ResourceView> = {}): ResourceView => ({
  name: 'shop/orders',
  version: '1a2b',
  createTime: '2026-01-31T12:00:00.000Z',
  labels: { app: 'orders' },
  annotations: {},
  bodyType: 'istio.networking.v1alpha3.ServiceEntry',
  body: Buffer.from('0a016128022802', 'hex'),
  ...changes,
});

/** A parsed resource after its way over the wire. */
const carried = ({ kind, namespace, name, ...rest }: ParsedResource): ResourceView =>
  viewResourceBytes(encodeResourceMessage({ ...rest, name: `${namespace}/${name}`, bodyType: kind.body }));

describe('a wire resource as an object', () => {
  test('has the form of kubectl get -o yaml', () => {
    expect(resourceToObject(view())).toEqual({
      object: {
        apiVersion: 'networking.istio.io/v1alpha3',
        kind: 'ServiceEntry',
        metadata: {
          name: 'orders',
          namespace: 'shop',
          creationTimestamp: '2026-01-31T12:00:00Z',
          labels: { app: 'orders' },
        },
        spec: { hosts: ['a'], resolution: 'DNS' },
      },
      notes: [],
    });
  });

  test('shows a bare name without a namespace, and no time where there is none', () => {
    const { object } = resourceToObject(view({ name: 'orders', createTime: undefined, labels: {} }));
    expect((object as KubernetesObject).metadata).toEqual({ name: 'orders' });
  });

  test('notes what the spec does not show', () => {
    const { notes } = resourceToObject(view({ body: Buffer.from('0a0161980601', 'hex') }));
    expect(notes).toEqual([
      'spec: field number 99 (wire type 0, 1 bytes) is not known here; it is left out of this view; the bytes themselves are carried as they are',
    ]);
  });

  test('is a summary where the body can not be read', () => {
    const summary = { name: 'shop/orders', version: '1a2b', createTime: '2026-01-31T12:00:00.000Z', size: 7 };
    expect(resourceToObject(view({ bodyType: 'acme.v1.Thing' }))).toEqual({
      object: { kind: 'acme.v1.Thing', ...summary },
      notes: [],
    });
    expect(resourceToObject(view({ body: Buffer.from('0aff', 'hex'), createTime: undefined }))).toEqual({
      object: { kind: 'ServiceEntry', name: 'shop/orders', version: '1a2b', size: 2 },
      notes: ['the body is no ServiceEntry: truncated varint'],
    });
  });
});

describe('YAML of objects', () => {
  test('reads back as what it was', () => {
    const { object } = resourceToObject(view());
    const text = toYaml([object, object]);
    expect(text).toBe(`apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: orders
  namespace: shop
  creationTimestamp: "2026-01-31T12:00:00Z"
  labels:
    app: orders
spec:
  hosts:
    - a
  resolution: DNS
---
apiVersion: networking.istio.io/v1alpha3
kind: ServiceEntry
metadata:
  name: orders
  namespace: shop
  creationTimestamp: "2026-01-31T12:00:00Z"
  labels:
    app: orders
spec:
  hosts:
    - a
  resolution: DNS
`);
    const { resources, findings } = parseYaml(text, 'f.yaml');
    expect(findings.map(findingText)).toEqual([]);
    expect(resources.map((resource) => resourceToObject(carried(resource)).object)).toEqual([object, object]);
  });

  test('keeps as text what YAML 1.1 or 1.2 would take for something else', () => {
    const texts = [
      'yes',
      'on',
      'n',
      'null',
      '~',
      '012',
      '0o14',
      '0x1F',
      '1e3',
      '1_000',
      '12:30',
      '.inf',
      '<<',
      '=',
      '',
    ];
    const labels = Object.fromEntries(texts.map((text, i) => [`l${i}`, text]));
    const text = toYaml([resourceToObject(view({ labels })).object]);
    for (const value of texts) expect(text).toMatch(new RegExp(`: "${value.replace(/[.~<=]/g, '\\$&')}"\n`));
    expect(parseYaml(text, 'f.yaml')).toMatchObject({ findings: [], resources: [{ labels }] });
  });

  test('a name in a map may be anything', () => {
    const spec = { endpoints: [{ labels: { yes: '1', '012': '2', '0o14': '3', '': '4', '<<': '5', '- x: ': '6' } }] };
    const text = toYaml([
      { apiVersion: 'networking.istio.io/v1', kind: 'ServiceEntry', metadata: { name: 'a' }, spec },
    ]);
    const { resources, findings } = parseYaml(text, 'f.yaml');
    expect(findings).toEqual([]);
    expect(resourceToObject(carried(resources[0] as ParsedResource)).object).toMatchObject({ spec });
  });
});

test('the model has a kind for every body that is shown as one', () => {
  const kind = kindOf('networking.istio.io', 'WorkloadEntry') as Kind;
  expect(resourceToObject(view({ bodyType: kind.body, body: Buffer.from('0a0161', 'hex') })).object).toMatchObject({
    kind: 'WorkloadEntry',
    spec: { address: 'a' },
  });
});
