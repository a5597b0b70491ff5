import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { stringify } from 'yaml';
import { onTestFinished } from 'vitest';
import type { KeyPair } from './certificates.ts';

/** A request as it came in. */
export type SeenRequest = {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
};

/** What it is answered with; `never` keeps it waiting, `cut` ends the connection in the midst of the body. */
export type FakeAnswer = 'never' | 'cut' | WholeAnswer;

export type WholeAnswer = {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Text as it is; anything else as JSON. */
  readonly body: unknown;
};

/** Something on 127.0.0.1 that answers as it is told to: what an API server, or what is in front of it, may do. */
export type FakeKubeApi = {
  readonly server: string;
  /** In the order in which they came. */
  readonly requests: readonly SeenRequest[];
  /** A kubeconfig for it, with these fields of its user and cluster. */
  kubeconfig(user?: object, cluster?: object): string;
};

/** Starts one; it is gone when the test is over. */
export async function fakeKubeApi(answer: (request: SeenRequest) => FakeAnswer, tls?: KeyPair): Promise<FakeKubeApi> {
  const requests: SeenRequest[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    const { method = '', url: target = '/', headers } = request;
    const { pathname: path, searchParams: query } = new URL(target, 'http://fake');
    const read = async () => {
      const seen = { method, path, query, headers, body: await text(request) };
      requests.push(seen);
      give(response, answer(seen));
    };
    read().catch(() => response.destroy());
  };
  const server: Server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const address = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`;
  return {
    server: address,
    requests,
    kubeconfig: (user = { token: 'secret-token' }, cluster = { 'insecure-skip-tls-verify': true }) =>
      kubeconfigText(address, user, cluster),
  };
}

/** A kubeconfig with the context `test`. */
export function kubeconfigText(server: string, user: object, cluster: object = {}): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [{ name: 'test', cluster: { server, ...cluster } }],
    users: [{ name: 'tester', user }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'tester' } }],
  });
}

/** What an API server says where it does not do something. */
export function statusBody(code: number, reason: string, message: string, details: object = {}): WholeAnswer {
  return {
    status: code,
    body: { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason, details, code },
  };
}

function give(response: ServerResponse, answer: FakeAnswer): void {
  if (answer === 'never') return;
  if (answer === 'cut') {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    response.write('{"kind":"ConfigMap",', () => response.destroy());
    return;
  }
  const { status = 200, type = 'application/json', headers = {}, body } = answer;
  response.writeHead(status, { 'content-type': type, ...headers });
  response.end(typeof body === 'string' ? body : JSON.stringify(body));
}
