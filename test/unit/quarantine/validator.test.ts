import { expect, onTestFinished, test } from 'vitest';
import type { Batch } from '../../../src/quarantine/messages.ts';
import { ValidatorThread } from '../../../src/quarantine/validator.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { serviceEntry } from '../../support/resources.ts';
import { brokenEntry, invalidEntry, validEntry } from '../../support/service-entries.ts';

const built = new URL('../../../dist/src/quarantine/worker.js', import.meta.url);

const scriptOf = (text: string) => new URL(`data:text/javascript,${encodeURIComponent(text)}`);

const always = () => true;

function batchOf(...resources: readonly Buffer[]): Batch {
  let end = 0;
  const ends = Int32Array.from(resources, ({ length }) => (end += length));
  return { kindId: serviceEntry.id, bytes: new Uint8Array(Buffer.concat(resources)), ends };
}

/** A thread that runs `script` for as long as the test lasts. */
function begin(script: URL): { thread: ValidatorThread; clock: FakeClock; log: MemoryLogger } {
  const clock = new FakeClock();
  const log = new MemoryLogger();
  const thread = new ValidatorThread({ clock, log, script });
  onTestFinished(() => thread.stop());
  return { thread, clock, log };
}

test('a thread finds what is wrong, at its place in the batch', async () => {
  const { thread } = begin(built);
  const batch = batchOf(validEntry('a/1'), invalidEntry('a/2'), brokenEntry('a/3'), validEntry('a/4'));
  expect(await thread.check(batch, always)).toMatchObject({
    faults: [
      [1, { reason: 'invalid_duplicates' }],
      [2, { reason: 'malformed' }],
    ],
    failed: 0,
  });
});

test('what a change waits for is looked at before what nobody waits for', async () => {
  const { thread } = begin(built);
  const order: string[] = [];
  const ask = async (name: string, isUrgent: boolean) => {
    await thread.check(batchOf(validEntry('a/1')), isUrgent ? always : undefined);
    order.push(name);
  };
  const others = Array.from({ length: 10 }, (_, i) => ask(String(i), false));
  await Promise.all([...others, ask('urgent', true)]);
  // Two were in the thread's hands already.
  expect(order).toEqual(['0', '1', 'urgent', '2', '3', '4', '5', '6', '7', '8', '9']);
});

test('a thread that fails is begun again after a while; meanwhile nobody waits', async () => {
  const { thread, clock, log } = begin(scriptOf('throw new Error("no memory")'));
  expect(await thread.check(batchOf(validEntry('a/1')), always)).toBeUndefined();
  expect(log.lines).toMatchObject([{ level: 'error', fields: { why: 'no memory', retryInMs: 1000 } }]);
  expect(await thread.check(batchOf(validEntry('a/1')), always)).toBeUndefined();
  expect(log.lines).toHaveLength(1);
  clock.advance(1000);
  expect(await thread.check(batchOf(validEntry('a/1')), always)).toBeUndefined();
  expect(log.lines[1]).toMatchObject({ fields: { retryInMs: 2000 } });
});

test('a thread that says nothing is ended, and all that wait hear of it', async () => {
  const { thread, clock, log } = begin(
    scriptOf('import{parentPort}from"node:worker_threads";parentPort.on("message",()=>{})'),
  );
  const answers = Array.from({ length: 5 }, () => thread.check(batchOf(validEntry('a/1'))));
  clock.advance(9999);
  expect(log.lines).toEqual([]);
  clock.advance(1);
  expect(await Promise.all(answers)).toEqual(answers.map(() => undefined));
  expect(log.lines).toMatchObject([{ fields: { why: 'it said nothing for 10 s' } }]);
});

test('a thread that goes on answering has as long as it takes', async () => {
  const { thread, clock, log } = begin(
    scriptOf(
      'import{parentPort}from"node:worker_threads";' +
        'parentPort.on("message",({id})=>parentPort.postMessage({id,faults:[],failed:0,failure:undefined}))',
    ),
  );
  let answered = 0;
  const answers = Array.from({ length: 4 }, async () => {
    await thread.check(batchOf(validEntry('a/1')));
    answered++;
    clock.advance(9000);
  });
  await Promise.all(answers);
  expect([answered, log.lines]).toEqual([4, []]);
});

test('one that is stopped answers all that wait, and nobody after that', async () => {
  const { thread } = begin(built);
  const waiting = thread.check(batchOf(validEntry('a/1')), always);
  await thread.stop();
  expect(await waiting).toBeUndefined();
  expect(await thread.check(batchOf(validEntry('a/1')), always)).toBeUndefined();
});

test('what nobody waits for any more is not looked at', async () => {
  const { thread } = begin(built);
  const first = [thread.check(batchOf(validEntry('a/1'))), thread.check(batchOf(validEntry('a/1')))];
  let isWanted = true;
  const late = thread.check(batchOf(invalidEntry('a/2')), () => isWanted);
  isWanted = false;
  expect(await late).toBeUndefined();
  expect((await Promise.all(first)).map((found) => found?.faults)).toEqual([[], []]);
});

test('a thread that can’t even be begun is a failure like any other', async () => {
  const { thread, clock, log } = begin(new URL('https://127.0.0.1/no-thread.js'));
  for (let i = 0; i < 3; i++) {
    expect(await thread.check(batchOf(validEntry('a/1')), always)).toBeUndefined();
    clock.advance(60_000);
  }
  expect(log.of('error')).toHaveLength(3);
});
