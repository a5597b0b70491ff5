import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { kindOfCollection, kindOfTypeUrl, kinds, meshConfigTypeUrl } from '../../../src/model/kinds.ts';
import { readResources, type ResourcesView } from '../../../src/wire/legacy-messages.ts';
import { viewResource, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { bodies } from '../../../src/wire/root.ts';
import {
  decodeDiscoveryRequest,
  decodeDiscoveryResponse,
  encodeDiscoveryRequest,
} from '../../../src/wire/xds-messages.ts';
import { encoded, sameContent, serviceEntry, splice, spliceWithoutVersions } from './encoded.ts';

type Captured = { readonly when: string; readonly base64: string };

function fixture(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`./fixtures/${name}`, import.meta.url), 'utf8'));
}

describe('Galley 1.5.10', () => {
  const { config, messages } = fixture('galley-1.5.10.json') as {
    config: Record<string, string>;
    messages: Captured[];
  };
  type Manifest = {
    kind: string;
    metadata: { name: string; namespace: string; labels?: object; annotations?: object };
    spec: Record<string, unknown>;
  };
  const manifests = (...files: string[]) =>
    files.flatMap((file) => parseAllDocuments(config[file] as string).map((doc) => doc.toJS() as Manifest));
  const atFirst = manifests('service-entries.yaml', 'routing.yaml');
  const keysOf = (list: readonly Manifest[], kind: string) =>
    list
      .filter((m) => m.kind === kind)
      .map((m) => `${m.metadata.namespace}/${m.metadata.name}`)
      .sort();

  const views = messages.map(({ when, base64 }) => ({ when, view: readResources(Buffer.from(base64, 'base64')) }));
  const kindOf = (view: ResourcesView) => kindOfCollection(view.collection)?.kind ?? '';
  const received = (view: ResourcesView) =>
    Array.from({ length: view.spans.length / 2 }, (_, i) =>
      view.bytes.subarray(view.spans[2 * i], view.spans[2 * i + 1]),
    );
  const encodedOf = (view: ResourcesView) =>
    received(view).map((bytes) => encoded(bytes, { body: kindOfCollection(view.collection)?.body ?? '' }));
  const onConnecting = views.filter(({ when }) => when === 'on connecting').map(({ view }) => view);
  const entries = views.map(({ view }) => view).filter((view) => kindOf(view) === 'ServiceEntry');

  test('answers every collection that was asked for, an empty one too, and counts its nonces over all of them', () => {
    expect(onConnecting.map(kindOf).sort()).toEqual(
      ['DestinationRule', 'EnvoyFilter', 'Gateway', 'ServiceEntry', 'Sidecar', 'VirtualService'].sort(),
    );
    expect(views.map(({ view }) => view.nonce)).toEqual(views.map((_, i) => String(i + 1)));
    expect(views.map(({ view }) => view.incremental)).toEqual(views.map(() => false));
    for (const { view } of views) {
      expect(view.systemVersionInfo).toMatch(new RegExp(`^${view.collection}/\\d+$`));
      expect(view.removedResources).toEqual([]);
    }
  });

  test('names what it was given to serve, when it was added and when it was removed', () => {
    for (const view of onConnecting) {
      const names = received(view).map((bytes) => viewResourceBytes(bytes).name);
      expect(names.sort()).toEqual(keysOf(atFirst, kindOf(view)));
    }
    const [first, added, removed] = entries.map((view) =>
      encodedOf(view)
        .map((r) => r.key)
        .sort(),
    );
    expect(entries).toHaveLength(3);
    expect(first).toEqual(keysOf(atFirst, 'ServiceEntry'));
    expect(added).toEqual(keysOf([...atFirst, ...manifests('added.yaml')], 'ServiceEntry'));
    expect(removed).toEqual(first);
  });

  test('is sent on with the labels, annotations and create_time that it had: here the zero time of Go', () => {
    for (const { view } of views) {
      for (const [i, resource] of encodedOf(view).entries()) {
        const { version, body, ...sent } = viewResource(resource);
        const { version: _, body: receivedBody, ...was } = viewResourceBytes(received(view)[i] as Buffer);
        expect(sent).toEqual({ ...was, createTime: '0001-01-01T00:00:00.000Z' });
        expect(version).toMatch(/^[\w-]{16}$/);
        expect(body.toSorted()).toEqual(receivedBody.toSorted());
      }
    }
    const catalog = atFirst.find((m) => m.kind === 'ServiceEntry' && m.metadata.name === 'catalog') as Manifest;
    const sent = encodedOf(entries[0] as ResourcesView).map(viewResource);
    expect(sent.find((r) => r.name === 'shop/catalog')).toMatchObject({
      labels: catalog.metadata.labels,
      annotations: catalog.metadata.annotations,
    });
  });

  test('has bodies that say what the YAML says', () => {
    const type = bodies().lookupType(serviceEntry);
    for (const view of entries) {
      for (const { name, body, bodyType } of encodedOf(view).map(viewResource)) {
        expect(bodyType).toBe(serviceEntry);
        const given = [...atFirst, ...manifests('added.yaml')].find(
          (m) => m.kind === 'ServiceEntry' && name === `${m.metadata.namespace}/${m.metadata.name}`,
        ) as Manifest;
        expect(type.toObject(type.decode(body), { enums: String })).toEqual(given.spec);
      }
    }
  });

  test('writes its maps in another order in every message; the content and its version stay the same', () => {
    const forms = new Map<string, Set<string>>();
    const versions = new Map<string, Set<string>>();
    for (const view of entries) {
      for (const [i, resource] of encodedOf(view).entries()) {
        const raw = received(view)[i] as Buffer;
        forms.set(resource.key, (forms.get(resource.key) ?? new Set()).add(raw.toString('hex')));
        versions.set(resource.key, (versions.get(resource.key) ?? new Set()).add(resource.version));
      }
    }
    expect(forms.get('shop/catalog')?.size).toBeGreaterThan(1);
    expect([...versions.values()].map((set) => set.size)).toEqual([1, 1, 1]);
    expect(new Set([...versions.values()].flatMap((set) => [...set])).size).toBe(3);

    const catalogs = entries.map((view) => encodedOf(view).find((r) => r.key === 'shop/catalog'));
    const [first, ...later] = catalogs as [NonNullable<(typeof catalogs)[0]>];
    expect(later.map((other) => sameContent(first, other))).toEqual([true, true]);
  });

  test('becomes a response that holds it all, with versions and without', () => {
    const resources = onConnecting.flatMap(encodedOf);
    expect(resources).toHaveLength(atFirst.length);
    const versioned = decodeDiscoveryResponse(splice(resources).toBuffer()).resources;
    const without = decodeDiscoveryResponse(spliceWithoutVersions(resources).toBuffer()).resources;
    expect(versioned.map((r) => viewResourceBytes(r.value))).toEqual(resources.map(viewResource));
    expect(without.map((r) => viewResourceBytes(r.value))).toEqual(
      resources.map((resource) => ({ ...viewResource(resource), version: '' })),
    );
  });
});

describe('istiod 1.24.0', () => {
  const { requests } = fixture('istiod-1.24.0.json') as { requests: Captured[] };
  const decoded = requests.map(({ when, base64 }) => ({
    when,
    ...decodeDiscoveryRequest(Buffer.from(base64, 'base64')),
  }));
  const initial = decoded.filter(({ when }) => when === 'on connecting');
  const answers = decoded.filter(({ when }) => when !== 'on connecting');
  const id = /^sidecar~[\d.]+~istiod-test\.istio-system~istio-system\.svc\.cluster\.local$/;

  test('asks for MeshConfig first, then for every kind that it reads, under the version of its time', () => {
    const [first, ...rest] = initial.map(({ typeUrl }) => typeUrl);
    expect(first).toBe(meshConfigTypeUrl);
    expect(kindOfTypeUrl(first as string)).toBeUndefined();
    const asked = rest.map((typeUrl) => kindOfTypeUrl(typeUrl)?.kind);
    expect(asked).toHaveLength(new Set(asked).size);
    expect(new Set(asked)).toEqual(
      new Set(kinds.map(({ kind }) => kind).filter((kind) => kind !== 'TrafficExtension')),
    );
    expect(rest).toContain('networking.istio.io/v1/ServiceEntry');
    expect(rest).toContain('networking.istio.io/v1alpha3/EnvoyFilter');
  });

  test('says who it is in its first request only, and has a nonce in all of them though nothing was sent to it', () => {
    expect(initial[0]?.node?.id).toMatch(id);
    expect(initial.slice(1).map(({ node }) => node)).toEqual(initial.slice(1).map(() => undefined));
    for (const request of initial) {
      expect(request.responseNonce).toMatch(/^\d{4}-\d\d-\d\d .* m=\+0\.\d+$/);
      expect(request.versionInfo).toBe('');
      expect(request.resourceNames).toEqual([]);
      expect(request.errorDetail).toBeUndefined();
    }
  });

  test('carries the metadata by which a server can tell what it talks to', () => {
    const text = (value: string) => ({ stringValue: value });
    expect(initial[0]?.node?.metadata).toEqual({
      fields: { GENERATOR: text('api'), ISTIO_VERSION: text('65536.65536.65536'), ISTIO_REVISION: text('canary') },
    });
  });

  test('answers with the version and the nonce that it was sent, and says again who it is', () => {
    expect(answers).toHaveLength(2);
    const asked = ['networking.istio.io/v1/ServiceEntry', 'networking.istio.io/v1alpha3/EnvoyFilter'];
    expect(answers.map(({ typeUrl }) => typeUrl)).toEqual(asked);
    for (const answer of answers) {
      expect(answer).toMatchObject({ versionInfo: 'v-1', responseNonce: `n-${answer.typeUrl}` });
      expect(answer.errorDetail).toBeUndefined();
      expect(answer.node?.id).toMatch(id);
    }
  });

  test('has requests that say the same when they are read and written again', () => {
    for (const { when: _, ...request } of decoded) {
      expect(decodeDiscoveryRequest(encodeDiscoveryRequest(request))).toEqual(request);
    }
  });
});
