import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import type { Clock } from '../../../src/model/clock.ts';
import { systemClock } from '../../../src/model/clock.ts';
import type { Batch } from '../../../src/quarantine/messages.ts';
import { ValidatorThread } from '../../../src/quarantine/validator.ts';
import { eventually } from '../../support/eventually.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { JudgedLab } from '../../support/judged-lab.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { serviceEntry } from '../../support/resources.ts';
import { invalidEntry, validEntry } from '../../support/service-entries.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const built = (file: string) => new URL(`../../../dist/src/quarantine/${file}.js`, import.meta.url);

/** The thread as it is, but for resources with these hosts: over one it hangs, the other ends it. */
function hardScript(): URL {
  const folder = tempFolder({
    'worker.mjs': `
      import { serveQuestions } from '${built('serve-questions').href}';
      import { faultOf } from '${built('verdict').href}';
      serveQuestions((kindId, bytes) => {
        const text = Buffer.from(bytes).toString('latin1');
        for (; text.includes('hangs.example.com'); );
        if (text.includes('dies.example.com')) process.exit(1);
        return faultOf(kindId, bytes);
      });
    `,
  });
  return pathToFileURL(join(folder, 'worker.mjs'));
}

function begin(clock: Clock = systemClock) {
  const log = new MemoryLogger();
  const thread = new ValidatorThread({ clock, log, script: hardScript() });
  onTestFinished(() => thread.stop());
  return { thread, log };
}

const deadly = 'dies.example.com';

const always = () => true;

function batchOf(...resources: readonly Buffer[]): Batch {
  let end = 0;
  const ends = Int32Array.from(resources, ({ length }) => (end += length));
  return { kindId: serviceEntry.id, bytes: new Uint8Array(Buffer.concat(resources)), ends };
}

const invalid = { reason: 'invalid_duplicates' };

test.each([
  ['hangs', 'it said nothing for 4 s'],
  ['dies', 'it ended'],
])('a resource over which the thread %s costs no verdict but its own', async (how, why) => {
  const { thread, log } = begin();
  const hard = batchOf(invalidEntry('a/1'), validEntry('a/2', `${how}.example.com`), invalidEntry('a/3'));
  const answers = [
    thread.check(hard, always),
    thread.check(batchOf(invalidEntry('a/4')), always),
    thread.check(batchOf(validEntry('a/5'), invalidEntry('a/6'))),
  ];
  expect(await Promise.all(answers)).toMatchObject([
    {
      faults: [
        [0, invalid],
        [2, invalid],
      ],
      failed: 0,
      skipped: [1],
    },
    { faults: [[0, invalid]], skipped: [] },
    { faults: [[1, invalid]], skipped: [] },
  ]);
  expect(log.lines).toMatchObject([{ level: 'error', fields: { why, retryInMs: 0 } }]);
});

test('one that fails over many of them has its pauses, and looks at all others in the end', async () => {
  const clock = new FakeClock();
  const { thread, log } = begin(clock);
  const hard = Array.from({ length: 5 }, () => validEntry('a/x', deadly));
  const answer = thread.check(batchOf(...hard, invalidEntry('a/1')), always);
  for (const [failures, pauseMs] of [
    [4, 1000],
    [5, 2000],
  ] as const) {
    await eventually(() => log.lines.length === failures);
    clock.advance(pauseMs - 1);
    expect(log.lines).toHaveLength(failures);
    clock.advance(1);
  }
  expect(await answer).toMatchObject({ faults: [[5, invalid]], skipped: [0, 1, 2, 3, 4] });
  const pauses = log.lines.map(({ fields }) => (fields as { retryInMs: number }).retryInMs);
  expect(pauses).toEqual([0, 0, 0, 1000, 2000]);
});

test('what nobody can look at is sent as it came, named in the log, and not looked at again', async () => {
  const { thread, log } = begin();
  const lab = new JudgedLab({}, thread);
  for (const silent of ['two', 'three']) await lab.tell(silent);
  for (let round = 0; round < 2; round++) {
    await lab.tell('one', validEntry('a/hard', 'good'), validEntry('a/other', 'good'));
    await lab.tell('one', validEntry('a/hard', deadly), invalidEntry('a/other', 'bad'));
    // The other one in the message has its verdict.
    expect(lab.sent).toEqual({ 'a/hard': deadly, 'a/other': 'good' });
  }
  expect(lab.log.lines.filter(({ level }) => level === 'error')).toMatchObject([
    { fields: { resource: 'a/hard' }, message: expect.stringContaining('can not be checked') },
  ]);
  expect(log.lines).toMatchObject([{ fields: { why: 'it ended' } }]);
});
