import { beforeEach, describe, expect, test } from 'vitest';
import { ChainLab } from '../../support/chain-lab.ts';
import { eventually } from '../../support/eventually.ts';
import { entry, resource, type SourceStream } from '../../support/legacy-source.ts';
import { gw, se } from '../../support/sink-lab.ts';
import { field } from '../../support/wire-bytes.ts';

// The scenarios of a sink that asks for changes: Pilot's controller of 1.6 and newer, and that of 1.4 and 1.5 for synthetic
// service entries. The collection of the latter has no place in istiod 1.9 and newer, and is not asked for; what its
// scenarios say of changes is held to on serviceentries. docs/conformance.md lists all of them.

const services = 'networking.istio.io/v1/ServiceEntry';

let lab: ChainLab;
let stream: SourceStream;

beforeEach(async () => {
  lab = await ChainLab.start([services], {
    incremental: true,
    collections: [se, 'istio/networking/v1alpha3/workloadentries'],
  });
  stream = await lab.stream();
  await eventually(() => stream.requests.length === 2);
  expect(stream.requests).toMatchObject([{ incremental: true }, { incremental: true }]);
});

/** A change, or a whole state, of services. */
function say(
  resources: readonly object[],
  removedResources: readonly string[] = [],
  incremental = true,
): Promise<void> {
  return stream.deliver({ collection: se, incremental, resources, removedResources });
}

/** Name → host of the n-th push. */
async function pushed(n: number): Promise<Record<string, string>> {
  const all = await lab.push(services, n);
  return Object.fromEntries(Object.entries(all).map(([name, { body }]) => [name, body.toString('utf8', 2)]));
}

test('TestIncrementalControllerHasSynced: false at first; one message is enough, and the next ones change nothing', async () => {
  const states = async () => {
    const [origin] = await lab.bridge.page<{ kinds: { kind: string; sync: string }[] }[]>('/debug/origins');
    return origin?.kinds.find(({ kind }) => kind === 'ServiceEntry')?.sync;
  };
  expect([await states(), lab.pushes(services)]).toEqual(['waiting', []]);
  await say([entry('ns/se-0', 'one')]);
  expect(await states()).toBe('synced');
  await say([entry('ns/se-1', 'two')]);
  expect(await states()).toBe('synced');
});

test('TestIncrementalControllerApplyInvalidType: a collection that this sink did not ask for is refused, known or not', async () => {
  const nonce = stream.send({
    collection: gw,
    incremental: true,
    resources: [entry('some-gateway', 'a', {}, 'Gateway')],
  });
  await eventually(() => stream.replies.length === 1);
  expect(stream.replies).toMatchObject([
    {
      collection: gw,
      responseNonce: nonce,
      errorDetail: { code: 12 },
      incremental: false,
      initialResourceVersions: {},
    },
  ]);
  await say([]);
  expect(await pushed(1)).toEqual({});
});

test('TestIncrementalControllerApplyMetadataNameIncludesNamespace: it arrives as it is', async () => {
  await say([entry('random-namespace/se', 'one')]);
  expect(await pushed(1)).toEqual({ 'random-namespace/se': 'one' });
});

// Pilot files such names under the namespace "", which istiod 1.9 and newer can't.
test('TestIncrementalControllerApplyMetadataNameWithoutNamespace: two in two messages are both there, in the default namespace', async () => {
  await say([entry('synthetic-se-0', 'zero')]);
  expect(await pushed(1)).toEqual({ 'default/synthetic-se-0': 'zero' });
  await say([entry('synthetic-se-1', 'one')]);
  expect(await pushed(2)).toEqual({ 'default/synthetic-se-0': 'zero', 'default/synthetic-se-1': 'one' });
});

// Pilot 1.4 and 1.5 took a whole state without services for a mistake, in this collection alone. It is what the source
// says, though, and no error of ours: a lost stream or a bad message never looks like it.
test('TestIncrementalControllerApplyChangeNoObjects: a whole state with nothing in it empties; a change with nothing in it does not', async () => {
  await say([entry('ns/se-0', 'one')]);
  await say([]);
  await lab.settled();
  expect(await pushed(1)).toEqual({ 'ns/se-0': 'one' });
  expect(lab.pushes(services)).toHaveLength(1);
  await say([], [], false);
  expect(await pushed(2)).toEqual({});
});

// As for TestInvalidResource and TestInvalidResource_BadTimestamp: Pilot drops both.
test('TestIncrementalControllerApplyInvalidResource: what breaks a rule of its kind is passed on', async () => {
  await say([resource('bar-namespace/foo', 'ServiceEntry', field(2, '10.0.0.1')), entry('bar-namespace/good', 'one')]);
  expect(await lab.push(services, 1)).toMatchObject({
    'bar-namespace/foo': { body: field(2, '10.0.0.1') },
    'bar-namespace/good': { body: field(1, 'one') },
  });
});

test('TestIncrementalControllerApplyInvalidResource_BadTimestamp: it arrives, with a fixed time', async () => {
  await say([entry('bar-namespace/foo', 'one', { createTime: { seconds: -1, nanos: -1 } })]);
  expect(await lab.push(services, 1)).toMatchObject({
    'bar-namespace/foo': { body: field(1, 'one'), createTime: { seconds: '1', nanos: 0 } },
  });
});

test('TestApplyNonIncrementalChange: a whole state replaces the one before it, also where changes were asked for', async () => {
  await say([entry('ns/se', 'one')], [], false);
  expect(await pushed(1)).toEqual({ 'ns/se': 'one' });
  await say([entry('ns/se1', 'one')], [], false);
  expect(await pushed(2)).toEqual({ 'ns/se1': 'one' });
});

test('TestApplyIncrementalChange: what a change does not name stays', async () => {
  await say([entry('ns/se', 'zero')]);
  expect(await pushed(1)).toEqual({ 'ns/se': 'zero' });
  await say([entry('ns/se1', 'one')]);
  expect(await pushed(2)).toEqual({ 'ns/se': 'zero', 'ns/se1': 'one' });
});

describe('TestApplyIncrementalChangeRemove', () => {
  test('TestApplyIncrementalChangeRemove: add, add, add and remove, remove alone: one push each, and no more', async () => {
    await say([entry('ns/se', 'zero')]);
    expect(await pushed(1)).toEqual({ 'ns/se': 'zero' });
    await say([entry('ns/se1', 'one')]);
    expect(await pushed(2)).toEqual({ 'ns/se': 'zero', 'ns/se1': 'one' });
    await say([entry('ns/se2', 'one')], ['ns/se']);
    expect(await pushed(3)).toEqual({ 'ns/se1': 'one', 'ns/se2': 'one' });
    await say([], ['ns/se2']);
    expect(await pushed(4)).toEqual({ 'ns/se1': 'one' });
    await lab.settled();
    expect(lab.pushes(services)).toHaveLength(4);
  });

  // Pilot removes first and adds then, so that it ends with the same.
  test('TestApplyIncrementalChangeRemove: what is removed and comes again is there again, under the version that it had', async () => {
    await say([entry('ns/se', 'zero'), entry('ns/se1', 'one')]);
    await say([], ['ns/se']);
    await say([entry('ns/se', 'zero')]);
    await say([entry('ns/se1', 'one')], ['ns/se1']);
    await lab.settled();
    expect(lab.pushes(services).at(-1)).toEqual(await lab.push(services, 1));
    expect(Object.keys(await pushed(1)).toSorted()).toEqual(['ns/se', 'ns/se1']);
  });
});

// Pilot reads two versions in these annotations, and tells a change of endpoints from one of the service. istiod 1.9 and
// newer has no such annotations: it compares what it holds itself.
describe('annotations', () => {
  const service = 'networking.alpha.istio.io/serviceVersion';
  const endpoints = 'networking.alpha.istio.io/endpointsVersion';

  /** Says the same service with these annotations, one after the other; each must be a push of its own. */
  async function annotate(incremental: boolean, all: readonly Record<string, string>[]): Promise<void> {
    const versions = new Set<string>();
    for (const [index, annotations] of all.entries()) {
      await say([entry('ns/se', 'one', { annotations })], [], incremental);
      const push = (await lab.push(services, index + 1))['ns/se'];
      expect(push).toMatchObject({ annotations, body: field(1, 'one') });
      versions.add(push?.version ?? '');
    }
    expect(versions.size).toBe(all.length);
    await lab.settled();
    expect(lab.pushes(services)).toHaveLength(all.length);
  }

  test('TestApplyNonIncrementalAnnotations: each other set of annotations is another version, and a push', () =>
    annotate(false, [
      {},
      { [service]: '1' },
      { [service]: '2', [endpoints]: '1' },
      { [service]: '2', [endpoints]: '2' },
      { [service]: '3', [endpoints]: '3' },
    ]));

  test('TestApplyIncrementalChangesAnnotations: the same for changes', () =>
    annotate(true, [
      {},
      { [service]: '1' },
      { [endpoints]: '1' },
      { [service]: '2', [endpoints]: '1' },
      { [service]: '2', [endpoints]: '2' },
      { [service]: '3', [endpoints]: '3' },
    ]));

  test('TestApplyIncrementalChangeEndpiontVersionWithoutServiceVersion: the version of endpoints alone is enough', () =>
    annotate(true, [{}, { [endpoints]: '1' }]));
});
