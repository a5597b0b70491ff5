import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import { Bridge } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { hastyClock } from '../../support/hasty-clock.ts';
import { listen } from '../../support/listeners.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { strangers } from '../../support/strangers.ts';
import { TcpRelay } from '../../support/tcp-relay.ts';
import { until } from '../../support/until.ts';
import { WatchingIstiod } from '../../support/watching-istiod.ts';

async function closedPort(): Promise<number> {
  const server = createServer();
  const port = await listen(server);
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

type Case = {
  readonly what: string;
  readonly start: () => Promise<number>;
  /** What the operator reads, behind the source's name and address. */
  readonly says: RegExp;
  /** What there is to do. */
  readonly hint: RegExp;
  /** Behind a relay that is up, a closed port looks like this. */
  readonly code: number;
};

const cases: Case[] = [
  {
    what: 'HTTP/1',
    start: strangers.http1,
    says: /it does not speak gRPC, but HTTP\/1: it says "HTTP\/1\.1 400 Bad Request"/,
    hint: /admin, metrics or web port; give the port of a legacy MCP server/,
    code: 14,
  },
  {
    what: 'TLS',
    start: strangers.tls,
    says: /it speaks TLS, and Isthmus dials in plaintext/,
    hint: /write mcps:\/\/ in place of mcp:\/\/, or set tls of this source .*; or give the plaintext port/,
    code: 14,
  },
  {
    what: 'another protocol that greets',
    start: strangers.smtp,
    says: /it does not speak gRPC: it says "220 mail\.example\.com ESMTP ready"/,
    hint: /give the port of a legacy MCP server/,
    code: 14,
  },
  {
    what: 'a server that hangs up',
    start: strangers.hangsUp,
    says: /it takes connections and closes them without a word/,
    hint: /a proxy or a Service without a server behind it does so/,
    code: 14,
  },
  {
    what: 'a web server in HTTP/2',
    start: strangers.web,
    says: /it does not speak gRPC, but HTTP\/2 \(content type text\/html\)/,
    hint: /web server or a proxy; give the port of a legacy MCP server/,
    code: 8,
  },
  {
    what: 'an xDS server',
    start: strangers.xds,
    says: /it does not serve ResourceSource: .*EstablishResourceStream/,
    hint: /Istio 1\.0 or 1\.1 may want protocol: aggregated-1\.1 .*needs no bridge: where it serves MCP-over-xDS, give its address to istiod \(configSources: xds:/,
    code: 12,
  },
  {
    what: 'plain TCP that says nothing',
    start: strangers.silent,
    says: /no answer in HTTP\/2 within 20 s: it takes connections and says nothing/,
    hint: /its process may hang, or be none of gRPC/,
    code: 14,
  },
];

/** Two sources, one behind a relay, and an istiod that has the services of both. */
async function start(times: number) {
  const galley = await ServingSource.listen({ 'shop/kept': 'one' });
  const consul = await ServingSource.listen({ 'shop/other': 'two' });
  const relay = await TcpRelay.to(consul.port);
  const sources = [sourceAt('galley', galley.port), sourceAt('consul', relay.port)];
  const bridge = await Bridge.of({ sources }, { clock: hastyClock(times), random: () => 0.5 });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/other': 'two' });
  return { galley, consul, relay, bridge, istiod };
}

async function consulOf(bridge: Bridge): Promise<OriginView> {
  const origins = await bridge.page<OriginView[]>('/debug/origins');
  const found = origins.find(({ name }) => name === 'consul');
  if (found === undefined) throw new Error('no such source');
  return found;
}

test.each(cases)('$what on the port of a source is named, costs nothing, and mends itself', async (one) => {
  const { galley, consul, relay, bridge, istiod } = await start(10);
  relay.target = await one.start();
  relay.drop();

  const said = await until('the log says so', () =>
    bridge.log.lines.find(({ level, message }) => level === 'warn' && one.says.test(message)),
  );
  expect(said.message).toContain(`source consul (127.0.0.1:${relay.port}): `);
  expect(said.fields).toMatchObject({ source: 'consul', code: one.code });
  expect((said.fields as { hint: string }).hint).toMatch(one.hint);
  const { connection, kinds } = await consulOf(bridge);
  expect(connection.state).not.toBe('connected');
  expect(connection.lastError).toMatch(one.says);
  expect(connection.lastError).toMatch(one.hint);
  expect(kinds).toMatchObject([{ sync: 'synced', effective: 1 }]);

  galley.publish({ 'shop/kept': 'one', 'shop/new': 'three' });
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/other': 'two', 'shop/new': 'three' });

  consul.publish({ 'shop/other': 'mended' });
  relay.target = consul.port;
  relay.drop();
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/other': 'mended', 'shop/new': 'three' });
  expect(istiod.lost('shop/kept', 'shop/other')).toEqual([]);
  await until('it is connected again', async () => (await consulOf(bridge)).connection.state === 'connected');
});

test('an address that refuses is named in the log and by `isthmus status`, also before the first word', async () => {
  const galley = await ServingSource.listen({ 'shop/kept': 'one' });
  const port = await closedPort();
  const sources = [sourceAt('galley', galley.port), sourceAt('consul', port)];
  const bridge = await Bridge.of({ sources }, { random: () => 0.1 });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  const says = 'nobody listens there (ECONNREFUSED)';
  const hint = 'see that a legacy MCP server (istio.mcp.v1alpha1) runs, and on this port';
  await until('the log says so', () =>
    bridge.log.of('warn').some((message) => message.endsWith(`source consul (127.0.0.1:${port}): ${says}`)),
  );

  const { code, stdout } = await run('status', bridge.adminUrl);
  expect(code).toBe(1);
  expect(stdout).toContain(`! source consul is not connected: ${says} (${hint})`);
  expect(stdout).toContain('! not sent yet: ServiceEntry; waiting for consul');
  // What one source may hold is not known: an empty answer, or half of one, would delete what istiod has.
  expect(istiod.history).toEqual([]);

  await ServingSource.listen({ 'shop/other': 'two' }, port);
  await istiod.hasOnly({ 'shop/kept': 'one', 'shop/other': 'two' });
  expect(istiod.history).toHaveLength(1);
});

test('a source that takes the stream and says nothing is not "connecting" for ever', async () => {
  const galley = await ServingSource.listen({ 'shop/kept': 'one' });
  const quiet = await ServingSource.listen({});
  quiet.source.onStream = () => {};
  const sources = [sourceAt('galley', galley.port), sourceAt('consul', quiet.port)];
  const bridge = await Bridge.of({ sources }, { clock: hastyClock(20) });
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  const says = /source consul .*: it speaks HTTP\/2, and has not answered our stream for 20 s/;
  const said = await until('the log says so', () => bridge.log.lines.find(({ message }) => says.test(message)));
  expect((said.fields as { hint: string }).hint).toContain('is kept from istiod until it does');
  expect((await consulOf(bridge)).connection.lastError).toMatch(says);
  // To end the stream would not make it speak, and cost those that speak late.
  expect(quiet.source.streams).toHaveLength(1);
  quiet.source.streams[0]?.send({
    collection: 'istio/networking/v1alpha3/serviceentries',
    resources: [],
  });
  await istiod.hasOnly({ 'shop/kept': 'one' });
  expect((await consulOf(bridge)).connection).toMatchObject({ state: 'connected', lastError: null });
});
