import { beforeEach, describe, expect, test } from 'vitest';
import { legacyTarget } from '../../../src/legacy/origin.ts';
import type { SinkTarget } from '../../../src/legacy/source-feed.ts';
import { Quarantine } from '../../../src/quarantine/quarantine.ts';
import { encodeResources, readResources } from '../../../src/wire/legacy-messages.ts';
import { gate } from '../../support/gate.ts';
import { InlineValidator } from '../../support/inline-validator.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { serviceEntry } from '../../support/resources.ts';
import { brokenEntry, invalidEntry, validEntry } from '../../support/service-entries.ts';
import { settle } from '../../support/settle.ts';
import { StoreLab } from '../../support/store-lab.ts';

const collection = serviceEntry.collection ?? '';

let lab: StoreLab;
let log: MemoryLogger;
let validator: InlineValidator;
let quarantine: Quarantine;
let target: SinkTarget;

beforeEach(() => {
  lab = new StoreLab();
  log = new MemoryLogger();
  validator = new InlineValidator();
  quarantine = new Quarantine({ store: lab.store, validator, clock: lab.clock, log });
  lab.store.addOrigin('only', [serviceEntry.id]);
  const rules = { defaultNamespace: 'own', namespaceIsExplicit: true };
  target = legacyTarget(
    'only',
    [collection],
    rules,
    lab.store,
    log,
    () => {},
    (...change) => quarantine.judge(...change),
  );
});

const holding = () => lab.store.holding('only', serviceEntry.id);

/** One message of the source. */
function say(
  resources: readonly Uint8Array[],
  { full = true, removedResources = [] as readonly string[] } = {},
): Promise<void> {
  const envelope = { systemVersionInfo: '', collection, nonce: '1', incremental: !full };
  return target.accept(collection, readResources(encodeResources({ ...envelope, resources, removedResources })), full);
}

/** Key → host of what is sent. */
function sent(): Record<string, string> | undefined {
  lab.flush();
  return lab.published(serviceEntry);
}

/** Lets everything be looked at that nobody has looked at. */
async function sweep(): Promise<void> {
  await lab.clock.run(1000);
  for (let i = 0; i < 20; i++) await settle();
}

/** Key → reason, of what is not sent as it came, and of what is although it is not valid. */
const held = () => Object.fromEntries(Array.from(holding().quarantine, ([key, { reason }]) => [key, reason]));
const refused = () => Object.fromEntries(Array.from(holding().refused, ([key, { reason }]) => [key, reason]));

describe('a form that breaks a rule of Istio', () => {
  test('does not take the place of a good one; that one is sent until a good one comes', async () => {
    await say([validEntry('a/1', 'one'), validEntry('a/2', 'two')]);
    await say([invalidEntry('a/1', 'bad'), validEntry('a/2', 'new')]);
    expect(sent()).toEqual({ 'a/1': 'one', 'a/2': 'new' });
    expect(held()).toEqual({ 'a/1': 'invalid_duplicates' });
    expect(holding().quarantine.get('a/1')).toMatchObject({ lastGoodSent: true, named: true });
    expect(lab.reported.of('quarantined')).toEqual([['only', serviceEntry.id, 'invalid_duplicates']]);
    await say([validEntry('a/1', 'mended'), validEntry('a/2', 'new')]);
    expect(sent()).toEqual({ 'a/1': 'mended', 'a/2': 'new' });
    expect(held()).toEqual({});
  });

  test.each<[string, () => Buffer[], Record<string, string>, Record<string, string>]>([
    [
      'last, the form before the message stays',
      () => [validEntry('a/1', 'new'), invalidEntry('a/1')],
      { 'a/1': 'one' },
      { 'a/1': 'invalid_duplicates' },
    ],
    [
      'last, the same where it can not be decoded',
      () => [validEntry('a/1', 'new'), brokenEntry('a/1')],
      { 'a/1': 'one' },
      { 'a/1': 'malformed' },
    ],
    [
      'last, behind what is held already',
      () => [validEntry('a/1', 'one'), invalidEntry('a/1')],
      { 'a/1': 'one' },
      { 'a/1': 'invalid_duplicates' },
    ],
    ['first, the good one counts', () => [invalidEntry('a/1'), validEntry('a/1', 'new')], { 'a/1': 'new' }, {}],
    [
      'last, of one that is new: it is sent as it came',
      () => [validEntry('a/2', 'new'), invalidEntry('a/2', 'bad'), validEntry('a/1', 'one')],
      { 'a/1': 'one', 'a/2': 'bad' },
      {},
    ],
  ])('of a name that comes twice, where it comes %s', async (_what, resources, expected, quarantined) => {
    await say([validEntry('a/1', 'one')]);
    await say(resources());
    expect([sent(), held()]).toEqual([expected, quarantined]);
    // What the source says next counts as ever.
    await say([validEntry('a/1', 'next')]);
    expect([sent(), held()]).toEqual([{ 'a/1': 'next' }, {}]);
  });

  test('is sent as it came where there is no better one, and is shown', async () => {
    await say([invalidEntry('a/1', 'bad')]);
    expect(sent()).toEqual({ 'a/1': 'bad' });
    quarantine.start();
    await sweep();
    expect([held(), refused()]).toEqual([{}, { 'a/1': 'invalid_duplicates' }]);
    expect(log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { fields: { source: 'only', resource: 'a/1', reason: 'invalid_duplicates' } },
    ]);
  });

  test('takes the place of one that is no better', async () => {
    await say([invalidEntry('a/1', 'bad')]);
    await say([invalidEntry('a/1', 'worse')]);
    expect([sent(), held()]).toEqual([{ 'a/1': 'worse' }, {}]);
    quarantine.start();
    await sweep();
    await say([brokenEntry('a/1', 'broken')]);
    expect([sent(), held()]).toEqual([{ 'a/1': 'broken' }, {}]);
    await sweep();
    expect(refused()).toEqual({ 'a/1': 'malformed' });
  });

  test('goes with its source, and with the last good form', async () => {
    await say([validEntry('a/1', 'one'), validEntry('a/2')]);
    await say([invalidEntry('a/1'), validEntry('a/2')]);
    await say([validEntry('a/2')]);
    expect([Object.keys(sent() ?? {}), held()]).toEqual([['a/2'], {}]);
  });

  test('stays known in messages of changes, until the source says another one', async () => {
    await say([validEntry('a/1', 'one'), validEntry('a/2')]);
    await say([invalidEntry('a/1')], { full: false });
    await say([validEntry('a/2', 'new')], { full: false });
    expect([sent(), held()]).toEqual([{ 'a/1': 'one', 'a/2': 'new' }, { 'a/1': 'invalid_duplicates' }]);
    await say([], { full: false, removedResources: ['a/1'] });
    expect([sent(), held()]).toEqual([{ 'a/2': 'new' }, {}]);
  });
});

test('a body that istiod cannot decode keeps the form before it', async () => {
  await say([validEntry('a/1', 'one')]);
  await say([brokenEntry('a/1', 'bad')]);
  expect([sent(), held()]).toEqual([{ 'a/1': 'one' }, { 'a/1': 'malformed' }]);
});

describe('looks', () => {
  test('only at what has changed, and once at a form that a source repeats', async () => {
    await say([validEntry('a/1'), validEntry('a/2')]);
    quarantine.start();
    await sweep();
    expect(validator.checked).toBe(2);
    await say([invalidEntry('a/1'), validEntry('a/2')]);
    expect(validator.checked).toBe(3);
    for (let i = 0; i < 5; i++) await say([invalidEntry('a/1'), validEntry('a/2')]);
    await sweep();
    expect([validator.checked, held()]).toEqual([3, { 'a/1': 'invalid_duplicates' }]);
  });

  test('at the form that is held too, where nobody has yet', async () => {
    await say([validEntry('a/1', 'one')]);
    await say([invalidEntry('a/1')]);
    expect([validator.checked, sent()]).toEqual([2, { 'a/1': 'one' }]);
  });

  test('at what was restored, or came while nobody could look', async () => {
    validator.isDown = true;
    await say([validEntry('a/1', 'one'), invalidEntry('a/2', 'two')]);
    quarantine.start();
    await sweep();
    expect([validator.checked, refused()]).toEqual([0, {}]);
    validator.isDown = false;
    await sweep();
    expect([validator.checked, refused()]).toEqual([2, { 'a/2': 'invalid_duplicates' }]);
  });
});

describe('a change waits for its verdict', () => {
  test('and is not seen before', async () => {
    await say([validEntry('a/1', 'one')]);
    const answer = gate();
    validator.gate = answer.promise;
    const said = say([validEntry('a/1', 'two')]);
    await settle();
    expect(sent()).toEqual({ 'a/1': 'one' });
    answer.open();
    await said;
    expect(sent()).toEqual({ 'a/1': 'two' });
  });

  test('for 10 s at most', async () => {
    await say([validEntry('a/1', 'one')]);
    validator.gate = gate().promise;
    const said = say([validEntry('a/1', 'two')]);
    await lab.clock.run(9999);
    expect(sent()).toEqual({ 'a/1': 'one' });
    await lab.clock.run(1);
    await said;
    expect(sent()).toEqual({ 'a/1': 'two' });
    expect(log.lines.find(({ level }) => level === 'warn')).toMatchObject({ fields: { waitedMs: 10_000 } });
  });

  test('not where nobody can look: a mistake of ours loses nothing', async () => {
    await say([validEntry('a/1', 'one')]);
    validator.isDown = true;
    await say([invalidEntry('a/1', 'bad'), validEntry('a/2')]);
    expect(sent()).toMatchObject({ 'a/1': 'bad' });
  });

  test('not where it is new', async () => {
    validator.gate = gate().promise;
    await say([validEntry('a/1', 'one')]);
    expect(sent()).toEqual({ 'a/1': 'one' });
  });
});

test('what is refused is refused no more once it is mended, replaced or gone', async () => {
  await say([invalidEntry('a/1'), invalidEntry('a/2'), invalidEntry('a/3')]);
  quarantine.start();
  await sweep();
  expect(Object.keys(refused()).toSorted()).toEqual(['a/1', 'a/2', 'a/3']);
  const since = holding().refused.get('a/3')?.since;
  lab.clock.advance(5000);
  await say([validEntry('a/1'), invalidEntry('a/3', 'b.example.com')]);
  await sweep();
  expect(Object.keys(refused())).toEqual(['a/3']);
  expect(holding().refused.get('a/3')?.since, 'the same fault, in another form').toEqual(since);
});

test('what has left while it was looked at is of no interest any more', async () => {
  const answer = gate();
  await say([invalidEntry('a/1'), invalidEntry('a/2'), invalidEntry('a/3')]);
  quarantine.start();
  await sweep();
  expect(Object.keys(refused())).toHaveLength(3);
  validator.gate = answer.promise;
  await say([invalidEntry('a/1'), invalidEntry('a/2'), validEntry('a/4'), validEntry('a/5')]);
  await lab.clock.run(1000);
  await say([invalidEntry('a/1'), validEntry('a/4')]);
  sent();
  answer.open();
  await sweep();
  expect([Object.keys(sent() ?? {}), Object.keys(refused())]).toEqual([['a/1', 'a/4'], ['a/1']]);
  expect(log.of('error')).toEqual([]);
});
