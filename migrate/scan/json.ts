import { isRecord } from '../../src/model/record.ts';

/** Parts of a YAML value that may be anything: what is not of the wanted shape reads as nothing. */
export type Json = Readonly<Record<string, unknown>>;

/** The value as a map; an empty one where it is none. */
export function mapOf(value: unknown): Json {
  return isRecord(value) ? value : {};
}

/** The value as a list; an empty one where it is none. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text, and numbers and booleans as text (`--set` and YAML turn one into the other); undefined for the rest. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** The part of a map whose values are texts, such as labels. */
export function textsOf(value: unknown): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(mapOf(value)).flatMap(([key, one]) => {
      const text = textOf(one);
      return text === undefined ? [] : [[key, text]];
    }),
  );
}

/** The value at a path of names; undefined where something on the way is missing. */
export function valueAt(value: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((at, step) => (Object.hasOwn(mapOf(at), step) ? mapOf(at)[step] : undefined), value);
}
