import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { droppedCollection, droppedCollections, neverAsked } from '../../../src/model/dropped.ts';
import { knownCollections } from '../../../src/model/kinds.ts';

/** What Pilot 1.1 to 1.8 subscribed to, and has no kind any more. */
const pilots = [
  'istio/config/v1alpha2/httpapispecs',
  'istio/config/v1alpha2/httpapispecbindings',
  'istio/mixer/v1/config/client/quotaspecs',
  'istio/mixer/v1/config/client/quotaspecbindings',
  'istio/authentication/v1alpha1/policies',
  'istio/authentication/v1alpha1/meshpolicies',
  'istio/rbac/v1alpha1/serviceroles',
  'istio/rbac/v1alpha1/servicerolebindings',
  'istio/rbac/v1alpha1/rbacconfigs',
  'istio/rbac/v1alpha1/clusterrbacconfigs',
  'istio/rbac/v1alpha1/authorizationpolicies',
  'istio/networking/v1alpha3/synthetic/serviceentries',
];

const names = droppedCollections.map(({ collection }) => collection);

test('everything that a Pilot read, and istiod does not, has a policy', () => {
  expect(names).toEqual(expect.arrayContaining(pilots));
  for (const collection of [
    'k8s/core/v1/pods',
    'istio/config/v1alpha2/legacy/stdios',
    'istio/mesh/v1alpha1/MeshConfig',
  ]) {
    expect([collection, droppedCollection(collection)?.instead]).toEqual([collection, expect.any(String)]);
  }
});

test('each is named once, and none that is served', () => {
  expect(new Set(names).size).toBe(names.length);
  expect(knownCollections.filter((collection) => droppedCollection(collection) !== undefined)).toEqual([]);
  expect(droppedCollection('some/thing/else')).toBeUndefined();
});

test('docs/dropped-collections.md has the same table', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/dropped-collections.md'), 'utf8');
  const rows = text.split('\n').filter((line) => line.startsWith('| `'));
  const shown = rows.flatMap((row) => Array.from(row.split('|')[1]?.matchAll(/`([^`]+)`/g) ?? [], ([, name]) => name));
  expect(new Set(shown)).toEqual(new Set(names));
  expect(shown).toHaveLength(names.length);
  for (const { collection } of neverAsked) expect(text).toContain(`\`${collection}`);
  const plain = (line: string) => line.replaceAll('`', '').toLowerCase();
  for (const { collection, instead } of droppedCollections) {
    const row = plain(rows.find((line) => line.includes(`\`${collection}\``)) ?? '');
    // The first words of it; the code names the group of an API beside.
    expect(row).toContain(plain(instead).slice(0, 15));
  }
});
