import { beforeAll, expect, onTestFinished, test } from 'vitest';
import { systemClock } from '../../../src/model/clock.ts';
import { silentLogger } from '../../../src/model/logger.ts';
import {
  guarded,
  listen,
  type ListenOptions,
  nameOf,
  newServer,
  peerIdentities,
  serviceOf,
  stopServer,
} from '../../../src/net/grpc.ts';
import { Identity } from '../../../src/net/tls-identity.ts';
import { aggregatedDiscovery } from '../../../src/wire/services.ts';
import { issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { TlsFolder } from '../../support/tls-folder.ts';
import { TlsBack } from '../../support/tls-relay.ts';
import { until } from '../../support/until.ts';
import { XdsPeer } from '../../support/xds-peer.ts';

const galleyId = 'spiffe://cluster.local/ns/istio-system/sa/galley';

let authority: KeyPair;
let client: KeyPair;

beforeAll(async () => {
  authority = await newAuthority();
  client = await issue(authority, [galleyId, 'galley.istio-system', '10.0.0.7']);
});

/** A server that remembers who called it; undefined for calls that came with no name. */
async function start(options: ListenOptions): Promise<{ readonly port: number; readonly callers: string[][] }> {
  const callers: string[][] = [];
  const server = newServer();
  const method = aggregatedDiscovery();
  server.addService(serviceOf(method), { [nameOf(method)]: guarded((call) => callers.push(peerIdentities(call))) });
  onTestFinished(() => stopServer(server, 0));
  return { port: await listen(server, { host: '127.0.0.1', port: 0 }, 'test', options), callers };
}

async function withTls(hasClientCa: boolean) {
  const folder = new TlsFolder();
  const files = folder.put('tls', await issue(authority, ['localhost']));
  const ca = hasClientCa ? { ca: folder.write('ca.crt', authority.cert) } : {};
  const identity = new Identity({ use: 'sink', files: { ...files, ...ca }, clock: systemClock, log: silentLogger });
  onTestFinished(() => identity.stop());
  await identity.start();
  const server = await start({ tls: { identity } });
  const { port } = await TlsBack.to(server.port, { ca: authority.cert, servername: 'localhost', ...client });
  return { ...server, port };
}

async function callerOf({ port, callers }: { readonly port: number; readonly callers: string[][] }) {
  XdsPeer.connect(port);
  await until('somebody calls', () => callers.length > 0);
  return callers[0];
}

test('a caller over mutual TLS is known by its URIs and DNS names', async () => {
  expect(await callerOf(await withTls(true))).toEqual([galleyId, 'galley.istio-system']);
});

test('a certificate that nobody has asked for, and so nobody has verified, names nobody', async () => {
  expect(await callerOf(await withTls(false))).toEqual([]);
});

test('in plaintext nobody is known', async () => {
  expect(await callerOf(await start({}))).toEqual([]);
});
