import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { serviceEntry, workloadEntry } from '../../support/resources.ts';
import { FakeIstiod } from '../../support/fake-istiod.ts';
import { frameOf } from '../../../src/push/frames.ts';
import { noGuard } from '../../support/store-lab.ts';
import { Bridge, encodeMessage, typeUrlOf } from './bridge.ts';
import type { Dialect, Item } from './item.ts';
import { propertyTimeoutMs, runs } from './runs.ts';

/** More than may lie out of order in memory before it is laid out anew, and more than the intake takes in one turn. */
const many = 5500;

/** Several MiB with all of these: enough for memory to be given back. */
const padding = 'x'.repeat(400);

const dialect: Dialect = { turn: 0, time: 'some', version: '', later: false, layout: 'plain' };

/** Key → host. */
type State = ReadonlyMap<string, string>;

const all: readonly string[] = Array.from({ length: many }, (_, i) => `shop/${String(i).padStart(5, '0')}`);

/** A step from one state of a large source to the next. */
const steps = {
  'all of the same length': (state: State) =>
    changed(state, 1, (host) => (host.startsWith('p') ? 'q' : 'p') + host.slice(1)),
  'all longer': (state: State) => changed(state, 1, (host) => `${host.slice(0, 2000)}yy`),
  'some shorter': (state: State) => changed(state, 7, (host) => host.slice(0, -3)),
  'one changed': (state: State) => changed(state, many, (host) => `${host}z`),
  'a third gone': (state: State) => new Map([...state].filter((_, i) => i % 3 !== 0)),
  'all there': (state: State) => new Map(all.map((key) => [key, state.get(key) ?? `p${padding}`])),
  'as it was': (state: State) => state,
} as const;

function changed(state: State, every: number, change: (host: string) => string): State {
  return new Map(Array.from(state, ([key, host], i) => [key, i % every === 0 ? change(host) : host]));
}

const step = fc.record({
  what: fc.oneof(
    { weight: 1, arbitrary: fc.constant('all of the same length' as const) },
    { weight: 2, arbitrary: fc.constantFrom(...(Object.keys(steps) as (keyof typeof steps)[])) },
  ),
  order: fc.constantFrom('kept', 'reversed', 'halves swapped'),
  pauseMs: fc.constantFrom(0, 60, 1200),
});

function ordered(state: State, order: string): Item[] {
  const items = Array.from(
    state,
    ([key, host]): Item => ({ form: 'good', name: { key, text: key }, content: { host }, dialect }),
  );
  if (order === 'reversed') return items.toReversed();
  const middle = order === 'kept' ? 0 : items.length >>> 1;
  return [...items.slice(middle), ...items.slice(0, middle)];
}

async function say(bridge: Bridge, origin: string, state: State, order: string): Promise<void> {
  const message = { kind: serviceEntry, incremental: false, items: ordered(state, order), removed: [] };
  expect(await bridge.receive(origin, encodeMessage(message, '1'))).toBe('ACK of 1');
}

async function sayWorkload(bridge: Bridge): Promise<void> {
  const items = ordered(new Map([['shop/a', 'p.example']]), 'kept');
  const message = encodeMessage({ kind: workloadEntry, incremental: false, items, removed: [] }, '2');
  expect(await bridge.receive('only', message)).toBe('ACK of 2');
}

function newBridge(...origins: readonly string[]): Bridge {
  const bridge = new Bridge(noGuard);
  for (const origin of origins) bridge.addSource(origin, [serviceEntry, workloadEntry]);
  return bridge;
}

/** What a new stream is sent of the services, whole or only its resources without versions. */
async function bytes(bridge: Bridge, versioned: boolean): Promise<Buffer> {
  await bridge.clock.run(1000);
  const istiod = new FakeIstiod(bridge);
  istiod.ask(typeUrlOf(serviceEntry));
  await bridge.clock.run(1000);
  istiod.exchange.close();
  const snapshot = bridge.store.snapshot(serviceEntry.id);
  if (snapshot === undefined) throw new Error('nothing is published');
  // istiod up to 1.11 takes no response of this size.
  return versioned ? istiod.last(typeUrlOf(serviceEntry)).bytes : frameOf(snapshot, { versioned }).toBuffer();
}

test(
  'however a large state came to lie in memory, and whoever spoke meanwhile, it is the same bytes',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 2, maxLength: 4 }), fc.boolean(), async (past, isAlone) => {
        const bridge = isAlone ? newBridge('only') : newBridge('only', 'other');
        const istiod = new FakeIstiod(bridge);
        istiod.ask(typeUrlOf(serviceEntry));
        let state: State = steps['all there'](new Map());
        const others = new Map([['other/1', 'p.example']]);
        await Promise.all([
          say(bridge, 'only', state, 'reversed'),
          isAlone ? undefined : say(bridge, 'other', others, 'kept'),
        ]);
        await bridge.clock.run(1200);
        // A publication of something else is when there is time to lay it out anew.
        await sayWorkload(bridge);
        await bridge.clock.run(1200);
        for (const { what, order, pauseMs } of past) {
          state = steps[what](state);
          // The intake gives others their turn in the middle of a large message: time passes, streams are served.
          await Promise.all([say(bridge, 'only', state, order), bridge.clock.run(pauseMs)]);
          await bridge.clock.run(pauseMs);
        }
        const fresh = newBridge('only');
        await say(fresh, 'only', new Map([...state, ...(isAlone ? [] : others)]), 'kept');
        for (const versioned of [true, false]) {
          const [has, expected] = [await bytes(bridge, versioned), await bytes(fresh, versioned)];
          expect(has.equals(expected), `${has.length} and ${expected.length} bytes`).toBe(true);
        }
        expect(istiod.last(typeUrlOf(serviceEntry)).versionInfo).toBe(bridge.store.snapshot(serviceEntry.id)?.version);
        istiod.exchange.close();
      }),
      runs(4),
    );
  },
  propertyTimeoutMs,
);
