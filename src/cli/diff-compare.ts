import { isRecord } from '../model/record.ts';
import { isDeepStrictEqual } from 'node:util';
import { type Path, pathText } from '../schema/problem.ts';

/** A resource as far as its side can tell. What is undefined is not known, and not compared. */
export type ItemView = {
  readonly labels: Readonly<Record<string, string>> | undefined;
  readonly annotations: Readonly<Record<string, string>> | undefined;
  readonly createTime: string | undefined;
  /** The body as people write it; undefined where its kind can't be read. */
  readonly spec: unknown;
  /** The body as it came. */
  readonly body: Buffer | undefined;
  /** True where the body has parts that `spec` does not show. */
  readonly isPartial: boolean;
};

/** One resource of a side. */
export type Item = {
  /** `namespace/name`. */
  readonly key: string;
  /** Hash of name, labels, annotations and body, as Isthmus makes it for a version: equal ones are equal. */
  readonly content: string;
  /** As served; undefined where the side has none. */
  readonly version: string | undefined;
  /** Bytes in a response. */
  readonly bytes: number;
  /** Asked only for what differs; may cost a request. */
  readonly view: () => Promise<ItemView>;
};

/** One value that differs; a side without it has no such property. */
export type FieldChange = { readonly path: string; readonly a?: unknown; readonly b?: unknown };

export type Difference = {
  readonly kind: string;
  /** `namespace/name`. */
  readonly name: string;
  readonly in: 'A' | 'B' | 'both';
  /** Which of `spec`, `labels`, `annotations`, `version`, `createTime` differ; `body`: it does, and can't be read. */
  readonly differs: readonly string[];
  readonly versions: { readonly a?: string; readonly b?: string };
  readonly bytes: { readonly a?: number; readonly b?: number };
  readonly fields: readonly FieldChange[];
};

/** Resources that are compared at once: each may be a request to a bridge. */
const atOnce = 16;

/**
 * Compares one kind of two sides. Equal are resources of the same labels, annotations and body, whatever their version
 * and create time are: those differ between servers by their nature. `strict` compares these too, where both have them.
 *
 * @returns the differences by name, and how many are equal.
 */
export async function compareItems(
  kind: string,
  a: readonly Item[],
  b: readonly Item[],
  strict: boolean,
): Promise<{ differences: Difference[]; equal: number }> {
  const left = new Map(a.map((item) => [item.key, item]));
  const right = new Map(b.map((item) => [item.key, item]));
  const keys = [...new Set([...left.keys(), ...right.keys()])].sort();
  const differences: Difference[] = [];
  const unequal: { key: string; one: Item; other: Item }[] = [];
  let equal = 0;
  for (const key of keys) {
    const one = left.get(key);
    const other = right.get(key);
    if (one === undefined || other === undefined) differences.push(alone(kind, key, one, other));
    else if (one.content === other.content && !strict) equal++;
    else unequal.push({ key, one, other });
  }
  for (let i = 0; i < unequal.length; i += atOnce) {
    const found = await Promise.all(
      unequal.slice(i, i + atOnce).map(({ key, one, other }) => comparePair(kind, key, one, other, strict)),
    );
    for (const difference of found) {
      if (difference === undefined) equal++;
      else differences.push(difference);
    }
  }
  return { differences: differences.sort((x, y) => (x.name < y.name ? -1 : 1)), equal };
}

function alone(kind: string, name: string, a: Item | undefined, b: Item | undefined): Difference {
  return { kind, name, in: a === undefined ? 'B' : 'A', differs: [], fields: [], ...figuresOf(a, b) };
}

/** Versions and sizes, of the sides that have them. */
function figuresOf(a: Item | undefined, b: Item | undefined): Pick<Difference, 'versions' | 'bytes'> {
  const of = <T>(name: 'a' | 'b', value: T | undefined) => (value === undefined ? {} : { [name]: value });
  return {
    versions: { ...of('a', a?.version), ...of('b', b?.version) },
    bytes: { ...of('a', a?.bytes), ...of('b', b?.bytes) },
  };
}

async function comparePair(
  kind: string,
  name: string,
  a: Item,
  b: Item,
  strict: boolean,
): Promise<Difference | undefined> {
  const differs: string[] = [];
  const fields: FieldChange[] = [];
  const note = (part: string, changes: readonly FieldChange[]) => {
    if (changes.length > 0) differs.push(part);
    fields.push(...changes);
  };
  if (strict && a.version !== undefined && b.version !== undefined && a.version !== b.version) {
    note('version', [{ path: 'version', a: a.version, b: b.version }]);
  }
  if (strict || a.content !== b.content) {
    const [one, other] = await Promise.all([a.view(), b.view()]);
    if (strict && one.createTime !== undefined && other.createTime !== undefined) {
      note('createTime', diffJson(one.createTime, other.createTime, ['metadata', 'creationTimestamp']));
    }
    if (a.content !== b.content) compareContent(one, other, note);
  }
  return differs.length === 0 ? undefined : { kind, name, in: 'both', differs, fields, ...figuresOf(a, b) };
}

function compareContent(a: ItemView, b: ItemView, note: (part: string, changes: readonly FieldChange[]) => void): void {
  let isExplained = false;
  const compare = (part: 'labels' | 'annotations', path: Path) => {
    const [one, other] = [a[part], b[part]];
    if (one === undefined || other === undefined) return;
    const changes = diffJson(one, other, path);
    isExplained ||= changes.length > 0;
    note(part, changes);
  };
  compare('labels', ['metadata', 'labels']);
  compare('annotations', ['metadata', 'annotations']);
  if (a.spec !== undefined && b.spec !== undefined) {
    const changes = diffJson(a.spec, b.spec, ['spec']);
    note('spec', changes);
    // Bytes may say the same in several ways. Where all that differs lies in what nobody can read, it still differs.
    const isHidden = changes.length === 0 && !isExplained && (a.isPartial || b.isPartial);
    if (isHidden) note('body', [{ path: 'spec', a: '(fields that Isthmus does not know)', b: '(others)' }]);
    return;
  }
  if (a.body !== undefined && b.body !== undefined) {
    if (!a.body.equals(b.body)) note('body', [{ path: 'spec', ...sizesOf(a.body.length, b.body.length) }]);
  } else if (!isExplained) note('body', [{ path: 'spec', ...sizesOf(a.body?.length, b.body?.length) }]);
}

function sizesOf(a: number | undefined, b: number | undefined): Pick<FieldChange, 'a' | 'b'> {
  const text = (bytes: number | undefined) => (bytes === undefined ? '(another content)' : `(${bytes} bytes)`);
  return { a: text(a), b: text(b) };
}

/** One value that differs, by its path; a side without it has no such property. */
export type ValueChange = { readonly at: Path; readonly a?: unknown; readonly b?: unknown };

/** {@link changesOf}, with paths as people write them. */
export function diffJson(a: unknown, b: unknown, path: Path = []): FieldChange[] {
  return changesOf(a, b, path).map(({ at, ...values }) => ({ path: pathText(at), ...values }));
}

/**
 * Where two JSON values differ. Lists are compared from both ends, so that what was put in or taken out in one place
 * does not make all behind it differ.
 */
export function changesOf(a: unknown, b: unknown, path: Path): ValueChange[] {
  if (isDeepStrictEqual(a, b)) return [];
  if (Array.isArray(a) && Array.isArray(b)) return changesOfLists(a, b, path);
  if (isRecord(a) && isRecord(b)) {
    const names = [...new Set([...Object.keys(a), ...Object.keys(b)])];
    return names.flatMap((name) => {
      const at = [...path, name];
      if (!Object.hasOwn(b, name)) return [{ at, a: a[name] }];
      if (!Object.hasOwn(a, name)) return [{ at, b: b[name] }];
      return changesOf(a[name], b[name], at);
    });
  }
  return [{ at: path, a, b }];
}

function changesOfLists(a: readonly unknown[], b: readonly unknown[], path: Path): ValueChange[] {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && isDeepStrictEqual(a[start], b[start])) start++;
  let end = 0;
  while (end < shorter - start && isDeepStrictEqual(a.at(-1 - end), b.at(-1 - end))) end++;
  const changes: ValueChange[] = [];
  for (let i = start; i < Math.max(a.length, b.length) - end; i++) {
    const at = [...path, i];
    if (i >= b.length - end) changes.push({ at, a: a[i] });
    else if (i >= a.length - end) changes.push({ at, b: b[i] });
    else changes.push(...changesOf(a[i], b[i], at));
  }
  return changes;
}
