import { beforeEach, describe, expect, test } from 'vitest';
import type { Refusals } from '../../../src/legacy/collection-probe.ts';
import { legacyTarget } from '../../../src/legacy/origin.ts';
import type { SinkTarget } from '../../../src/legacy/source-feed.ts';
import { encodeResources, readResources } from '../../../src/wire/legacy-messages.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { StoreLab } from '../../support/store-lab.ts';

const se = serviceEntry.collection ?? '';
const we = workloadEntry.collection ?? '';

let lab: StoreLab;
let log: MemoryLogger;
let remembered: Refusals[];
let target: SinkTarget;

beforeEach(() => {
  lab = new StoreLab();
  log = new MemoryLogger();
  remembered = [];
  lab.store.addOrigin('a', [serviceEntry.id, workloadEntry.id]);
  const rules = { defaultNamespace: 'own', namespaceIsExplicit: true };
  target = legacyTarget('a', [se, we, 'k8s/core/v1/pods'], rules, lab.store, log, (refused) =>
    remembered.push(refused),
  );
});

/** One message of the source. */
function accept(
  collection: string,
  resources: readonly Uint8Array[],
  { full = true, removedResources = [] as readonly string[] } = {},
): Promise<void> {
  const envelope = { systemVersionInfo: '', collection, nonce: '1', incremental: !full };
  const bytes = encodeResources({ ...envelope, resources, removedResources });
  return target.accept(collection, readResources(bytes), full);
}

/** Key → content of what is published of services, after the debounce. */
function services(): Record<string, string> | undefined {
  lab.flush();
  return lab.published(serviceEntry);
}

describe('a message', () => {
  test('goes into the store, under the kind of its collection', async () => {
    await accept(se, [legacyResource('x/1', 'one')]);
    await accept(we, [legacyResource('x/1', 'two', workloadEntry.body)]);
    expect(services()).toEqual({ 'x/1': 'one' });
    expect(lab.published(workloadEntry)).toEqual({ 'x/1': 'two' });
  });

  test('is a whole state, or changes, as the sink says and not as its flag does', async () => {
    await accept(se, [legacyResource('x/1', 'one'), legacyResource('x/2', 'two')]);
    await accept(se, [legacyResource('x/3', 'three')], { full: false, removedResources: ['x/1'] });
    await accept(we, []);
    expect(services()).toEqual({ 'x/2': 'two', 'x/3': 'three' });
    await accept(se, [legacyResource('x/3', 'three')]);
    expect(services()).toEqual({ 'x/3': 'three' });
  });

  test('has its names read by the rules of the source', async () => {
    await accept(se, [legacyResource('bare', 'one')]);
    await accept(we, []);
    expect(services()).toEqual({ 'own/bare': 'one' });
  });

  test('with bad resources names them in the log, twenty at most, and the good ones go on', async () => {
    const bad = Array.from({ length: 30 }, () => legacyResource(''));
    await accept(se, [...bad, legacyResource('x/1', 'one')]);
    await accept(we, []);
    expect(services()).toEqual({ 'x/1': 'one' });
    const warnings = log.lines.filter(({ level }) => level === 'warn');
    expect(warnings).toHaveLength(20);
    expect(warnings[0]).toMatchObject({
      fields: { source: 'a', collection: se, resource: '#0', reason: 'bad_name' },
      message: 'a resource is quarantined: metadata.name is empty; "namespace/name" is expected',
    });
  });

  test('of a collection without a kind is left alone', async () => {
    await accept('k8s/core/v1/pods', [legacyResource('x/1')]);
    expect(services()).toBeUndefined();
    expect(log.lines).toEqual([]);
  });
});

describe('a collection that counts as empty', () => {
  test('makes its kind complete', async () => {
    await accept(se, [legacyResource('x/1', 'one')]);
    expect(lab.store.complete(workloadEntry.id)).toBe(false);
    target.markEmpty(we, 'silent');
    expect(lab.store.complete(workloadEntry.id)).toBe(true);
    services();
    expect(lab.published(workloadEntry)).toEqual({});
  });

  test('keeps what it has', async () => {
    await accept(se, [legacyResource('x/1', 'one')]);
    target.markEmpty(se, 'unsupported');
    target.markEmpty(we, 'unsupported');
    expect(services()).toEqual({ 'x/1': 'one' });
    expect(lab.store.holding('a', serviceEntry.id).sync).toBe('synced');
  });

  test('may be one without a kind', () => {
    target.markEmpty('k8s/core/v1/pods', 'unsupported');
    expect(lab.store.complete(serviceEntry.id)).toBe(false);
  });
});

test('refusals are handed on', () => {
  const refused = new Map([[we, 1]]);
  target.remember(refused);
  expect(remembered).toEqual([refused]);
});
