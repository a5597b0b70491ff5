import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Effect, EffectCounts, Effects } from '../../../src/model/effects.ts';
import { defaultGuard } from '../../../src/store/guard.ts';
import { maxCopyBytes } from '../../../src/store/effect-tally.ts';
import { readRows } from '../../../src/wire/resource-frame.ts';
import { resourceBytes, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { bodies } from '../../../src/wire/root.ts';
import { JudgedLab } from '../../support/judged-lab.ts';
import { legacyResource, serviceEntry as se, serviceEntryResource } from '../../support/resources.ts';
import { StateLab } from '../../support/state-lab.ts';
import { noGuard, StoreLab } from '../../support/store-lab.ts';
import { tempFolder } from '../../support/temp-folder.ts';

/** The host that a form names. */
function hostOf(form: Buffer | undefined): string | undefined {
  if (form === undefined) return undefined;
  const body = bodies().lookupType(se.body).decode(viewResourceBytes(form).body);
  return (body as unknown as { hosts: string[] }).hosts.join();
}

/** `sort key before→after`, with who sends it where that is another source. */
function lineOf({ sort, key, before, after, sentFrom }: Effect): string {
  const from = sentFrom === undefined ? '' : ` of ${sentFrom}`;
  return `${sort} ${key} ${hostOf(before) ?? ''}→${hostOf(after) ?? ''}${from}`;
}

/** What a store tells, as `source cause`, a line for each that is named, and the number of the others of each sort. */
class Told {
  readonly all: Effects[] = [];

  constructor({ store }: StoreLab) {
    store.onEffects((effects) => this.all.push(effects));
  }

  /** What came since the last call. */
  take(): unknown[] {
    return this.all.splice(0).map(({ origin, cause, named, others }) => {
      const rest = Object.entries(others).filter(([, count]) => count > 0);
      return [`${origin ?? '-'} ${cause}`, ...named.map(lineOf), ...rest.map(([sort, count]) => `+${count} ${sort}`)];
    });
  }
}

let lab: StoreLab;
let told: Told;

function start(guard = noGuard, ...origins: readonly string[]): void {
  lab = new StoreLab(guard, { sameKey: 'precedence', sameHost: 'ignore' });
  told = new Told(lab);
  for (const origin of origins) lab.addOrigin(origin, se);
}

describe('one source', () => {
  beforeEach(() => start(noGuard, 'one'));

  test('what it adds, changes and removes is told with both forms, whatever their length', async () => {
    await lab.say('one', se, { 'shop/a': 'a1', 'shop/b': 'b1', 'shop/c': 'c1' });
    expect(told.take()).toEqual([['one message', 'added shop/a →a1', 'added shop/b →b1', 'added shop/c →c1']]);
    lab.flush();
    // In its place; as a new row; gone; new.
    await lab.say('one', se, { 'shop/a': 'a2', 'shop/b': 'b-longer', 'shop/d': 'd1' });
    expect(told.take()).toEqual([
      ['one message', 'removed shop/c c1→', 'changed shop/a a1→a2', 'changed shop/b b1→b-longer', 'added shop/d →d1'],
    ]);
  });

  test('before the debounce is over, too', async () => {
    await lab.say('one', se, { 'shop/a': 'a1', 'shop/b': 'b1' });
    await lab.say('one', se, { 'shop/a': 'a2' });
    expect(told.take().slice(1)).toEqual([['one message', 'removed shop/b b1→', 'changed shop/a a1→a2']]);
  });

  test('what is as it was is not told', async () => {
    await lab.say('one', se, { 'shop/a': 'a1' });
    told.take();
    await lab.say('one', se, { 'shop/a': 'a1' });
    lab.flush();
    await lab.say('one', se, { 'shop/a': 'a1' });
    expect(told.take()).toEqual([]);
  });

  test('of 5,000, twenty are named and the others counted; what leaves is named first', async () => {
    const many = (content: string, count = 5000) =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`shop/s-${i}`, content]));
    await lab.say('one', se, many('aa'));
    const added = told.all[0] as Effects;
    expect([added.named.length, added.others]).toEqual([20, { added: 4980, changed: 0, removed: 0, quarantined: 0 }]);
    told.take();
    lab.flush();
    await lab.say('one', se, many('bb', 4985));
    const [changed] = told.all as [Effects];
    expect(changed.named.map(({ sort }) => sort)).toEqual([
      ...Array.from({ length: 10 }, () => 'removed'),
      ...Array.from({ length: 10 }, () => 'changed'),
    ]);
    expect(changed.others).toEqual({ added: 0, changed: 4975, removed: 5, quarantined: 0 });
    expect(changed.named.every(({ before }) => hostOf(before) === 'aa')).toBe(true);
  });

  test('a form that is too large is told, and not copied', async () => {
    const large = 'h'.repeat(maxCopyBytes);
    await lab.say('one', se, { 'shop/a': 'a1' });
    await lab.say('one', se, { 'shop/a': large });
    const [, second] = told.all;
    const [effect] = second?.named ?? [];
    expect([effect?.sort, hostOf(effect?.before), effect?.after, effect?.isTooLarge]).toEqual([
      'changed',
      'a1',
      undefined,
      true,
    ]);
  });

  test('a form that is quarantined is told once, and the form before stays', async () => {
    const bad = (name: string) => legacyResource(name).subarray(0, -1);
    await lab.say('one', se, { 'shop/a': 'a1' });
    told.take();
    for (const _ of [1, 2]) await lab.deliver('one', se, [bad('shop/a'), bad('shop/b')]);
    const [first, ...more] = told.all;
    expect(more).toEqual([]);
    expect(first?.named.map(({ sort, key, note, before }) => [sort, key, note?.split(':')[0], before])).toEqual([
      ['quarantined', 'shop/a', 'malformed; the form before stays', undefined],
      ['quarantined', 'shop/b', 'malformed; there is no earlier form', undefined],
    ]);
    lab.flush();
    expect(lab.published(se)).toEqual({ 'shop/a': 'a1' });
  });

  test('a source that the config takes out for good', async () => {
    await lab.say('one', se, { 'shop/a': 'a1' });
    lab.flush();
    told.take();
    await lab.store.removeOrigin('one', se.id);
    expect(told.take()).toEqual([['one source_removed', 'removed shop/a a1→']]);
  });
});

describe('what the guard holds', () => {
  const all = { 'shop/a': 'a1', 'shop/b': 'b1', 'shop/c': 'c1' };

  beforeEach(async () => {
    start(defaultGuard, 'one');
    await lab.say('one', se, all);
    lab.flush();
    told.take();
    await lab.say('one', se, {});
  });

  afterEach(() => lab.store.close());

  test('is removed when the operator lets it go, and not before', async () => {
    expect(told.take()).toEqual([]);
    await lab.store.release('one', se.id);
    expect(told.take()).toEqual([
      ['one released_by_operator', 'removed shop/a a1→', 'removed shop/b b1→', 'removed shop/c c1→'],
    ]);
  });

  test('is removed once its source has confirmed it', async () => {
    await lab.clock.run(defaultGuard.holdMs);
    const stream = { startedAt: lab.clock.now(), isLive: true };
    await lab.deliver('one', se, [], { stream });
    expect(told.take()).toEqual([]);
    await lab.clock.run(60_000);
    expect(told.take().map((lines) => (lines as string[])[0])).toEqual(['one confirmed_by_source']);
  });

  test('is not told where it comes back', async () => {
    await lab.say('one', se, all);
    expect(told.take()).toEqual([]);
  });
});

describe('several sources', () => {
  beforeEach(async () => {
    start(noGuard, 'one', 'two');
    await lab.say('one', se, { 'shop/a': 'of-one' });
    await lab.say('two', se, { 'shop/a': 'of-two', 'shop/b': 'b1' });
    lab.flush();
  });

  test('what is not sent of a source is not told', () => {
    expect(told.take()).toEqual([
      ['one message', 'added shop/a →of-one'],
      ['two message', 'added shop/b →b1'],
    ]);
  });

  test('a source that leaves a key to another has changed it, and the other form is sent', async () => {
    told.take();
    await lab.say('one', se, {});
    expect(told.take()).toEqual([['one message', 'changed shop/a of-one→of-two of two']]);
    await lab.say('one', se, { 'shop/a': 'of-one' });
    expect(told.take()).toEqual([['one message', 'changed shop/a of-two→of-one']]);
  });

  test('another order changes what is sent, and no source has said anything', async () => {
    told.take();
    await lab.store.setPrecedence(['two', 'one']);
    expect(told.take()).toEqual([['- precedence', 'changed shop/a of-one→of-two of two']]);
  });

  test('equal forms of two sources are one: nothing is told of who sends it', async () => {
    await lab.say('two', se, { 'shop/a': 'of-one', 'shop/b': 'b1' });
    told.take();
    await lab.store.setPrecedence(['two', 'one']);
    await lab.say('two', se, { 'shop/b': 'b1' });
    expect(told.take()).toEqual([]);
  });

  test('a source that the config takes out leaves its keys to the others', async () => {
    told.take();
    await lab.store.removeOrigin('two', se.id);
    await lab.store.removeOrigin('one', se.id);
    expect(told.take()).toEqual([
      ['two source_removed', 'removed shop/b b1→'],
      ['one source_removed', 'removed shop/a of-one→'],
    ]);
  });
});

test('a verdict by the rules of Istio that lets another source come first', async () => {
  const judged = new JudgedLab();
  const all = new Told(judged);
  const form = (host: string, port: number) =>
    serviceEntryResource('shop/a', { hosts: [host], ports: [{ number: port, name: 'http', protocol: 'HTTP' }] });
  await judged.tell('three');
  await judged.tell('two', form('two.example', 80));
  await judged.tell('one', form('one.example', 99_999));
  await judged.sweep();
  expect(judged.sent).toEqual({ 'shop/a': 'two.example' });
  expect(all.take()).toEqual([['two message', 'added shop/a →two.example']]);
});

test('what is read from the state folder is one number', async () => {
  const folder = tempFolder();
  const life = async (work: (one: StateLab) => Promise<void>) => {
    const one = new StateLab(noGuard);
    const all = new Told(one);
    one.addOrigin('one', se);
    await one.load(folder);
    one.state.start();
    await work(one);
    await one.end();
    return all.take();
  };
  await life((one) => one.say('one', se, { 'shop/a': 'a1', 'shop/b': 'b1' }));
  expect(await life((one) => one.say('one', se, { 'shop/a': 'a2', 'shop/b': 'b1' }))).toEqual([
    ['one restart', '+2 added'],
    ['one message', 'changed shop/a a1→a2'],
  ]);
});

/** Key → the Resource that is sent, as hexadecimal digits. */
function sentOf({ store }: StoreLab): Map<string, string> | undefined {
  const snapshot = store.snapshot(se.id);
  if (snapshot === undefined) return undefined;
  const rows = readRows(snapshot.pool, snapshot.rows);
  return new Map(Array.from(rows, (row) => [row.key, resourceBytes(row).toString('hex')]));
}

/** Applies what was told, all of it by name, to what was sent; throws where it does not fit. */
function follow(sent: Map<string, string>, all: readonly Effects[]): void {
  const others: EffectCounts = { added: 0, changed: 0, removed: 0, quarantined: 0 };
  expect(all.map((effects) => effects.others)).toEqual(all.map(() => others));
  for (const { sort, key, before, after } of all.flatMap(({ named }) => named)) {
    if (sort === 'quarantined') continue;
    expect([key, before?.toString('hex')]).toEqual([key, sent.get(key)]);
    expect([key, sort]).toEqual([key, before === undefined ? 'added' : after === undefined ? 'removed' : 'changed']);
    if (after === undefined) sent.delete(key);
    else sent.set(key, after.toString('hex'));
  }
}

test('whoever follows what is told has what istiod is given, whatever sources say and do', async () => {
  const origin = fc.constantFrom('one', 'two', 'three');
  const key = fc.integer({ min: 0, max: 7 }).map((i) => `shop/${i}`);
  const resource = fc.tuple(key, fc.constantFrom('a', 'b', 'c', 'longer'), fc.boolean());
  const step = fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({ origin, resources: fc.array(resource, { maxLength: 8 }), full: fc.boolean() }),
    },
    { weight: 6, arbitrary: fc.constant('publish' as const) },
    { weight: 1, arbitrary: fc.record({ order: fc.shuffledSubarray(['one', 'two', 'three'], { minLength: 3 }) }) },
    { weight: 1, arbitrary: fc.record({ leaves: origin }) },
    { weight: 1, arbitrary: fc.record({ retires: origin }) },
    { weight: 2, arbitrary: fc.record({ comes: origin }) },
  );
  const runs = Number(process.env['ISTHMUS_PROPERTY_RUNS'] ?? 1) * 150;
  let looks = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.subarray(['one', 'two', 'three'], { minLength: 1 }),
      fc.array(step, { minLength: 10, maxLength: 40 }),
      async (first, steps) => {
        start(noGuard, ...first);
        const sent = new Map<string, string>();
        for (const one of steps) {
          const has = (name: string) => lab.store.origins.has(name);
          if (one === 'publish') lab.flush();
          else if ('order' in one) await lab.store.setPrecedence(one.order);
          else if ('leaves' in one && has(one.leaves)) await lab.store.removeOrigin(one.leaves, se.id);
          else if ('retires' in one && has(one.retires)) await lab.store.retire(one.retires, se.id);
          else if ('comes' in one) lab.addOrigin(one.comes, se);
          else if ('resources' in one && has(one.origin)) {
            const resources = one.resources.map(([name, content, isBad]) => {
              const bytes = legacyResource(name, content);
              return isBad && content === 'c' ? bytes.subarray(0, -1) : bytes;
            });
            await lab.deliver(one.origin, se, resources, { full: one.full });
          }
          follow(sent, told.all.splice(0));
          if (one !== 'publish' || !lab.store.complete(se.id)) continue;
          expect(sentOf(lab)).toEqual(sent);
          looks++;
        }
        lab.store.close();
      },
    ),
    { numRuns: runs },
  );
  expect(looks).toBeGreaterThan(runs);
});
