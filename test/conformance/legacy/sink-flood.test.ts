import { expect, test } from 'vitest';
import { AwaitedLab } from '../../support/awaited-lab.ts';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { se, SinkLab } from '../../support/sink-lab.ts';

/** Large, so that what is read ahead stands out from the 8 MiB of the window. */
const messageBytes = 4 << 20;

/** Sends thirty messages while none is let through the door, and then all; what is read ahead is the window's. */
async function flood(stream: SourceStream, lab: SinkLab | AwaitedLab): Promise<void> {
  const { promise, open } = gate();
  lab.door = promise;
  const names = Array.from({ length: 30 }, (_, n) => `x/${n + 1}`);
  const labels = { big: 'x'.repeat(messageBytes) };
  stream.flood(names.map((name) => ({ collection: se, resources: [entry(name, 'a', { labels })] })));

  await eventually(() => lab.accepted.length === 1);
  // Until nothing moves any more for a while: a slow machine can only make less of it.
  for (let before = -1, calm = 0; calm < 10; calm = stream.flooded === before ? calm + 1 : 0) {
    before = stream.flooded;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  // One is being taken, one or two are in the window.
  expect(stream.flooded).toBeGreaterThanOrEqual(1);
  expect(stream.flooded).toBeLessThanOrEqual(4);

  open();
  await eventually(() => stream.acked.length === 30);
  expect(stream.acked).toEqual(Array.from({ length: 30 }, (_, n) => String(n + 1)));
  expect(lab.held()).toEqual({ 'x/30': 'a' });
}

test('a source that does not wait for answers fills the window, not the memory; all of it is taken in the end', async () => {
  const source = await LegacySource.listen();
  const lab = new SinkLab(source.port);
  lab.client.start();
  const stream = await source.stream(1);
  await eventually(() => stream.asked.length === 3);
  await flood(stream, lab);
  await lab.stop();
  await source.kill();
});

test('one that dials in and does not wait for answers does the same', async () => {
  const lab = await AwaitedLab.listen();
  await flood(await lab.dial(), lab);
});
