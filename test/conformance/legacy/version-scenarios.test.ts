import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { eventually } from '../../support/eventually.ts';
import { entry, LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { serviceEntry } from '../../support/resources.ts';
import { se, SinkLab } from '../../support/sink-lab.ts';
import { heldBy } from '../../support/source-view.ts';
import { noGuard } from '../../support/store-lab.ts';

// Go's sink keeps a map of names and versions of what it has acknowledged (pkg/mcp/internal), and sends it when it asks for
// changes. Here the resources themselves are that map: what is held must follow the same seven rules, under versions of our
// own, and none of it is sent.

let source: LegacySource;
let lab: SinkLab;
let stream: SourceStream;

beforeEach(async () => {
  source = await LegacySource.listen();
  const profile = { ...defaultSourceProfile, incremental: true };
  // What is removed leaves at once: holding much of it back is the guard's business (docs/guard.md).
  lab = new SinkLab(source.port, { collections: [se], profile }, new Map(), noGuard);
  lab.client.start();
  stream = await source.stream(1);
});

afterEach(async () => {
  await lab.stop();
  await source.kill();
});

/** Says something of services, with contents by name. */
function say(
  contents: Readonly<Record<string, string>>,
  incremental: boolean,
  removedResources: readonly string[] = [],
) {
  const resources = Object.entries(contents).map(([name, content]) =>
    entry(`x/${name}`, content, { version: content }),
  );
  const removed = removedResources.map((name) => `x/${name}`);
  return stream.deliver({ collection: se, incremental, resources, removedResources: removed });
}

/** Contents by name. */
const held = () => Object.fromEntries(Object.entries(lab.held()).map(([name, content]) => [name.slice(2), content]));

/** Name → version that is ours. */
const versions = () =>
  new Map(heldBy(lab.store.holding('lab', serviceEntry.id).resources).map(({ key, version }) => [key, version]));

const all = { r0: 'v0', r1: 'v0', r2: 'v0' };

describe('TestUpdateResourceVersionTracking', () => {
  test.each<[string, object, Record<string, string>, boolean, readonly string[], object]>([
    ['add initial state', {}, all, false, [], all],
    ['remove everything', all, {}, false, [], {}],
    ['replace everything', all, { r0: 'v1', r1: 'v1', r2: 'v1' }, false, [], { r0: 'v1', r1: 'v1', r2: 'v1' }],
    ['add incrementally', {}, all, true, [], all],
    ['update incrementally', all, { r0: 'v1' }, true, [], { ...all, r0: 'v1' }],
    ['delete incrementally', all, {}, true, ['r0'], { r1: 'v0', r2: 'v0' }],
    [
      'add, update, and delete incrementally',
      { r0: 'v0', r1: 'v0' },
      { r1: 'v1', r2: 'v0' },
      true,
      ['r0'],
      { r1: 'v1', r2: 'v0' },
    ],
  ])('TestUpdateResourceVersionTracking: %s', async (_what, current, contents, incremental, removed, expected) => {
    await say({ ...current }, false);
    expect(held()).toEqual(current);
    const before = versions();
    await say(contents, incremental, removed);
    expect(held()).toEqual(expected);
    for (const [key, version] of versions()) {
      const isSame = held()[key.slice(2)] === (current as Record<string, string>)[key.slice(2)];
      expect(before.get(key) === version).toBe(isSame);
    }
    expect(stream.requests.map(({ initialResourceVersions }) => initialResourceVersions)).toEqual([{}, {}, {}]);
  });

  test('TestUpdateResourceVersionTracking: nothing of it is sent on the next stream either', async () => {
    await say(all, false);
    stream.end();
    await lab.retry();
    stream = await source.stream(2);
    await eventually(() => stream.requests.length === 1);
    expect(stream.requests).toMatchObject([{ responseNonce: '', incremental: true, initialResourceVersions: {} }]);
    expect(held()).toEqual(all);
  });
});
