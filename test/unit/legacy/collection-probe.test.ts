import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CollectionProbe, refusalTtlMs } from '../../../src/legacy/collection-probe.ts';

const invalidArgument = 3;
const unavailable = 14;
const named = (collection: string) => `unsupported collection "${collection}"`;

/** A source with its habits, and how many streams a probe took to understand it. */
class Source {
  streams = 0;
  readonly #known: ReadonlySet<string>;
  readonly #says: (collection: string) => string;

  constructor(known: Iterable<string>, says: (collection: string) => string) {
    this.#known = new Set(known);
    this.#says = says;
  }

  /** Opens streams as the probe wants them; returns false where the source has refused everything. */
  understood(probe: CollectionProbe, now = 0): boolean {
    for (;;) {
      this.streams++;
      if (this.streams > 1000) throw new Error('the probe never ends');
      const culprit = probe.asked.find((collection) => !this.#known.has(collection));
      if (culprit === undefined) {
        if (!probe.survived()) return true;
      } else if (!probe.ended(invalidArgument, this.#says(culprit), now)) return false;
    }
  }
}

const refusedBy = (probe: CollectionProbe) => [...probe.refused.keys()].toSorted();

describe('a refusal by name', () => {
  test.each([
    'unsupported collection "b"',
    'unsupported collection: b',
    "rpc error: Unsupported Collection 'b', known are [a]",
  ])('(%s) takes just that collection out', (details) => {
    const probe = new CollectionProbe(['a', 'b', 'c'], new Map(), 0);
    expect(probe.ended(2, details, 5)).toBe(true);
    expect(probe.asked).toEqual(['a', 'c']);
    probe.answered();
    expect(probe.refused).toEqual(new Map([['b', 5]]));
  });

  test('may name the type of its bodies, as the server of Istio 1.0 does', () => {
    const [gateways, filters] = ['gateways', 'envoyfilters'].map((plural) => `istio/networking/v1alpha3/${plural}`);
    const probe = new CollectionProbe([gateways ?? '', filters ?? ''], new Map(), 0);
    const type = 'type.googleapis.com/istio.networking.v1alpha3.EnvoyFilter';
    expect(probe.ended(2, `unsupported type_url "${type}"`, 5)).toBe(true);
    expect(probe.asked).toEqual([gateways]);
  });

  test('of something that was not asked for is as good as none', () => {
    const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
    expect(probe.ended(invalidArgument, named('c'), 0)).toBe(true);
    expect(probe.asked).toEqual(['a']);
    expect(probe.ended(unavailable, named('c'), 0)).toBe(false);
  });
});

describe('a refusal that names nothing', () => {
  test('is looked for by halving, and what is not refused is kept', () => {
    const probe = new CollectionProbe(['a', 'b', 'c', 'd'], new Map(), 0);
    const asked = [probe.asked];
    for (const step of ['ended', 'survived', 'ended', 'ended', 'survived'] as const) {
      if (step === 'ended') probe.ended(invalidArgument, 'bad', 0);
      else probe.survived();
      asked.push(probe.asked);
    }
    expect(asked).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'b'],
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c'],
      ['a', 'b', 'd'],
      ['a', 'b', 'd'],
    ]);
    expect(refusedBy(probe)).toEqual(['c']);
  });

  test('of a collection that was served before is found too', () => {
    const wanted = ['a', 'b', 'c', 'd', 'e'];
    const probe = new CollectionProbe(wanted, new Map(), 0);
    expect(new Source(wanted, () => '').understood(probe)).toBe(true);
    expect(new Source(['a', 'b', 'e'], () => '').understood(probe, 7)).toBe(true);
    expect([probe.asked.toSorted(), refusedBy(probe)]).toEqual([
      ['a', 'b', 'e'],
      ['c', 'd'],
    ]);
  });
});

describe('an end that is no refusal', () => {
  test.each([0, 1, 8, 12, 13, unavailable])('(code %i) changes nothing', (code) => {
    const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
    expect(probe.ended(code, 'the server is shutting down', 0)).toBe(false);
    expect(probe.asked).toEqual(['a', 'b']);
  });

  test('without a name, of a stream on which it has answered all, is about something else', () => {
    const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
    const answered = new Set(['a', 'b']);
    expect(probe.ended(invalidArgument, 'I do not like this ACK', 0, answered)).toBe(false);
    expect(probe.asked).toEqual(['a', 'b']);
    expect(probe.ended(invalidArgument, named('b'), 0, answered)).toBe(true);
    expect(probe.asked).toEqual(['a']);
  });

  test('in the middle of halving asks the same question again', () => {
    const probe = new CollectionProbe(['a', 'b', 'c'], new Map(), 0);
    probe.ended(invalidArgument, '', 0);
    const { asked } = probe;
    expect(probe.ended(unavailable, '', 0)).toBe(false);
    expect(probe.asked).toEqual(asked);
  });
});

describe('a source that refuses everything', () => {
  test.each([
    ['by name', named],
    ['without naming', () => ''],
  ])('%s has another problem: nothing is refused, and all is asked for again', (_how, says) => {
    const wanted = ['a', 'b', 'c'];
    const probe = new CollectionProbe(wanted, new Map(), 0);
    const source = new Source([], says);
    expect(source.understood(probe)).toBe(false);
    expect(source.streams).toBeLessThan(2 * wanted.length);
    expect([probe.asked, refusedBy(probe), probe.served]).toEqual([wanted, [], false]);
  });

  test('takes back what it refused while it served something', () => {
    const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
    expect(new Source(['a'], named).understood(probe)).toBe(true);
    expect(refusedBy(probe)).toEqual(['b']);
    expect(new Source([], named).understood(probe)).toBe(false);
    expect([probe.asked, refusedBy(probe)]).toEqual([['a', 'b'], []]);
  });
});

test('no refusal counts before the source has served something', () => {
  const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
  probe.ended(invalidArgument, named('b'), 0);
  expect([probe.served, refusedBy(probe)]).toEqual([false, []]);
  probe.answered();
  expect([probe.served, refusedBy(probe)]).toEqual([true, ['b']]);
});

describe('remembered refusals', () => {
  const now = 10 * refusalTtlMs;

  test('are not asked for within a day, nor is what is not wanted any more', () => {
    const remembered = new Map([
      ['a', now - refusalTtlMs + 1],
      ['b', now - refusalTtlMs],
      ['unwanted', now],
    ]);
    const probe = new CollectionProbe(['a', 'b', 'c'], remembered, now);
    expect(probe.asked).toEqual(['b', 'c']);
    probe.answered();
    expect(refusedBy(probe)).toEqual(['a']);
  });

  test('of all that is wanted now do not count: there would be nothing left to ask for', () => {
    const remembered = new Map([
      ['a', now],
      ['b', now],
    ]);
    expect(new CollectionProbe(['a'], remembered, now).asked).toEqual(['a']);
    expect(new CollectionProbe(['a', 'b'], remembered, now).asked).toEqual(['a', 'b']);
  });

  test('are asked for again a day later, beside what is served; and refused again, or taken', () => {
    const probe = new CollectionProbe(['a', 'b', 'c'], new Map(), now);
    new Source(['a'], named).understood(probe, now);
    expect(probe.forgetOldRefusals(now + refusalTtlMs - 1)).toBe(false);
    expect(probe.asked).toEqual(['a']);
    const later = now + refusalTtlMs;
    expect(probe.forgetOldRefusals(later)).toBe(true);
    expect(probe.asked).toEqual(['a', 'b', 'c']);
    expect(new Source(['a', 'c'], () => '').understood(probe, later)).toBe(true);
    expect(probe.asked).toEqual(['a', 'c']);
    expect(probe.refused).toEqual(new Map([['b', later]]));
  });
});

describe('what nobody needs', () => {
  const wanted = ['a', 'b', 'c'];
  const later = ['x', 'y', 'z'];

  test.each([
    ['by name', named],
    ['without naming', () => ''],
  ])('is asked for once the rest is known; refused %s, it takes nothing with it', (_how, says) => {
    const probe = new CollectionProbe(wanted, new Map(), 0, later);
    expect(probe.asked).toEqual(wanted);
    const asked: string[][] = [];
    const source = new Source(['a', 'c', 'y'], says);
    expect(source.understood(probe)).toBe(true);
    asked.push([...probe.asked].toSorted(), refusedBy(probe));
    expect(asked).toEqual([
      ['a', 'c', 'y'],
      ['b', 'x', 'z'],
    ]);
  });

  test('is not asked for again where it was refused, however long ago', () => {
    const now = 10 * refusalTtlMs;
    const probe = new CollectionProbe(wanted, new Map([['x', 0]]), now, later);
    expect(new Source([...wanted, ...later], named).understood(probe, now)).toBe(true);
    expect([probe.asked, refusedBy(probe)]).toEqual([[...wanted, 'y', 'z'], ['x']]);
    expect(probe.forgetOldRefusals(2 * now)).toBe(false);
  });

  test('is no proof that a source serves anything', () => {
    const probe = new CollectionProbe(wanted, new Map(), 0, later);
    expect(new Source(later, named).understood(probe)).toBe(false);
    expect([probe.asked, refusedBy(probe), probe.served]).toEqual([wanted, [], false]);
  });
});

test('whatever a source knows, and whether it names what it refuses or not: what it knows is asked for, no more', () => {
  const wanted = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'];
  const some = fc.uniqueArray(fc.constantFrom(...wanted));
  fc.assert(
    fc.property(
      some.filter(({ length }) => length > 0),
      some,
      fc.func(fc.boolean()),
      (known, knownLater, names) => {
        const says = (collection: string) => (names(collection) ? named(collection) : 'invalid argument');
        const probe = new CollectionProbe(wanted, new Map(), 0);
        const source = new Source(known, says);
        expect(source.understood(probe)).toBe(true);
        expect(probe.asked.toSorted()).toEqual(known.toSorted());
        expect(refusedBy(probe)).toEqual(wanted.filter((collection) => !known.includes(collection)));
        expect(source.streams).toBeLessThanOrEqual(2 * wanted.length);

        // A day later it knows others.
        probe.forgetOldRefusals(refusalTtlMs);
        const later = new Source([...known, ...knownLater], says);
        expect(later.understood(probe, refusalTtlMs)).toBe(true);
        expect(probe.asked.toSorted()).toEqual([...new Set([...known, ...knownLater])].toSorted());
        expect(later.streams).toBeLessThanOrEqual(2 * wanted.length);
      },
    ),
    { numRuns: 500 },
  );
});

describe('a source that leaves its stream without a word', () => {
  const wanted = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k'];

  /** Opens streams until a source that knows these has stayed, having answered what `answers` says. Returns how many. */
  function streamsOf(
    probe: CollectionProbe,
    known: readonly string[],
    answers: (collection: string) => boolean,
  ): number {
    for (let streams = 1; streams <= 1000; streams++) {
      const culprit = probe.asked.findIndex((collection) => !known.includes(collection));
      if (culprit < 0) {
        probe.answered();
        if (!probe.survived()) return streams;
        continue;
      }
      const answered = new Set(probe.asked.slice(0, culprit).filter(answers));
      if (answered.size > 0) probe.answered();
      if (!probe.left(answered, 0)) throw new Error('it is given up');
    }
    throw new Error('the probe never ends');
  }

  test('over one collection: each half of the rest is asked for, and the last one twice', () => {
    const probe = new CollectionProbe(['a', 'b', 'c', 'd'], new Map(), 0);
    const asked: string[][] = [];
    const left = (...answered: string[]) => {
      asked.push([...probe.asked]);
      expect(probe.left(new Set(answered), 7)).toBe(true);
    };
    left('a');
    left('a');
    left('a');
    probe.survived();
    probe.answered();
    left('a', 'b');
    left('a', 'b');
    expect(asked).toEqual([
      ['a', 'b', 'c', 'd'],
      ['a', 'b', 'c'],
      ['a', 'b'],
      ['a', 'b', 'c'],
      ['a', 'b', 'c'],
    ]);
    expect(probe.refused).toEqual(new Map([['c', 7]]));
    expect(probe.asked).toEqual(['a', 'b', 'd']);
  });

  test('once over one collection, and not the second time, has left for another reason: nothing is refused', () => {
    const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
    expect(probe.left(new Set(['a']), 0)).toBe(true);
    probe.answered();
    expect(probe.survived()).toBe(false);
    expect(probe.left(new Set(['a']), 0)).toBe(true);
    expect([probe.asked, refusedBy(probe)]).toEqual([['a', 'b'], []]);
  });

  test('having answered everything has left for another reason', () => {
    const probe = new CollectionProbe(['a', 'b'], new Map(), 0);
    expect(probe.left(new Set(['a', 'b']), 0)).toBe(false);
    expect([probe.asked, refusedBy(probe)]).toEqual([['a', 'b'], []]);
  });

  test('whatever it knows, and whatever it has answered before: what it knows is asked for, no more', () => {
    const some = fc.uniqueArray(fc.constantFrom(...wanted));
    fc.assert(
      fc.property(
        some.filter(({ length }) => length > 0),
        fc.func(fc.boolean()),
        (known, answers) => {
          const probe = new CollectionProbe(wanted, new Map(), 0);
          const streams = streamsOf(probe, known, answers);
          expect(probe.asked.toSorted()).toEqual(known.toSorted());
          expect(refusedBy(probe)).toEqual(wanted.filter((collection) => !known.includes(collection)));
          expect(streams).toBeLessThanOrEqual(4 * wanted.length);
        },
      ),
      { numRuns: 500 },
    );
  });
});
