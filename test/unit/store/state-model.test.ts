import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Kind } from '../../../src/model/kinds.ts';
import type { SyncState } from '../../../src/store/holding.ts';
import { readResources } from '../../../src/wire/legacy-messages.ts';
import { keyOf } from '../../../src/wire/resource-frame.ts';
import { legacyResource, serviceEntry, workloadEntry } from '../../support/resources.ts';
import { contentsOf, heldBy } from '../../support/source-view.ts';
import { StoreLab } from '../../support/store-lab.ts';
import { field } from '../../support/wire-bytes.ts';

/** docs/adr/0001-state-model.md, as random events against the plainest model of its table. */

const origins = ['first', 'second'] as const;
const kinds = [serviceEntry, workloadEntry] as const;
type Origin = (typeof origins)[number];

/** A named resource in a good form, a named one in a bad form, or one whose name can't be read. */
type Item = { readonly key: string; readonly form: 'x' | 'y' | 'bad' } | 'unreadable';
type Event =
  | {
      readonly type: 'message';
      readonly origin: Origin;
      readonly kind: Kind;
      readonly full: boolean;
      readonly items: readonly Item[];
      readonly removed: readonly string[];
    }
  | { readonly type: 'silent' | 'unsupported' | 'malformed'; readonly origin: Origin; readonly kind: Kind }
  | { readonly type: 'time passes' };
type Message = Extract<Event, { type: 'message' }>;

/** One origin and kind. */
class Model {
  sync: SyncState = 'waiting';
  readonly received = new Map<string, string>();
  readonly effective = new Map<string, string>();
  readonly withheld = new Set<string>();
  /** Places of resources whose names could not be read. */
  readonly strangers = new Set<string>();
  /** How many of those stood in the last full message that was believed. */
  baseline = 0;

  take({ full, items, removed }: Message): void {
    this.sync = 'synced';
    const brought = new Map<string, string>();
    const strangers: string[] = [];
    for (const [place, item] of items.entries()) {
      if (item === 'unreadable') strangers.push(`#${place}`);
      else brought.set(item.key, item.form);
    }
    if (full) {
      const missing = [...this.effective.keys()].filter((key) => !brought.has(key));
      const isBelieved = missing.length === 0 || strangers.length <= this.baseline;
      if (isBelieved) this.baseline = strangers.length;
      this.received.clear();
      this.strangers.clear();
      this.withheld.clear();
      for (const key of missing) {
        if (isBelieved) this.effective.delete(key);
        else this.withheld.add(key);
      }
    } else {
      for (const key of removed) {
        if (brought.has(key)) continue;
        this.received.delete(key);
        this.effective.delete(key);
        this.withheld.delete(key);
      }
    }
    for (const place of strangers) this.strangers.add(place);
    for (const [key, form] of brought) {
      this.received.set(key, form);
      this.withheld.delete(key);
    }
    for (const one of items) {
      if (one !== 'unreadable' && one.form !== 'bad') this.effective.set(one.key, one.form);
    }
  }

  countAsEmpty(why: 'silent' | 'unsupported'): void {
    if (this.sync !== 'synced' || (why === 'unsupported' && this.effective.size === 0)) this.sync = why;
  }

  get quarantined(): string[] {
    const bad = [...this.received].flatMap(([key, form]) => (form === 'bad' ? [key] : []));
    return [...bad, ...this.strangers].toSorted();
  }
}

/** True where `event` proves that the source of a key, which `before` held, has it no more. */
function provesRemoval(event: Event, before: Model, key: string): boolean {
  if (event.type !== 'message') return false;
  if (event.items.some((item) => item !== 'unreadable' && item.key === key)) return false;
  if (!event.full) return event.removed.includes(key);
  return event.items.filter((item) => item === 'unreadable').length <= before.baseline;
}

const key = fc.integer({ min: 1, max: 4 }).map((n) => `shop/${n}`);
const item: fc.Arbitrary<Item> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ key, form: fc.constantFrom('x' as const, 'y' as const, 'bad' as const) }) },
  { weight: 1, arbitrary: fc.constant('unreadable' as const) },
);
const place = { origin: fc.constantFrom(...origins), kind: fc.constantFrom(...kinds) };
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constant('message' as const),
      ...place,
      full: fc.boolean(),
      items: fc.array(item, { maxLength: 5 }),
      removed: fc.array(key, { maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom('silent', 'unsupported', 'malformed'), ...place }) },
  { weight: 3, arbitrary: fc.constant({ type: 'time passes' as const }) },
);

function bytesOf(one: Item, kind: Kind): Buffer {
  if (one === 'unreadable') return Buffer.from([0xff]);
  return one.form === 'bad' ? field(1, field(1, one.key)) : legacyResource(one.key, one.form, kind.body);
}

async function happen(lab: StoreLab, one: Event): Promise<void> {
  switch (one.type) {
    case 'message':
      await lab.deliver(
        one.origin,
        one.kind,
        one.items.map((i) => bytesOf(i, one.kind)),
        one,
      );
      return;
    case 'malformed':
      expect(() => readResources(Buffer.from([0x1a, 0x7f])), 'no Change can come of this').toThrow('length');
      return;
    case 'time passes':
      lab.clock.advance(1000);
      return;
    case 'silent':
    case 'unsupported':
      lab.store.setEmpty(one.origin, one.kind.id, one.type);
  }
}

test('a key leaves effective only on positive evidence that its source removed it, and all states are as ADR 1 says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(event, { minLength: 1, maxLength: 25 }), async (events) => {
      const lab = new StoreLab();
      const models = new Map<string, Model>();
      const modelOf = (origin: Origin, kind: Kind) => models.get(`${origin} ${kind.id}`) as Model;
      for (const origin of origins) {
        lab.addOrigin(origin, ...kinds);
        for (const kind of kinds) models.set(`${origin} ${kind.id}`, new Model());
      }
      for (const one of events) {
        const mustStay: [Origin, Kind, string][] = [];
        for (const origin of origins) {
          for (const kind of kinds) {
            const isMeant = one.type !== 'time passes' && one.origin === origin && one.kind === kind;
            for (const held of lab.store.holding(origin, kind.id).resources.keys()) {
              if (!isMeant || !provesRemoval(one, modelOf(origin, kind), held)) mustStay.push([origin, kind, held]);
            }
          }
        }
        if (one.type !== 'time passes') {
          const model = modelOf(one.origin, one.kind);
          if (one.type === 'message') model.take(one);
          else if (one.type !== 'malformed') model.countAsEmpty(one.type);
        }
        await happen(lab, one);
        for (const [origin, kind, held] of mustStay) {
          expect([...lab.store.holding(origin, kind.id).resources.keys()]).toContain(held);
        }
        for (const origin of origins) for (const kind of kinds) compare(lab, origin, kind, modelOf(origin, kind));
        for (const kind of kinds) {
          const isComplete = origins.every((origin) => modelOf(origin, kind).sync !== 'waiting');
          expect(lab.store.complete(kind.id)).toBe(isComplete);
          if (!isComplete) expect(lab.published(kind)).toBeUndefined();
        }
      }
      lab.flush();
      for (const kind of kinds) {
        const [first, second] = origins.map((origin) => modelOf(origin, kind)) as [Model, Model];
        const isComplete = first.sync !== 'waiting' && second.sync !== 'waiting';
        const merged = Object.fromEntries([...second.effective, ...first.effective]);
        expect(lab.published(kind)).toEqual(isComplete ? merged : undefined);
        const snapshot = lab.store.snapshot(kind.id);
        const keys = snapshot && Array.from(snapshot.rows, (row) => keyOf(snapshot.pool, row));
        expect(keys).toEqual(isComplete ? Object.keys(merged).toSorted() : undefined);
      }
    }),
    { numRuns: 400 },
  );
});

function compare(lab: StoreLab, origin: Origin, kind: Kind, model: Model): void {
  const holding = lab.store.holding(origin, kind.id);
  expect(holding.sync).toBe(model.sync);
  expect(contentsOf(heldBy(holding.resources))).toEqual(Object.fromEntries(model.effective));
  expect([...holding.quarantine.keys()].toSorted()).toEqual(model.quarantined);
  expect([...holding.withheld].toSorted()).toEqual([...model.withheld].toSorted());
  expect(holding.received).toBe(model.received.size + model.strangers.size);
  expect(holding.released).toBe(holding.received + model.withheld.size);
  for (const entry of holding.quarantine.values()) {
    if (entry.named) expect(model.effective.has(entry.key)).toBe(entry.lastGoodSent);
  }
}
