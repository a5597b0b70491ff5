import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { noRow } from '../../../src/model/resource.ts';
import { readRow } from '../../../src/wire/resource-frame.ts';
import { viewResource } from '../../../src/wire/resource-view.ts';
import { eventually } from '../../support/eventually.ts';
import { entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { serviceEntry } from '../../support/resources.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';

const sidecars = 'istio/networking/v1alpha3/sidecars';

let source: LegacySource;
let lab: SinkLab;
let stream: SourceStream;

beforeEach(async () => {
  source = await LegacySource.listen();
  lab = new SinkLab(source.port, { collections: [se, we, gw, sidecars] });
  lab.client.start();
  stream = await source.stream(1);
});

afterEach(async () => {
  await lab.stop();
  await source.kill();
});

/** Ends the stream; the next one. */
async function reconnect(): Promise<SourceStream> {
  const { length } = source.streams;
  stream.end();
  await lab.retry();
  stream = await source.stream(length + 1);
  return stream;
}

describe('whole states', () => {
  test('an empty first one says that there is nothing', async () => {
    expect([lab.sync(se), lab.sync(we)]).toEqual(['waiting', 'waiting']);
    await stream.deliver({ collection: se });
    expect([lab.sync(se), lab.sync(we)]).toEqual(['synced', 'waiting']);
    expect(lab.held()).toEqual({});
  });

  test('name nothing that is gone by removed_resources: it only counts in changes', async () => {
    await stream.deliver({ collection: se, resources: [entry('x/1')], removedResources: ['x/1'] });
    expect(lab.held()).toEqual({ 'x/1': 'a' });
  });

  test('hold of a name that is in them twice the last form, or the last good one', async () => {
    await stream.deliver({ collection: se, resources: [entry('x/1', 'one'), entry('x/1', 'two')] });
    expect(lab.held()).toEqual({ 'x/1': 'two' });
    await stream.deliver({ collection: se, resources: [entry('x/1', 'three'), { metadata: { name: 'x/1' } }] });
    expect([lab.held(), lab.quarantined()]).toEqual([{ 'x/1': 'three' }, { 'x/1': 'no_body' }]);
    expect(lab.reported.of('repaired')).toEqual([
      ['lab', serviceEntry.id, 'duplicate', 1],
      ['lab', serviceEntry.id, 'duplicate', 1],
    ]);
  });

  test('of two collections on one stream are told apart', async () => {
    const body = { typeUrl: 'type.googleapis.com/istio.networking.v1alpha3.WorkloadEntry', value: Buffer.alloc(0) };
    const workload = { metadata: { name: 'x/1' }, body: { ...body, type_url: body.typeUrl } };
    await stream.deliver({ collection: we, resources: [workload] });
    await stream.deliver({ collection: se, resources: [entry('x/1', 'one')] });
    await stream.deliver({ collection: we });
    expect([lab.held(se), lab.held(we)]).toEqual([{ 'x/1': 'one' }, {}]);
  });
});

describe('changes', () => {
  beforeEach(() => stream.deliver({ collection: se, resources: [entry('x/1', 'one'), entry('x/2', 'two')] }));

  test('add, replace and remove what they name', async () => {
    await stream.deliver({
      collection: se,
      incremental: true,
      resources: [entry('x/2', 'zwei'), entry('x/3', 'three')],
      removedResources: ['x/1', 'x/unknown'],
    });
    expect(lab.held()).toEqual({ 'x/2': 'zwei', 'x/3': 'three' });
  });

  test('with removals alone, and with nothing at all, are taken', async () => {
    await stream.deliver({ collection: se, incremental: true });
    await stream.deliver({ collection: se, incremental: true, removedResources: ['x/1'] });
    expect(lab.held()).toEqual({ 'x/2': 'two' });
  });

  test('may be followed by a whole state', async () => {
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/3', 'three')] });
    await stream.deliver({ collection: se, resources: [entry('x/4', 'four')] });
    expect(lab.held()).toEqual({ 'x/4': 'four' });
  });
});

describe('the first message of a collection on a stream is the whole state, whatever its flag', () => {
  test('where each first one is flagged as a change (Istio 1.1 to 1.5)', async () => {
    await stream.deliver({ collection: gw, incremental: true });
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/1', 'one'), entry('x/2', 'two')] });
    await reconnect();
    await stream.deliver({ collection: gw, incremental: true });
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/2', 'two')] });
    expect(lab.held(), 'x/1 was deleted while nobody was connected').toEqual({ 'x/2': 'two' });
    expect(lab.accepted.map(({ full }) => full)).toEqual([true, true, true, true]);
  });

  test('where all but the first one of the stream are flagged so (Istio 1.6 to 1.8)', async () => {
    await stream.deliver({ collection: gw, incremental: false });
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/1', 'one')] });
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/2', 'two')] });
    expect(lab.held()).toEqual({ 'x/1': 'one', 'x/2': 'two' });
    await reconnect();
    await stream.deliver({ collection: gw, incremental: false });
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/2', 'two')] });
    await stream.deliver({ collection: se, incremental: true, resources: [entry('x/3', 'three')] });
    expect(lab.held()).toEqual({ 'x/2': 'two', 'x/3': 'three' });
    expect(lab.accepted.map(({ full }) => full)).toEqual([true, true, false, true, true, false]);
  });
});

describe('silent collections', () => {
  test('count as empty 30 s after another one spoke', async () => {
    await stream.deliver({ collection: se });
    lab.clock.advance(29_999);
    expect([lab.sync(we), lab.sync(gw)]).toEqual(['waiting', 'waiting']);
    lab.clock.advance(1);
    expect([lab.sync(we), lab.sync(gw), lab.sync(se)]).toEqual(['silent', 'silent', 'synced']);
    await stream.deliver({ collection: we, resources: [] });
    expect(lab.sync(we)).toBe('synced');
  });

  test('never count as empty where nothing spoke', async () => {
    await eventually(() => stream.asked.length === 4);
    lab.clock.advance(3_600_000);
    expect([lab.sync(we), lab.sync(gw), lab.sync(se)]).toEqual(['waiting', 'waiting', 'waiting']);
  });

  test('never count as empty where only a collection spoke that nobody asked for', async () => {
    stream.send({ collection: 'k8s/core/v1/pods' });
    await eventually(() => stream.replies.length === 1);
    lab.clock.advance(3_600_000);
    expect([lab.sync(we), lab.sync(gw)]).toEqual(['waiting', 'waiting']);
  });

  test('are not serviceentries: a source is there for those', async () => {
    await stream.deliver({ collection: we });
    lab.clock.advance(3_600_000);
    expect([lab.sync(se), lab.sync(gw)]).toEqual(['waiting', 'silent']);
    await reconnect();
    await stream.deliver({ collection: we });
    lab.clock.advance(3_600_000);
    expect(lab.sync(se)).toBe('waiting');
  });

  test('keep what they had on an earlier stream', async () => {
    await stream.deliver({ collection: gw, resources: [] });
    await stream.deliver({ collection: se, resources: [entry('x/1')] });
    await reconnect();
    await stream.deliver({ collection: we });
    lab.clock.advance(3_600_000);
    expect([lab.sync(gw), lab.sync(se)]).toEqual(['synced', 'synced']);
    expect(lab.held()).toEqual({ 'x/1': 'a' });
  });
});

describe('metadata as legacy servers write it', () => {
  const timeOf = (key: string) => {
    const { resources } = lab.store.holding('lab', serviceEntry.id);
    const row = resources.get(key);
    return row === noRow ? 'missing' : viewResource(readRow(resources.pool, row)).createTime;
  };

  test("Go's zero time is a create_time like any other", async () => {
    await stream.deliver({ collection: se, resources: [entry('x/1', 'a', { createTime: { seconds: -62135596800 } })] });
    expect(timeOf('x/1')).toBe('0001-01-01T00:00:00.000Z');
    expect(lab.reported.of('repaired')).toEqual([]);
  });

  test('a missing create_time becomes a fixed one, an impossible one too', async () => {
    const impossible = { createTime: { seconds: -62135596801 } };
    await stream.deliver({ collection: se, resources: [entry('x/1', 'a', {}), entry('x/2', 'a', impossible)] });
    expect([timeOf('x/1'), timeOf('x/2')]).toEqual(['1970-01-01T00:00:01.000Z', '1970-01-01T00:00:01.000Z']);
    expect(lab.reported.of('repaired')).toEqual([['lab', serviceEntry.id, 'create_time', 1]]);
  });

  test('a name without a namespace gets the default one, a leading slash goes', async () => {
    await stream.deliver({ collection: se, resources: [entry('bare', 'one'), entry('/x/2', 'two')] });
    expect(lab.held()).toEqual({ 'default/bare': 'one', 'x/2': 'two' });
    await stream.deliver({ collection: se, incremental: true, removedResources: ['bare'] });
    expect(lab.held()).toEqual({ 'x/2': 'two' });
    await stream.deliver({ collection: se, incremental: true, removedResources: ['/x/2'] });
    expect(lab.held()).toEqual({});
  });

  test('a name without a namespace is quarantined where it might speak for the whole mesh', async () => {
    await stream.deliver({ collection: sidecars, resources: [entry('bare')] });
    expect([lab.held(sidecars), lab.quarantined(sidecars)]).toEqual([{}, { '#0': 'bare_mesh_wide_name' }]);
  });
});
