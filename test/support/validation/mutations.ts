import type { Random } from '../istiod/random.ts';

type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
type JsonObject = { readonly [name: string]: Json };

const isObject = (json: Json): json is JsonObject => typeof json === 'object' && json !== null && !Array.isArray(json);

/** What is on one side of a rule or the other, whatever the field is. */
const numbers = [-1, 0, 1, 50, 100, 101, 199, 200, 300, 600, 65_535, 65_536];
const texts = [
  '',
  'a b',
  ...'* . ~ a a. A shop mesh http HTTP TCP TLS v1 80 0 -1 a|b host :path % %% %A% ( ) [ \\ \\1 (?=a)'.split(' '),
  ...'a.com *.com *a.com a.* shop/a shop/* ./* */* /a a/ a/b/c ~/* ~shop/* outbound_.80_._.a.com'.split(' '),
  ...'10.0.0.1 10.0.0.0/8 10.0.0.0/33 10.0.0.1:80 ::1 ::ffff:1.2.3.4 fe80::1%a ::1/64 1::2::3'.split(' '),
  ...'unix:///a unix:// unix://@ unix://a 127.0.0.1:80 :80 [::1]:80 0s 1s 0.001s 0.0005s -1s 1.5s'.split(' '),
];

/** All objects and lists of a kind's specs, by what they stand for: material to put into others. */
export type Pantry = ReadonlyMap<string, readonly Json[]>;

/** `specs` are JSON. Fields of the same name count as the same, wherever they are. */
export function pantryOf(specs: readonly object[]): Pantry {
  const pantry = new Map<string, Json[]>();
  const visit = (json: Json): void => {
    if (Array.isArray(json)) for (const item of json as readonly Json[]) visit(item);
    else if (isObject(json)) {
      for (const [name, value] of Object.entries(json)) {
        pantry.set(name, [...(pantry.get(name) ?? []), value]);
        visit(value);
      }
    }
  };
  for (const spec of specs) visit(spec as JsonObject);
  return pantry;
}

/** `spec` with something in it changed, which may well make no resource of it. */
export function mutated(random: Random, spec: object, pantry: Pantry): object {
  let json = spec as Json;
  for (let left = 1 + random.below(3); left > 0; left--) json = mutate(random, json, pantry, 'spec');
  return json as object;
}

function mutate(random: Random, json: Json, pantry: Pantry, name: string): Json {
  if (Array.isArray(json)) return mutateList(random, json as readonly Json[], pantry, name);
  if (isObject(json)) return mutateObject(random, json, pantry);
  const others = pantry.get(name) ?? [];
  if (others.length > 0 && random.chance(0.3)) return random.pick(others);
  if (typeof json === 'number') return random.pick(numbers);
  if (typeof json === 'string') return random.chance(0.2) ? edited(random, json) : random.pick(texts);
  return typeof json === 'boolean' ? !json : json;
}

function mutateList(random: Random, list: readonly Json[], pantry: Pantry, name: string): Json {
  const at = random.below(list.length);
  const item = list[at];
  if (item === undefined) return random.pick(pantry.get(name) ?? [list]);
  const choice = random.below(10);
  if (choice === 0) return list.filter((_, index) => index !== at);
  if (choice === 1) return [...list, item];
  if (choice === 2) return list.toReversed();
  return list.map((other, index) => (index === at ? mutate(random, other, pantry, name) : other));
}

function mutateObject(random: Random, object: JsonObject, pantry: Pantry): Json {
  const names = Object.keys(object);
  const choice = random.below(10);
  if (names.length === 0 || choice === 0) {
    const name = random.pick([...pantry.keys()]);
    return { ...object, [name]: random.pick(pantry.get(name) ?? [null]) };
  }
  const name = random.pick(names);
  const { [name]: value = null, ...rest } = object;
  if (choice === 1) return rest;
  if (choice === 2) return { ...rest, [random.pick(texts)]: value };
  return { ...object, [name]: mutate(random, value, pantry, name) };
}

const edits = ['*', '.', '/', '-', '_', '%', ':', '(', '0', 'A', 'é', ' '];

/** One character taken out, doubled or replaced. */
function edited(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const rest = text.slice(at + 1);
  return `${text.slice(0, at)}${random.pick(['', `${text[at] ?? ''}${text[at] ?? ''}`, ...edits])}${rest}`;
}
