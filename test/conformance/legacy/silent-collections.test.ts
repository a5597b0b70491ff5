import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { gate } from '../../support/gate.ts';
import { entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { workloadEntry } from '../../support/resources.ts';
import { se, SinkLab, we } from '../../support/sink-lab.ts';

let source: LegacySource;
let lab: SinkLab;
let stream: SourceStream;

beforeEach(async () => {
  source = await LegacySource.listen();
  lab = new SinkLab(source.port, { collections: [se, we] });
  lab.client.start();
  stream = await source.stream(1);
});

afterEach(async () => {
  await lab.stop();
  await source.kill();
});

test('a collection whose first message is being read does not count as empty', async () => {
  await stream.deliver({ collection: se });
  const door = gate();
  lab.door = door.promise;
  stream.send({ collection: we, resources: [entry('x/1', 'a', undefined, 'WorkloadEntry')] });
  await eventually(() => lab.accepted.length === 2);
  lab.clock.advance(30_000);
  lab.clock.advance(1000);
  const [sync, snapshot] = [lab.sync(we), lab.store.snapshot(workloadEntry.id)];
  door.open();
  await eventually(() => Object.keys(lab.held(we)).length === 1);
  expect(sync).toBe('waiting');
  expect(snapshot?.rows.length, 'nothing was published, above all not that there is nothing').toBeUndefined();
});

test('a collection whose first message waits behind another one does not count as empty', async () => {
  await stream.deliver({ collection: se });
  const door = gate();
  lab.door = door.promise;
  stream.send({ collection: se, resources: [entry('x/1')] });
  stream.send({ collection: we, resources: [entry('x/1', 'a', undefined, 'WorkloadEntry')] });
  await eventually(() => lab.accepted.length === 2);
  lab.clock.advance(30_000);
  lab.clock.advance(1000);
  const snapshot = lab.store.snapshot(workloadEntry.id);
  door.open();
  await eventually(() => Object.keys(lab.held(we)).length === 1);
  expect(snapshot?.rows.length, 'while we are busy, nobody is silent').toBeUndefined();
});
