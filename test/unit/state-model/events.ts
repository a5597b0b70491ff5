import * as fc from 'fast-check';
import type { Kind } from '../../../src/model/kinds.ts';
import { requireKind, serviceEntry, workloadEntry } from '../../support/resources.ts';
import type { Message } from './bridge.ts';
import { type Content, contents } from './content.ts';
import {
  type BadForm,
  badForms,
  type Dialect,
  type Item,
  type Name,
  names,
  type StrangeForm,
  strangeForms,
} from './item.ts';

/** Speaks for the whole mesh: a name without a namespace is not believed. */
const sidecar = requireKind('Sidecar');

export const kinds: readonly Kind[] = [serviceEntry, workloadEntry, sidecar];

/** Origins in order of precedence, with their kinds. The late one is added while the bridge runs. */
const first = { name: 'first', kinds };
const second = { name: 'second', kinds: [serviceEntry, sidecar] };
export const late = { name: 'late', kinds: [serviceEntry, workloadEntry] };

export type Origin = { readonly name: string; readonly kinds: readonly Kind[] };

/** What the configuration names. With one origin alone, resources are overwritten where they are. */
export const topology: fc.Arbitrary<readonly Origin[]> = fc.constantFrom([first], [first, second]);

/** Everything that ADR 1 speaks of. */
export type Event =
  | { readonly type: 'message'; readonly origin: string; readonly message: Message }
  /** One of the resources that the source has; all others are said again, or are not spoken of. */
  | {
      readonly type: 'resource changes';
      readonly origin: string;
      readonly kind: Kind;
      readonly place: number;
      readonly content: Content;
      readonly dialect: Dialect;
      readonly incremental: boolean;
      /** Time that passes afterwards. */
      readonly restMs: number;
    }
  /** Its bytes end too early. */
  | { readonly type: 'broken message'; readonly origin: string; readonly message: Message; readonly missing: number }
  | { readonly type: 'stranger collection'; readonly origin: string }
  | { readonly type: 'stream ends'; readonly origin: string }
  /** After the end of its stream, and perhaps of its process. */
  | {
      readonly type: 'source returns';
      readonly origin: string;
      readonly says: 'the same' | 'nothing';
      readonly turn: number;
    }
  /** About what the guard holds; it says the same again and stays, or goes away soon, or says nothing. */
  | { readonly type: 'source is asked again'; readonly origin: string; readonly andThen: 'stays' | 'goes' | 'is mute' }
  | {
      readonly type: 'counts as empty';
      readonly origin: string;
      readonly kind: Kind;
      readonly why: 'silent' | 'unsupported';
    }
  | { readonly type: 'operator releases'; readonly origin: string; readonly kind: Kind }
  | { readonly type: 'origin is added' }
  /** With its last-known-good files, or without. */
  | { readonly type: 'bridge restarts'; readonly remembers: boolean }
  | { readonly type: 'time passes'; readonly ms: number }
  | { readonly type: 'somebody looks'; readonly kind: Kind };

const name: fc.Arbitrary<Name> = fc.constantFrom(...names);
const content: fc.Arbitrary<Content> = fc.constantFrom(...contents);
/** Most changes in a service keep its length. */
const shortContent = fc.constantFrom(...contents.slice(0, 8));

export const dialect: fc.Arbitrary<Dialect> = fc.record({
  turn: fc.nat(5),
  time: fc.constantFrom('none', 'zero', '1970', 'some', 'invalid'),
  version: fc.constantFrom('', '7'),
  later: fc.boolean(),
  layout: fc.constantFrom('plain', 'body first', 'maps mixed'),
});

export const good: fc.Arbitrary<Item> = fc.record({ form: fc.constant('good' as const), name, content, dialect });
export const bad: fc.Arbitrary<Item> = fc.record({
  form: fc.constantFrom(...(Object.keys(badForms) as BadForm[])),
  name,
});
const stranger: fc.Arbitrary<Item> = fc.record({
  form: fc.constantFrom(...(Object.keys(strangeForms) as StrangeForm[])),
});

const items = fc.array(
  fc.oneof({ weight: 12, arbitrary: good }, { weight: 3, arbitrary: bad }, { weight: 1, arbitrary: stranger }),
  { maxLength: 6 },
);

export function messageOf(kind: fc.Arbitrary<Kind>): fc.Arbitrary<Message> {
  return fc.record({ kind, incremental: fc.boolean(), items, removed: fc.array(name, { maxLength: 3 }) });
}

export function eventOf(origins: readonly Origin[]): fc.Arbitrary<Event> {
  const origin = fc.constantFrom(...origins, late);
  const place = fc.constantFrom(
    ...[...origins, late].flatMap((one) => one.kinds.map((kind) => ({ origin: one.name, kind }))),
  );
  const nameOfOrigin = origin.map((one) => one.name);
  const message = place.chain(({ origin: of, kind }) =>
    fc.record({
      type: fc.constant('message' as const),
      origin: fc.constant(of),
      message: messageOf(fc.constant(kind)),
    }),
  );
  return fc.oneof(
    { weight: 20, arbitrary: message },
    {
      weight: 10,
      arbitrary: fc
        .tuple(
          place,
          fc.record({
            place: fc.nat(9),
            content: shortContent,
            dialect,
            incremental: fc.boolean(),
            restMs: fc.constantFrom(0, 5000),
          }),
        )
        .map(([one, how]) => ({ type: 'resource changes' as const, ...one, ...how })),
    },
    {
      weight: 1,
      arbitrary: fc
        .tuple(message, fc.integer({ min: 1, max: 20 }))
        .map(([one, missing]) => ({ ...one, type: 'broken message' as const, missing })),
    },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constantFrom('stranger collection', 'stream ends'), origin: nameOfOrigin }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        type: fc.constant('source returns' as const),
        origin: nameOfOrigin,
        says: fc.constantFrom('the same', 'the same', 'nothing'),
        turn: fc.nat(5),
      }),
    },
    {
      weight: 3,
      arbitrary: fc
        .tuple(place, fc.constantFrom('silent' as const, 'unsupported' as const))
        .map(([one, why]) => ({ type: 'counts as empty' as const, ...one, why })),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        type: fc.constant('source is asked again' as const),
        origin: nameOfOrigin,
        andThen: fc.constantFrom('stays', 'stays', 'goes', 'is mute'),
      }),
    },
    { weight: 1, arbitrary: place.map((one) => ({ type: 'operator releases' as const, ...one })) },
    { weight: 1, arbitrary: fc.constant({ type: 'origin is added' as const }) },
    {
      weight: 2,
      arbitrary: fc.record({ type: fc.constant('bridge restarts' as const), remembers: fc.boolean() }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        type: fc.constant('time passes' as const),
        ms: fc.constantFrom(0, 20, 49, 50, 300, 1000, 5000, 5000, 35_000),
      }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ type: fc.constant('somebody looks' as const), kind: fc.constantFrom(...kinds) }),
    },
  );
}

/** Every source says what it has, and all of it is sent. */
function beginning(origins: readonly Origin[]): fc.Arbitrary<Event[]> {
  const messages = origins.flatMap(({ name: origin, kinds: own }) =>
    own.map((kind) =>
      fc.array(good, { minLength: 1, maxLength: 4 }).map((said): Event => {
        return { type: 'message', origin, message: { kind, incremental: false, items: said, removed: [] } };
      }),
    ),
  );
  return fc.tuple(...messages).map((all) => [...all, { type: 'time passes', ms: 5000 }]);
}

/** The origins of a bridge, and what happens: from nothing on, or once all is well. */
export const life: fc.Arbitrary<{ readonly origins: readonly Origin[]; readonly events: readonly Event[] }> =
  topology.chain((origins) =>
    fc
      .tuple(
        fc.oneof(fc.constant<Event[]>([]), beginning(origins)),
        fc.array(eventOf(origins), { maxLength: 40, size: 'max' }),
      )
      .map(([before, events]) => withText({ origins, events: [...before, ...events] })),
  );

/** Shows itself without the details of kinds. */
export function withText<T extends object>(value: T): T {
  const text = () => JSON.stringify(value, (_field, part: unknown) => (isKind(part) ? part.kind : part), 1);
  return Object.defineProperty(value, fc.toStringMethod, { value: text });
}

function isKind(value: unknown): value is Kind {
  return kinds.some((kind) => kind === value);
}
