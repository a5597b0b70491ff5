import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { listen, nameOf, newServer, serviceOf, stopServer } from '../../../src/net/grpc.ts';
import { aggregatedDiscovery } from '../../../src/wire/services.ts';
import { eventually } from '../../support/eventually.ts';
import { entry, LegacySource } from '../../support/legacy-source.ts';
import { se, SinkLab } from '../../support/sink-lab.ts';

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

/** Lets `server` listen on a free port of this host until the end of the test. */
async function serve(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closers.push(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  return (server.address() as AddressInfo).port;
}

/** A sink that dials `port`, started. */
function dial(port: number): SinkLab {
  const lab = new SinkLab(port);
  closers.push(() => lab.stop());
  lab.client.start();
  return lab;
}

test('a port where nobody listens is named, and dialled again', async () => {
  const server = createTcpServer();
  const port = await serve(server);
  for (const close of closers.splice(0)) await close();
  const lab = dial(port);
  expect(await lab.failure()).toMatch(new RegExp(`^source lab \\(127\\.0\\.0\\.1:${port}\\): .*ECONNREFUSED`));
  await lab.retry();
  await lab.failure();
  expect(lab.reported.of('sourceStreamEnded')).toEqual([
    ['lab', 14],
    ['lab', 14],
  ]);
  expect(lab.client.connection.streams).toBe(0);
});

describe('another protocol on the port', () => {
  test('HTTP/1 is told from a source that is down', async () => {
    const port = await serve(createHttpServer((_request, response) => response.end('hello')));
    const lab = dial(port);
    expect(await lab.failure()).toMatch(/127\.0\.0\.1:\d+\): it does not speak gRPC/);
  });

  test('a server that greets in another protocol is told from a source that is down', async () => {
    const port = await serve(createTcpServer((socket) => socket.write('220 mail.example.com ESMTP ready\r\n')));
    const lab = dial(port);
    expect(await lab.failure()).toMatch(/127\.0\.0\.1:\d+\): it does not speak gRPC/);
  });

  test('a server that takes connections and says nothing is given 20 s', async () => {
    let connections = 0;
    const port = await serve(createTcpServer(() => connections++));
    const lab = dial(port);
    await eventually(() => connections === 1);
    lab.clock.advance(19_999);
    expect(lab.client.connection).toMatchObject({ state: 'connecting', lastError: undefined });
    lab.clock.advance(1);
    expect(await lab.failure()).toMatch(/127\.0\.0\.1:\d+\): no answer in HTTP\/2 within 20 s/);
    await lab.retry();
    await eventually(() => connections === 2);
  });

  test('an xDS server is named as one that serves something else', async () => {
    const server = newServer();
    const method = aggregatedDiscovery();
    server.addService(serviceOf(method), { [nameOf(method)]: () => {} });
    closers.push(() => stopServer(server, 0));
    const lab = dial(await listen(server, { host: '127.0.0.1', port: 0 }, 'test'));
    expect(await lab.failure()).toMatch(
      /127\.0\.0\.1:\d+\): it does not serve ResourceSource: .*EstablishResourceStream/,
    );
    expect(lab.refused).toEqual([]);
    expect(lab.sync(se)).toBe('waiting');
  });
});

describe('a message over the limit', () => {
  let source: LegacySource;

  beforeEach(async () => {
    source = await LegacySource.listen();
    closers.push(() => source.kill());
  });

  test('is refused by its announced length, with the limit named; what was held stays', async () => {
    const lab = new SinkLab(source.port, { maxMessageBytes: 100_000 });
    closers.push(() => lab.stop());
    lab.client.start();
    const stream = await source.stream(1);
    await stream.deliver({ collection: se, resources: [entry('x/1', 'one')] });
    const labels = { big: 'x'.repeat(100_000) };
    stream.send({ collection: se, resources: [entry('x/2', 'two', { labels })] });
    expect(await lab.failure()).toMatch(/it sent a message of more than 100000 bytes: .*100\d\d\d vs 100000/);
    expect(lab.held()).toEqual({ 'x/1': 'one' });
    expect(lab.reported.of('sourceStreamEnded')).toEqual([['lab', 8]]);
    await lab.retry();
    await (await source.stream(2)).deliver({ collection: se, resources: [entry('x/3', 'three')] });
    expect(lab.held()).toEqual({ 'x/3': 'three' });
  });

  test('is not one that has exactly the length of the limit', async () => {
    const lab = new SinkLab(source.port, { maxMessageBytes: 1000 });
    closers.push(() => lab.stop());
    lab.client.start();
    const stream = await source.stream(1);
    const sizes = () => lab.reported.of('resourcesReceived').map(([, , bytes]) => bytes);
    await stream.deliver({ collection: se, systemVersionInfo: 'v'.repeat(952) });
    expect(sizes()).toEqual([1000]);
    stream.send({ collection: se, systemVersionInfo: 'v'.repeat(953) });
    expect(await lab.failure()).toContain('1001 vs 1000');
  });
});
