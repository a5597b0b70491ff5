import * as fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { defaultPump, type Outgoing, Pump, type PumpOptions } from '../../../src/push/pump.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { gate } from '../../support/gate.ts';
import { settle } from '../../support/settle.ts';

const options: PumpOptions = { minGapMs: 250, sendTimeoutMs: 60_000, ackWarnMs: 30_000, ackTimeoutMs: 300_000 };

/** A peer's stream: what is due on it, what it still owes, and what happened when. */
class Peer {
  readonly clock = new FakeClock();
  readonly log: string[] = [];
  readonly pump: Pump;
  /** Types that are due. */
  readonly due = new Set<string>();
  owed = 0;
  /** What `send` does; the default takes everything at once. */
  send: (type: string) => Promise<void> = () => Promise.resolve();
  /** Where false, responses need no answer. */
  answers = true;
  /** Called when a burst of something begins. */
  onBurst: () => void = () => {};

  /** Called when the pump says that it is idle. */
  onIdle: () => void = () => {};

  constructor() {
    this.pump = new Pump(options, this.clock, {
      due: () => this.#take(),
      awaiting: () => this.owed > 0,
      onAckOverdue: () => this.#note('overdue'),
      onIdle: () => this.onIdle(),
      onGiveUp: (reason, error) => this.#note(`gave up: ${reason}${error instanceof Error ? ` ${error.message}` : ''}`),
    });
  }

  change(...types: string[]): void {
    for (const type of types) this.due.add(type);
    this.pump.wake();
  }

  answer(count = this.owed): void {
    for (let i = 0; i < count; i++) {
      this.owed--;
      this.pump.answered();
    }
  }

  #take(): Outgoing[] {
    const types = [...this.due];
    this.due.clear();
    if (types.length > 0) this.onBurst();
    return types.map((type) => ({
      send: () => {
        this.#note(type);
        if (this.answers) this.owed++;
        return this.send(type);
      },
    }));
  }

  #note(what: string): void {
    this.log.push(`${this.clock.now()} ${what}`);
  }
}

let peer: Peer;

beforeEach(() => {
  peer = new Peer();
});

describe('a burst', () => {
  test('sends everything that is due at once, in its order', async () => {
    peer.change('b', 'a', 'c');
    await settle();
    expect(peer.log).toEqual(['0 b', '0 a', '0 c']);
  });

  test('sends one response after the other, each when the one before was taken', async () => {
    const first = gate();
    peer.send = (type) => (type === 'a' ? first.promise : Promise.resolve());
    peer.change('a', 'b');
    await peer.clock.run(5000);
    expect(peer.log).toEqual(['0 a']);
    first.open();
    await settle();
    expect(peer.log).toEqual(['0 a', '5000 b']);
  });

  test('is followed by none while anything is unanswered, whatever changes', async () => {
    peer.change('a', 'b');
    await settle();
    for (let i = 0; i < 10; i++) {
      peer.change('a', 'c');
      await peer.clock.run(1000);
    }
    peer.answer(1);
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a', '0 b']);
    peer.answer();
    await settle();
    expect(peer.log.slice(2)).toEqual(['11000 a', '11000 c']);
  });

  test('is followed by the next one after the gap at the soonest', async () => {
    peer.change('a');
    await settle();
    peer.answer();
    peer.change('a');
    await peer.clock.run(249);
    expect(peer.log).toHaveLength(1);
    await peer.clock.run(1);
    expect(peer.log).toEqual(['0 a', '250 a']);
  });

  test('leaves a gap behind its end, not behind its beginning', async () => {
    const slow = gate();
    peer.send = () => slow.promise;
    peer.change('a');
    await peer.clock.run(1000);
    slow.open();
    await settle();
    peer.answer();
    peer.change('a');
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a', '1250 a']);
  });

  test('takes with it what changed while the one before was on the wire', async () => {
    const slow = gate();
    peer.send = (type) => (type === 'a' ? slow.promise : Promise.resolve());
    peer.change('a');
    peer.change('b');
    peer.change('c');
    await peer.clock.run(100);
    slow.open();
    await settle();
    peer.answer();
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a', '350 b', '350 c']);
  });

  test('whose answers came before it was over is followed by what changed meanwhile', async () => {
    const slow = gate();
    peer.send = () => slow.promise;
    peer.change('a');
    peer.answer();
    peer.change('b');
    slow.open();
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a', '250 b']);
  });

  test('that needs no answer is followed after the gap', async () => {
    peer.answers = false;
    peer.change('a');
    await settle();
    peer.change('b');
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a', '250 b']);
    expect(peer.clock.timers).toBe(0);
  });

  test('of nothing costs nothing: no gap, no timer', async () => {
    peer.pump.wake();
    await settle();
    expect(peer.clock.timers).toBe(0);
    peer.change('a');
    await settle();
    expect(peer.log).toEqual(['0 a']);
  });
});

describe('a delayed wake', () => {
  test('gathers what comes until then', async () => {
    peer.due.add('a');
    peer.pump.wake(10);
    await peer.clock.run(5);
    peer.due.add('b');
    peer.pump.wake(10);
    await peer.clock.run(4);
    expect(peer.log).toEqual([]);
    await peer.clock.run(1);
    expect(peer.log).toEqual(['10 a', '10 b']);
  });

  test('gives way to one without delay', async () => {
    peer.due.add('a');
    peer.pump.wake(10);
    await peer.clock.run(3);
    peer.change('b');
    await settle();
    expect(peer.log).toEqual(['3 a', '3 b']);
    peer.answer();
    await peer.clock.run(1000);
    expect(peer.log).toHaveLength(2);
  });

  test('never shortens the gap', async () => {
    peer.change('a');
    await settle();
    peer.answer();
    peer.due.add('b');
    peer.pump.wake(10);
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a', '250 b']);
  });
});

describe('idle', () => {
  test('is told once for each burst, when both its last answer came and its last response was taken', async () => {
    const told: boolean[] = [];
    peer.onIdle = () => told.push(peer.pump.idle);
    peer.change('a', 'b');
    await settle();
    peer.answer(1);
    expect(told).toEqual([]);
    peer.answer(1);
    expect(told).toEqual([true]);
    await peer.clock.run(1000);

    const slow = gate();
    peer.send = () => slow.promise;
    peer.change('c');
    peer.answer();
    expect(told).toEqual([true]);
    slow.open();
    await settle();
    expect(told).toEqual([true, true]);
  });

  test('is told before the next burst, in time to prevent it', async () => {
    peer.onIdle = () => peer.pump.close();
    peer.change('a');
    await peer.clock.run(1000);
    peer.change('b');
    peer.answer();
    await peer.clock.run(1000);
    expect(peer.log).toEqual(['0 a']);
    expect(peer.clock.timers).toBe(0);
  });

  test('is a pump with nothing on the wire and nothing owed', async () => {
    const slow = gate();
    peer.send = () => slow.promise;
    expect(peer.pump.idle).toBe(true);
    peer.change('a');
    expect(peer.pump.idle).toBe(false);
    slow.open();
    await settle();
    expect(peer.pump.idle).toBe(false);
    peer.answer();
    expect(peer.pump.idle).toBe(true);
  });
});

describe('a peer that takes no bytes', () => {
  test('is given up once, after the send timeout', async () => {
    peer.send = () => new Promise(() => {});
    peer.change('a', 'b');
    await peer.clock.run(59_999);
    expect(peer.log).toEqual(['0 a']);
    await peer.clock.run(1_000_000);
    expect(peer.log).toEqual(['0 a', '60000 gave up: send_timeout']);
    expect(peer.clock.timers).toBe(0);
  });

  test('has the whole time for each response', async () => {
    const gates = new Map(['a', 'b', 'c'].map((type) => [type, gate()]));
    peer.send = (type) => gates.get(type)?.promise ?? Promise.resolve();
    peer.change('a', 'b', 'c');
    for (const { open } of gates.values()) {
      await peer.clock.run(59_000);
      open();
    }
    await settle();
    expect(peer.log).toEqual(['0 a', '59000 b', '118000 c']);
  });

  test.each(['settles', 'fails'] as const)('is not heard of again when its send %s after all', async (how) => {
    const slow = gate();
    peer.send = () => slow.promise;
    peer.change('a', 'b');
    await peer.clock.run(60_000);
    if (how === 'settles') slow.open();
    else slow.fail(new Error('cancelled'));
    await peer.clock.run(1_000_000);
    expect(peer.log).toEqual(['0 a', '60000 gave up: send_timeout']);
    expect(peer.clock.timers).toBe(0);
  });
});

describe('a send that fails', () => {
  test('ends the stream, and nothing is sent after it', async () => {
    peer.send = () => Promise.reject(new Error('the stream is gone'));
    peer.change('a', 'b');
    await settle();
    peer.change('c');
    await peer.clock.run(1_000_000);
    expect(peer.log).toEqual(['0 a', '0 gave up: failed the stream is gone']);
    expect(peer.clock.timers).toBe(0);
  });

  test('by an exception does the same', async () => {
    peer.send = () => {
      throw new Error('broken');
    };
    peer.change('a');
    await settle();
    expect(peer.log).toEqual(['0 a', '0 gave up: failed broken']);
  });
});

describe('a peer that does not answer', () => {
  test('is reported after 30 s, and given up after 5 min', async () => {
    peer.change('a', 'b');
    await settle();
    peer.answer(1);
    await peer.clock.run(29_999);
    expect(peer.log).toEqual(['0 a', '0 b']);
    await peer.clock.run(1);
    expect(peer.log.slice(2)).toEqual(['30000 overdue']);
    await peer.clock.run(1_000_000);
    expect(peer.log.slice(3)).toEqual(['300000 gave up: ack_timeout']);
    expect(peer.clock.timers).toBe(0);
  });

  test('and answers just in time, is only reported', async () => {
    peer.change('a');
    await peer.clock.run(299_999);
    peer.answer();
    await peer.clock.run(1_000_000);
    expect(peer.log).toEqual(['0 a', '30000 overdue']);
    expect(peer.clock.timers).toBe(0);
  });

  test('has the whole time for each burst', async () => {
    for (let i = 0; i < 5; i++) {
      peer.change('a');
      await peer.clock.run(29_000);
      peer.answer();
      await peer.clock.run(1000);
    }
    expect(peer.log.map((line) => line.split(' ')[1])).toEqual(['a', 'a', 'a', 'a', 'a']);
  });

  test('and must not be ended, is reported and waited for', async () => {
    peer.pump.neverTimeOut();
    peer.change('a');
    await peer.clock.run(3_600_000);
    expect(peer.log).toEqual(['0 a', '30000 overdue']);
    peer.change('b');
    peer.answer();
    await settle();
    expect(peer.log).toEqual(['0 a', '30000 overdue', '3600000 b']);
  });
});

describe('closing', () => {
  test.each<[string, () => Promise<void> | void]>([
    ['before anything', () => {}],
    ['in a delayed wake', () => peer.pump.wake(10)],
    ['with a response on the wire', () => peer.change('never taken', 'b')],
    [
      'with answers owed',
      () => {
        peer.change('a');
        return settle();
      },
    ],
    [
      'in the gap between two bursts',
      async () => {
        peer.change('a');
        await settle();
        peer.answer();
        peer.change('b');
      },
    ],
  ])('%s leaves no timer, and nothing happens any more', async (_when, before) => {
    peer.send = (type) => (type === 'never taken' ? new Promise(() => {}) : Promise.resolve());
    await before();
    const { length } = peer.log;
    peer.pump.close();
    expect(peer.clock.timers).toBe(0);
    peer.change('c');
    peer.answer();
    await peer.clock.run(1_000_000);
    expect(peer.log).toHaveLength(length);
    expect(peer.clock.timers).toBe(0);
  });

  test('with a response on the wire keeps the rest of the burst back', async () => {
    const slow = gate();
    peer.send = () => slow.promise;
    peer.change('a', 'b');
    peer.pump.close();
    slow.open();
    await peer.clock.run(1_000_000);
    expect(peer.log).toEqual(['0 a']);
    expect(peer.clock.timers).toBe(0);
  });
});

test('whatever the peer does: one burst in flight, gaps kept, nothing lost', async () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('change' as const), type: fc.constantFrom('a', 'b', 'c') }),
    fc.record({ do: fc.constantFrom('answer' as const, 'take' as const) }),
    fc.record({ do: fc.constant('wait' as const), ms: fc.nat(300) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
      const own = new Peer();
      const wire: (() => void)[] = [];
      let lastTaken = Number.NEGATIVE_INFINITY;
      own.send = () =>
        new Promise((resolve) => {
          wire.push(resolve);
        });
      const take = () => {
        const done = wire.pop();
        if (done === undefined) return;
        lastTaken = own.clock.now();
        done();
      };
      own.onBurst = () => {
        expect(own.owed, 'a burst while answers are owed').toBe(0);
        expect(wire, 'a burst while another one is on the wire').toEqual([]);
        expect(own.clock.now() - lastTaken, 'the gap').toBeGreaterThanOrEqual(250);
      };
      for (const one of steps) {
        if (one.do === 'change') own.change(one.type);
        else if (one.do === 'wait') await own.clock.run(one.ms);
        else if (one.do === 'take') take();
        // Only what was taken can be answered.
        else if (own.owed > wire.length) own.answer(1);
        await settle();
        expect(wire.length, 'responses on the wire').toBeLessThanOrEqual(1);
      }
      for (let i = 0; i < 10; i++) {
        take();
        await own.clock.run(300);
        own.answer(own.owed - wire.length);
      }
      expect([...own.due], 'something was lost').toEqual([]);
      expect(own.log.filter((line) => line.includes('gave up'))).toEqual([]);
    }),
    { numRuns: 300 },
  );
});

test('the defaults are those of the design', () => {
  expect(defaultPump).toEqual(options);
});
