import { generateKeyPairSync } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseAllDocuments } from 'yaml';
import { kubeconfigText } from '../../support/fake-kube-api.ts';
import type { Child } from './child.ts';
import type { Lab } from './lab.ts';
import type { Binaries } from './peers.ts';
import { freePort } from './ports.ts';
import { mustRun } from './run.ts';
import { Hopeless, until } from './until.ts';

/** Who may ask it. `admin` may do everything, the others what a Role says. */
export type KubeUser = 'admin' | 'operator' | 'reader';

const users: readonly KubeUser[] = ['admin', 'operator', 'reader'];

const tokenOf = (user: KubeUser): string => `token-of-${user}`;

export type KubeAnswer = { readonly status: number; readonly body: Readonly<Record<string, unknown>> };

/** A Kubernetes API server 1.34.4 with its etcd, and no controllers: what is written stays as it is. */
export class KubeApi {
  readonly server: string;
  readonly #lab: Lab;
  readonly #ca: string;

  private constructor(lab: Lab, server: string, ca: string) {
    this.#lab = lab;
    this.server = server;
    this.#ca = ca;
  }

  /** Starts both, and waits until it serves. They end with the lab. */
  static async start(lab: Lab, binaries: Binaries<'etcd' | 'kube-apiserver'>, name = 'kube-api'): Promise<KubeApi> {
    const folder = lab.folder(name);
    const path = (file: string): string => join(folder, file);
    const etcd = await startEtcd(lab, binaries.etcd, `${name}-etcd`);
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    writeFileSync(path('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }));
    writeFileSync(
      path('tokens.csv'),
      users.map((user) => `${tokenOf(user)},${user},${user}${user === 'admin' ? ',system:masters' : ''}\n`).join(''),
    );
    const port = await freePort();
    const child = lab.launch({
      name,
      command: binaries['kube-apiserver'],
      args: [
        `--etcd-servers=${etcd}`,
        '--bind-address=127.0.0.1',
        '--advertise-address=127.0.0.1',
        `--secure-port=${port}`,
        `--cert-dir=${path('certs')}`,
        `--token-auth-file=${path('tokens.csv')}`,
        '--authorization-mode=RBAC',
        `--service-account-issuer=https://127.0.0.1:${port}`,
        `--service-account-key-file=${path('sa.key')}`,
        `--service-account-signing-key-file=${path('sa.key')}`,
        '--service-cluster-ip-range=10.0.0.0/24',
        '--disable-admission-plugins=ServiceAccount',
        '--endpoint-reconciler-type=none',
      ],
    });
    const server = `https://127.0.0.1:${port}`;
    // It makes its certificate itself, self-signed, before it listens.
    await until('the API server is ready', async () => {
      requireRunning(child);
      const api = new KubeApi(lab, server, readFileSync(path('certs/apiserver.crt'), 'utf8'));
      return (await api.text('/readyz')) === 'ok';
    });
    return new KubeApi(lab, server, readFileSync(path('certs/apiserver.crt'), 'utf8'));
  }

  /** Writes a kubeconfig with the context `test`. @returns its path. */
  kubeconfig(user: KubeUser, token = tokenOf(user)): string {
    const ca = { 'certificate-authority-data': Buffer.from(this.#ca).toString('base64') };
    const path = join(this.#lab.folder('kubeconfigs'), `${user}-${token.length}.yaml`);
    writeFileSync(path, kubeconfigText(this.server, { token }, ca));
    return path;
  }

  /** What a client needs to speak to it. */
  credentials(user: KubeUser): { readonly ca: string; readonly token: string } {
    return { ca: this.#ca, token: tokenOf(user) };
  }

  /** A request of the admin. @param type of the body. */
  async ask(method: string, path: string, body?: unknown, type = 'application/json'): Promise<KubeAnswer> {
    const { status, body: answer } = await this.#send(method, path, body, type);
    return { status, body: JSON.parse(answer) as KubeAnswer['body'] };
  }

  /** The same, of which anything but success is an error. */
  async must(method: string, path: string, body?: unknown, type?: string): Promise<KubeAnswer['body']> {
    const { status, body: answer } = await this.ask(method, path, body, type);
    if (status >= 300) throw new Error(`${method} ${path}: ${status} ${JSON.stringify(answer)}`);
    return answer;
  }

  async text(path: string): Promise<string> {
    return (await this.#send('GET', path, undefined, '')).body;
  }

  /** Installs Istio's CRDs of 1.24.0, out of the Go module that istiod is built of, and waits until they are served. */
  async installIstio(): Promise<void> {
    const module = join(import.meta.dirname, '../go/istiod-1.24.0');
    const found = await mustRun('go', ['mod', 'download', '-json', 'istio.io/api@v1.24.0'], { cwd: module });
    const { Dir: folder } = JSON.parse(found) as { Dir: string };
    const manifests = readFileSync(join(folder, 'kubernetes/customresourcedefinitions.gen.yaml'), 'utf8');
    const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
    for (const document of parseAllDocuments(manifests)) {
      const crd = document.toJS() as { metadata: { name: string } } | null;
      if (crd === null) continue;
      await this.must('POST', crds, crd);
      await until(`${crd.metadata.name} is served`, async () =>
        JSON.stringify(await this.must('GET', `${crds}/${crd.metadata.name}`)).includes('"type":"Established"'),
      );
    }
  }

  #send(method: string, path: string, body: unknown, type: string): Promise<{ status: number; body: string }> {
    const headers: Record<string, string> = { authorization: `Bearer ${tokenOf('admin')}`, accept: 'application/json' };
    if (body !== undefined) headers['content-type'] = type;
    return new Promise((resolve, reject) => {
      const call = request(`${this.server}${path}`, { method, headers, ca: this.#ca }, (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), reject);
      });
      call.on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }
}

async function startEtcd(lab: Lab, command: string, name: string): Promise<string> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const child = lab.launch({
    name,
    command,
    args: [
      `--data-dir=${join(lab.folder(name), 'data')}`,
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
      '--unsafe-no-fsync',
      '--log-level=warn',
    ],
  });
  await until('etcd is ready', async () => {
    requireRunning(child);
    return (await fetch(`${client}/health`)).ok;
  });
  return client;
}

function requireRunning(child: Child): void {
  if (child.exit !== undefined) throw new Hopeless(`${child.name} has ended: ${child.log().slice(-2_000)}`);
}
