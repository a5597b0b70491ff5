import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/model/kinds.ts';
import { canonicalise, type Shape } from '../../../src/wire/canonical.ts';
import { bodies } from '../../../src/wire/root.ts';
import { shapes } from '../../../src/wire/shapes.ts';
import { field, number } from './fields.ts';

type Type = ReturnType<ReturnType<typeof bodies>['lookupType']>;

type MapField = { readonly path: string; readonly name: string; readonly key: string };
type Bodies = Readonly<Record<string, readonly MapField[]>>;

const fixture = JSON.parse(readFileSync(new URL('./fixtures/map-fields.json', import.meta.url), 'utf8')) as {
  readonly current: Bodies;
  readonly dropped: Bodies;
};
const known = kinds.map((kind) => kind.body);
/** TrafficExtension came with Istio 1.30. */
const inGo = known.filter((body) => body in fixture.current);
const mapsOf = (body: string) => [...(fixture.current[body] ?? []), ...(fixture.dropped[body] ?? [])];

/** Paths of the maps in a shape; a message inside itself is not entered again, as in the fixture. */
function pathsOf(shape: Shape, path: readonly number[] = [], above: readonly Shape[] = []): string[] {
  if (above.includes(shape)) return [];
  return Object.entries(shape).flatMap(([id, rule]) => {
    const here = [...path, Number(id)];
    const deeper = (at: readonly number[]) =>
      rule.shape === undefined ? [] : pathsOf(rule.shape, at, [...above, shape]);
    return rule.map ? [here.join('.'), ...deeper([...here, 2])] : deeper(here);
  });
}

/** Paths of the maps in a message, and whether their keys are numbers; a message inside itself is not entered again. */
function mapsIn(type: Type, path: readonly number[] = [], above: readonly Type[] = []): [string, boolean][] {
  if (above.includes(type)) return [];
  return type.fieldsArray.flatMap((one) => {
    const { id, map, resolvedType } = one.resolve();
    const here = [...path, id];
    const deeper = (at: readonly number[]) =>
      resolvedType !== null && 'fieldsArray' in resolvedType ? mapsIn(resolvedType, at, [...above, type]) : [];
    if (!map) return deeper(here);
    const { keyType } = one as unknown as { keyType: string };
    return [[here.join('.'), keyType !== 'string'] as [string, boolean], ...deeper([...here, 2])];
  });
}

/** The rule of a shape at the path of a map. */
function ruleAt(shape: Shape | undefined, path: string): Shape[number] | undefined {
  let at = shape;
  let rule: Shape[number] | undefined;
  for (const id of path.split('.').map(Number)) {
    // What is in a map's entry is its key and its value.
    if (rule?.map && id === 2) continue;
    rule = at?.[id];
    at = rule?.shape;
  }
  return rule;
}

test('every kind has a shape', () => {
  expect(Object.keys(shapes).sort()).toEqual(known.toSorted());
});

describe.each(known)('%s', (body) => {
  test('the maps of its shape are those of its .proto file, keys that are numbers included', () => {
    const maps = mapsIn(bodies().lookupType(body));
    expect(pathsOf(shapes[body] as Shape).sort()).toEqual(maps.map(([path]) => path).sort());
    for (const [path] of maps) expect(ruleAt(shapes[body], path)).toMatchObject({ map: true });
    const numbers = maps.filter(([path]) => ruleAt(shapes[body], path)?.numberKeys === true);
    expect(numbers).toEqual(maps.filter(([, numberKeys]) => numberKeys));
  });
});

describe.each(inGo)('%s', (body) => {
  test('the maps of its shape are those of the contract: none is missing, and no list is taken for one', () => {
    expect(pathsOf(shapes[body] as Shape).sort()).toEqual(
      mapsOf(body)
        .map((map) => map.path)
        .sort(),
    );
  });

  test.each(mapsOf(body))('$name ($path): the order in which a server writes the entries does not count', (map) => {
    const ids = map.path.split('.').map(Number);
    const id = ids.pop() as number;
    // The value is text, and a message of any kind as well.
    const entries = ['b', 'a', 'bb', 'c', ''].map((key, i) =>
      field(id, map.key === 'uint32' ? number(1, (7 * i + 3) % 5) : field(1, key), field(2, field(3, `${i}`))),
    );
    const canonical = (...order: readonly number[]) => {
      const inner = Buffer.concat([
        field(99, 'before'),
        ...order.map((i) => entries[i] as Buffer),
        field(99, 'behind'),
      ]);
      const bytes = ids.reduceRight((content, outer) => Buffer.concat([field(98, 'x'), field(outer, content)]), inner);
      canonicalise(bytes, 0, bytes.length, shapes[body] as Shape);
      return bytes;
    };
    const first = canonical(0, 1, 2, 3, 4);
    expect(canonical(4, 2, 3, 1, 0)).toEqual(first);
    expect(canonical(1, 0, 4, 3, 2)).toEqual(first);
    expect(canonical(1, 0, 4, 3)).not.toEqual(first);
  });
});
