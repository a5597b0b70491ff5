import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, onTestFinished, test } from 'vitest';
import {
  listen,
  nameOf,
  newClient,
  newServer,
  openStream,
  type RawServerStream,
  serviceOf,
  stopServer,
} from '../../../src/net/grpc.ts';
import { resourceSource } from '../../../src/wire/services.ts';

const noLimit = { 'grpc.max_receive_message_length': -1, 'grpc.max_send_message_length': -1 };
const megabytes = 24;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Megabytes of buffers that somebody holds. */
async function heldMegabytes(): Promise<number> {
  for (let i = 0; i < 4; i++) {
    await nextTurn();
    collect();
  }
  return process.memoryUsage().arrayBuffers / 1e6;
}

test('what a message came in is not held once it was received, while its stream goes on', async () => {
  const server = newServer(noLimit);
  onTestFinished(() => stopServer(server, 0));
  const calls: RawServerStream[] = [];
  const method = resourceSource();
  server.addService(serviceOf(method), { [nameOf(method)]: (call: RawServerStream) => calls.push(call) });
  const port = await listen(server, { host: '127.0.0.1', port: 0 }, 'test');
  const client = newClient({ host: '127.0.0.1', port }, noLimit);
  onTestFinished(() => client.close());
  const stream = openStream(client, method);
  stream.on('error', () => {});
  stream.write(Buffer.from('x'));
  await expect.poll(() => calls.length).toBe(1);
  const [call] = calls as [RawServerStream];
  const asked: number[] = [];
  call.on('data', ({ length }: Buffer) => asked.push(length));
  await expect.poll(() => asked).toEqual([1]);
  const before = await heldMegabytes();

  // Both ways: a source that was dialled, and one that dials.
  call.write(Buffer.alloc(megabytes * 1e6, 'a'));
  expect(((await once(stream, 'data')) as [Buffer])[0].length).toBe(megabytes * 1e6);
  stream.write(Buffer.alloc(megabytes * 1e6, 'b'));
  await expect.poll(() => asked).toEqual([1, megabytes * 1e6]);

  // grpc-js' client holds what it wrote last, which is once; pieces were once more for either side.
  await expect.poll(async () => (await heldMegabytes()) - before, { timeout: 20_000 }).toBeLessThan(1.5 * megabytes);
  // The streams still carry what comes.
  stream.write(Buffer.from('end'));
  await expect.poll(() => asked.at(-1)).toBe(3);
}, 60_000);
