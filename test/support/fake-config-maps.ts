import { type FakeAnswer, type FakeKubeApi, fakeKubeApi, type SeenRequest, statusBody } from './fake-kube-api.ts';

type Fields = Record<string, unknown>;

export type StoredMap = { kind: 'ConfigMap'; apiVersion: 'v1'; metadata: Fields; data: Record<string, string> };

type Hook = (request: SeenRequest) => FakeAnswer | undefined;

const nothing: Hook = () => undefined;

/** ConfigMaps of istio-system by the rules of an API server: merge patches, and a conflict for an old resourceVersion. */
export type FakeConfigMaps = FakeKubeApi & {
  readonly stored: Map<string, StoredMap>;
  /** Another client that writes. */
  edit(name: string, change: (map: StoredMap) => void): void;
  /** Asked before each request; an answer takes the place of the usual one. */
  before: Hook;
  /** The same, after it was done. */
  after: Hook;
};

/** @param meshes `data.mesh` by the name of its ConfigMap. */
export async function fakeConfigMaps(
  meshes: Readonly<Record<string, string>>,
  metadata: Fields = {},
): Promise<FakeConfigMaps> {
  const stored = new Map<string, StoredMap>();
  let version = 0;
  const next = (): string => String(++version);
  for (const [name, mesh] of Object.entries(meshes)) {
    const own = { name, namespace: 'istio-system', uid: `uid-${name}`, resourceVersion: next() };
    stored.set(name, {
      kind: 'ConfigMap',
      apiVersion: 'v1',
      metadata: { ...metadata, ...own },
      data: { mesh, meshNetworks: 'networks: {}' },
    });
  }
  const answer = (request: SeenRequest): FakeAnswer => {
    const name = /^\/api\/v1\/namespaces\/istio-system\/configmaps(?:\/([\w.-]+))?$/.exec(request.path);
    if (name === null) return statusBody(404, 'NotFound', `no ${request.path}`, { name: request.path });
    if (name[1] === undefined) return { body: { kind: 'ConfigMapList', items: [...stored.values()] } };
    const map = stored.get(name[1]);
    if (map === undefined) return statusBody(404, 'NotFound', `configmaps "${name[1]}" not found`, { name: name[1] });
    if (request.method !== 'PATCH') return { body: map };
    const patch = JSON.parse(request.body) as { metadata: Fields; data: Record<string, string> };
    if (patch.metadata['resourceVersion'] !== map.metadata['resourceVersion']) {
      return statusBody(
        409,
        'Conflict',
        'the object has been modified; please apply your changes to the latest version',
      );
    }
    Object.assign(map.data, patch.data);
    map.metadata['resourceVersion'] = next();
    return { body: map };
  };
  const fake = {
    stored,
    before: nothing,
    after: nothing,
    edit(name: string, change: (map: StoredMap) => void) {
      const map = stored.get(name);
      if (map === undefined) throw new Error(`there is no ${name}`);
      change(map);
      map.metadata['resourceVersion'] = next();
    },
  };
  const api = await fakeKubeApi((request) => {
    const instead = fake.before(request);
    if (instead !== undefined) return instead;
    const usual = answer(request);
    return fake.after(request) ?? usual;
  });
  return Object.assign(fake, api);
}
