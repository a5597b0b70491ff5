import { describe, expect, it } from 'vitest';
import { exitCode } from '../../../src/model/errors.ts';
import { type Cluster, type ClusterOptions, openCluster } from '../../../src/kube/cluster.ts';
import { KubeError } from '../../../src/kube/failure.ts';
import { configMaps, deployments } from '../../../src/kube/object.ts';
import { issue, newAuthority } from '../../support/certificates.ts';
import { type FakeAnswer, fakeKubeApi, type SeenRequest, statusBody } from '../../support/fake-kube-api.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const istio = { namespace: 'istio-system', name: 'istio' };
const configMap = {
  kind: 'ConfigMap',
  apiVersion: 'v1',
  metadata: { ...istio, resourceVersion: '7' },
  data: { mesh: '' },
};

async function open(kubeconfig: string, options?: ClusterOptions): Promise<Cluster> {
  return openCluster({ kubeconfig: `${tempFolder({ config: kubeconfig })}/config` }, options);
}

async function cluster(answer: (request: SeenRequest) => FakeAnswer, options?: ClusterOptions) {
  const api = await fakeKubeApi(answer);
  return { api, cluster: await open(api.kubeconfig(), options) };
}

async function failureOf(run: Promise<unknown>): Promise<KubeError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof KubeError)) throw new Error(`no KubeError: ${String(error)}`);
  expect(error.exitCode).toBe(exitCode.environment);
  expect(`${error.message} ${error.hint}`).not.toContain('secret');
  return error;
}

describe('a cluster', () => {
  it('sends the credentials of the context, and gives the object as it came', async () => {
    const odd = { ...configMap, unknownField: { a: [1] } };
    const { api, cluster: opened } = await cluster(() => ({ body: odd }));
    expect(await opened.get(configMaps, istio)).toEqual(odd);
    expect(api.requests[0]).toMatchObject({
      method: 'GET',
      path: '/api/v1/namespaces/istio-system/configmaps/istio',
      headers: { authorization: 'Bearer secret-token' },
    });
  });

  it('patches with a merge patch under a name of its own', async () => {
    const { api, cluster: opened } = await cluster(() => ({ body: configMap }));
    await opened.patch(configMaps, istio, { metadata: { resourceVersion: '7' }, data: { mesh: 'ä\r\n' } });
    expect(api.requests[0]).toMatchObject({
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: '{"metadata":{"resourceVersion":"7"},"data":{"mesh":"ä\\r\\n"}}',
    });
    expect(api.requests[0]?.query.get('fieldManager')).toBe('isthmus-migrate');
  });

  it('reads a list page by page, and says of each object what it is', async () => {
    const { api, cluster: opened } = await cluster(
      ({ query }) =>
        query.get('continue') === 'more'
          ? { body: { metadata: {}, items: [{ metadata: { name: 'b' } }] } }
          : { body: { metadata: { continue: 'more' }, items: [{ metadata: { name: 'a' } }] } },
      { pageSize: 1 },
    );
    expect(await opened.list(deployments, { namespace: 'istio-system', labelSelector: 'app=istiod' })).toEqual([
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'a' } },
      { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'b' } },
    ]);
    expect(api.requests.map(({ query }) => query.toString())).toEqual([
      'limit=1&labelSelector=app%3Distiod',
      'limit=1&labelSelector=app%3Distiod&continue=more',
    ]);
    expect(api.requests[0]?.path).toBe('/apis/apps/v1/namespaces/istio-system/deployments');
  });

  it('begins a list anew whose rest was forgotten, and gives none half', async () => {
    let pages = 0;
    const { cluster: opened } = await cluster(({ query }) => {
      pages++;
      if (query.get('continue') === null)
        return { body: { metadata: { continue: `from ${pages}` }, items: [{ metadata: { name: 'a' } }] } };
      return pages < 4
        ? statusBody(410, 'Expired', 'The provided continue parameter is too old')
        : { body: { metadata: {}, items: [{ metadata: { name: 'b' } }] } };
    });
    const names = (await opened.list(configMaps)).map(({ metadata }) => metadata.name);
    expect(names).toEqual(['a', 'b']);
    expect(pages).toBe(4);
  });

  it('gives up a list that is forgotten again and again', async () => {
    const { cluster: opened } = await cluster(({ query }) =>
      query.get('continue') === null
        ? { body: { metadata: { continue: 'more' }, items: [] } }
        : statusBody(410, 'Expired', 'too old'),
    );
    expect((await failureOf(opened.list(configMaps))).failure).toBe('gone');
  });

  it('asks a busy API server again, also where it writes', async () => {
    let asked = 0;
    const { cluster: opened } = await cluster(() => {
      asked++;
      const busy = { ...statusBody(429, 'TooManyRequests', 'too many'), headers: { 'retry-after': '0' } };
      return asked < 3 ? busy : { body: configMap };
    });
    await opened.patch(configMaps, istio, {});
    expect(asked).toBe(3);
  });

  it('gives a busy API server up in the end', async () => {
    const { api, cluster: opened } = await cluster(() => ({
      status: 429,
      headers: { 'retry-after': '0' },
      type: 'text/plain',
      body: 'Too many requests',
    }));
    expect((await failureOf(opened.get(configMaps, istio))).message).toBe(
      'configmaps istio-system/istio: the API server is busy (429)',
    );
    expect(api.requests).toHaveLength(4);
  });

  it('keeps the path of a server that has one', async () => {
    const api = await fakeKubeApi(() => ({ body: configMap }));
    const opened = await open(api.kubeconfig().replace(api.server, `${api.server}/k8s/clusters/c-1/`));
    await opened.get(configMaps, istio);
    expect(api.requests[0]?.path).toBe('/k8s/clusters/c-1/api/v1/namespaces/istio-system/configmaps/istio');
  });
});

describe('what an API server does not do', () => {
  const cases: readonly (readonly [string, FakeAnswer, KubeError['failure'], string, string])[] = [
    [
      '401',
      statusBody(401, 'Unauthorized', 'Unauthorized'),
      'unauthorized',
      'context test: SERVER does not take its credentials (401)',
      'kubectl get ns',
    ],
    [
      '403',
      statusBody(403, 'Forbidden', 'configmaps "istio" is forbidden: User "eve" cannot get resource "configmaps"'),
      'forbidden',
      'configmaps istio-system/istio: configmaps "istio" is forbidden: User "eve" cannot get resource "configmaps"',
      'a Role in istio-system that this user is bound to: {apiGroups: [""], resources: ["configmaps"], resourceNames: ["istio"], verbs: ["get"]}',
    ],
    [
      '404 of an object',
      statusBody(404, 'NotFound', 'configmaps "istio" not found', { name: 'istio', kind: 'configmaps' }),
      'notFound',
      'configmaps istio-system/istio: there is none in namespace istio-system of context test (configmaps "istio" not found)',
      'kubectl -n istio-system get configmaps',
    ],
    [
      '409',
      statusBody(409, 'Conflict', 'the object has been modified'),
      'conflict',
      'configmaps istio-system/istio: the object has been modified',
      'try again',
    ],
    [
      '422',
      statusBody(422, 'Invalid', 'data: Forbidden: field is immutable when `immutable` is set'),
      'invalid',
      'configmaps istio-system/istio: the API server does not take it (422): data: Forbidden: field is immutable when `immutable` is set',
      'mend what it names',
    ],
    [
      '500',
      statusBody(500, 'InternalError', 'etcdserver: request timed out'),
      'server',
      'configmaps istio-system/istio: the API server failed (500): etcdserver: request timed out',
      'look at what became of it',
    ],
    [
      '503 of what is in front of it',
      { status: 503, type: 'text/html', body: '<html>secret upstream</html>' },
      'server',
      'configmaps istio-system/istio: what is in front of the API server at SERVER does not reach it (503)',
      'readyz',
    ],
    [
      'a page of a proxy',
      { type: 'text/html', body: '<html><title>secret Sign in</title></html>' },
      'foreign',
      'configmaps istio-system/istio: SERVER answers with something that is no JSON of its API',
      'login page',
    ],
    [
      'a redirect to a login page',
      { status: 302, headers: { location: 'https://login.example/secret' }, type: 'text/html', body: '' },
      'foreign',
      'configmaps istio-system/istio: at SERVER something answers with a redirect that is no API server of Kubernetes',
      'cluster-info',
    ],
    [
      'JSON of something else',
      { body: { hello: 'world' } },
      'foreign',
      'configmaps istio-system/istio: SERVER answers with an object without a name',
      'login page',
    ],
    [
      'half an answer',
      'cut',
      'unreachable',
      'context test: SERVER closed the connection before its answer was whole',
      'try again',
    ],
  ];

  it.each(cases)('%s is said with what to do', async (_, answer, failure, message, hint) => {
    const { api, cluster: opened } = await cluster(() => answer);
    const error = await failureOf(opened.get(configMaps, istio));
    expect(error.failure).toBe(failure);
    expect(error.message).toBe(message.replaceAll('SERVER', api.server));
    expect(error.hint).toContain(hint);
  });

  it('an answer that does not come is given up', async () => {
    const { api, cluster: opened } = await cluster(() => 'never', { timeoutMs: 50 });
    const error = await failureOf(opened.get(configMaps, istio));
    expect(error.message).toBe(`context test: ${api.server} gave no whole answer within 0.05 s`);
  });

  it('a kind without a CRD is no empty list', async () => {
    const { cluster: opened } = await cluster(() => ({
      status: 404,
      type: 'text/plain',
      body: '404 page not found\n',
    }));
    const error = await failureOf(opened.list({ ...deployments, plural: 'envoyfilters' }));
    expect(error.failure).toBe('noSuchKind');
    expect(error.message).toMatch(/^envoyfilters: the API server at .* has no such kind$/);
  });

  it('a list that may not be read is no empty list', async () => {
    const { cluster: opened } = await cluster(() => statusBody(403, 'Forbidden', 'no'));
    const error = await failureOf(opened.list(deployments));
    expect(error.hint).toContain(
      'a ClusterRole that this user is bound to: {apiGroups: ["apps"], resources: ["deployments"], verbs: ["list"]}',
    );
  });
});

describe('a server that can’t be spoken to', () => {
  it('nobody listens', async () => {
    const api = await fakeKubeApi(() => 'never');
    const nobody = api.kubeconfig().replace(/127\.0\.0\.1:\d+/, '127.0.0.1:1');
    const error = await failureOf((await open(nobody)).get(configMaps, istio));
    expect(error.message).toBe('context test: http://127.0.0.1:1 refuses the connection');
  });

  it('a certificate of a CA that the context does not name', async () => {
    const ca = await newAuthority();
    const api = await fakeKubeApi(() => ({ body: configMap }), await issue(ca, ['127.0.0.1']));
    const other = Buffer.from((await newAuthority('other')).cert).toString('base64');
    const error = await failureOf(
      (await open(api.kubeconfig({}, { 'certificate-authority-data': other }))).get(configMaps, istio),
    );
    expect(error.failure).toBe('tls');
    expect(error.message).toContain('its certificate is not signed by the CA of this context');
    const right = Buffer.from(ca.cert).toString('base64');
    const opened = await open(api.kubeconfig({}, { 'certificate-authority-data': right }));
    expect((await opened.get(configMaps, istio)).metadata.resourceVersion).toBe('7');
  });

  it('a certificate for another name', async () => {
    const ca = await newAuthority();
    const api = await fakeKubeApi(() => ({ body: configMap }), await issue(ca, ['kubernetes.default']));
    const data = { 'certificate-authority-data': Buffer.from(ca.cert).toString('base64') };
    const error = await failureOf((await open(api.kubeconfig({}, data))).get(configMaps, istio));
    expect(error.message).toContain('its certificate is for another name');
    const named = await open(api.kubeconfig({}, { ...data, 'tls-server-name': 'kubernetes.default' }));
    expect((await named.get(configMaps, istio)).metadata.resourceVersion).toBe('7');
  });

  it('no TLS behind https://', async () => {
    const api = await fakeKubeApi(() => 'never');
    const error = await failureOf((await open(api.kubeconfig().replace('http:', 'https:'))).get(configMaps, istio));
    expect(error.message).toContain('it does not speak TLS');
  });

  it('plaintext that nobody has asked for', async () => {
    const api = await fakeKubeApi(() => 'never');
    const error = await failureOf((await open(api.kubeconfig({}, {}))).get(configMaps, istio));
    expect(error.message).toBe('context test: its server is an http:// address');
  });

  it.each([
    ['prints no JSON', ['-e', 'console.log("secret-token")'], 'no credentials: its credential plugin printed no JSON'],
    ['fails', ['-e', 'console.error("not logged in"); process.exit(1)'], 'no credentials: not logged in'],
  ])('a credential plugin that %s', async (_, args, message) => {
    const api = await fakeKubeApi(() => 'never');
    const exec = { apiVersion: 'client.authentication.k8s.io/v1', command: process.execPath, args };
    const error = await failureOf((await open(api.kubeconfig({ exec }))).get(configMaps, istio));
    expect(error.message).toBe(`context test: ${message}`);
  });
});
