import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { entry, LegacySource } from '../../support/legacy-source.ts';
import { se, SinkLab } from '../../support/sink-lab.ts';

let source: LegacySource;
let lab: SinkLab;

beforeEach(async () => {
  source = await LegacySource.listen();
  lab = new SinkLab(source.port);
});

afterEach(() => source.kill());

const states: readonly [string, () => Promise<unknown>][] = [
  ['that was never started', () => Promise.resolve()],
  ['that has just begun to dial', async () => lab.client.start()],
  [
    'that is connected and has heard nothing',
    async () => {
      lab.client.start();
      await eventually(() => lab.client.connection.state === 'connected');
    },
  ],
  [
    'that is synced',
    async () => {
      lab.client.start();
      await (await source.stream(1)).deliver({ collection: se });
    },
  ],
  [
    'whose stream is ended by the source at that moment',
    async () => {
      lab.client.start();
      const stream = await source.stream(1);
      await stream.deliver({ collection: se });
      stream.end(14, 'gone');
    },
  ],
  [
    'that waits for another attempt',
    async () => {
      source.onStream = (stream) => stream.end(14, 'not yet');
      lab.client.start();
      await lab.failure();
    },
  ],
];

test.each(states)('a sink %s stops for good, and leaves no timer and no connection', async (_which, reach) => {
  await reach();
  const { length } = source.streams;
  await lab.stop();
  expect(lab.client.connection.state).toBe('stopped');
  lab.clock.advance(7 * 24 * 3_600_000);
  await eventually(() => source.connections === 0);
  expect(source.streams.length - length).toBeLessThanOrEqual(length === 0 ? 1 : 0);
  expect(source.streams.every(({ closed }) => closed)).toBe(true);
  expect([lab.client.connection.state, lab.clock.timers]).toEqual(['stopped', 0]);
});

test('a sink that waits for an answer in HTTP/2 stops at once', async () => {
  const sockets: Socket[] = [];
  const silent = createServer((socket) => sockets.push(socket.on('error', () => {})));
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const own = new SinkLab((silent.address() as AddressInfo).port);
  own.client.start();
  await eventually(() => sockets.length === 1);
  await own.stop();
  expect([own.client.connection.state, own.clock.timers]).toEqual(['stopped', 0]);
  for (const socket of sockets) socket.destroy();
  silent.close();
});

test('a sink that is stopped while it takes a message does not answer it, and takes no other', async () => {
  const { promise, open } = gate();
  lab.door = promise;
  lab.client.start();
  const stream = await source.stream(1);
  stream.send({ collection: se, resources: [entry('x/1')] });
  stream.send({ collection: se, resources: [entry('x/2')] });
  await eventually(() => lab.accepted.length === 1);
  await lab.stop();
  open();
  await eventually(() => stream.closed);
  await new Promise(setImmediate);
  expect([lab.accepted.length, stream.replies, lab.held()]).toEqual([1, [], { 'x/1': 'a' }]);
  expect(lab.client.connection.state).toBe('stopped');
  expect(lab.reported.of('sourceSendFailed')).toEqual([]);
});
