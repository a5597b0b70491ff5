import { isRecord } from '../../src/model/record.ts';
import { isDeepStrictEqual } from 'node:util';
import { proposals } from './edit.ts';
import type { FoundFile, MeshPlace } from './find.ts';
import { isResult, type Plan, planSources, type Remark, type Wish } from './plan.ts';
import type { Path } from '../../src/schema/problem.ts';
import { Refusal } from './refusal.ts';
import { applySplices, inOrder, type Splice } from './splice.ts';

/** What became of a file. */
export type Patched = {
  readonly text: string;
  /** In the order of the file; empty where nothing had to change. */
  readonly edits: readonly Splice[];
  readonly plan: Plan;
};

/** An edit that cannot be made; the plan says what to do by hand. */
export type Refused = { readonly refused: Refusal; readonly plan: Plan };

/**
 * Edits `configSources` of one mesh config of a file, and nothing else: the result was read again, and says what it said before but for
 * the list.
 */
export function patchText(found: FoundFile, place: MeshPlace, wish: Wish): Patched | Refused {
  const raw = place.sourcesKey === undefined ? [] : place.mesh[place.sourcesKey];
  const sources = planSources(place.configSources, Array.isArray(raw) ? raw : [], wish);
  const plan = { ...sources, remarks: [...sources.remarks, ...besideTheList(place)] };
  try {
    refuseUnclear(found, place);
    if (plan.steps.length === 0) return { text: found.text, edits: [], plan };
    return { ...editText(found, place, plan), plan };
  } catch (error) {
    if (error instanceof Refusal) return { refused: error, plan };
    throw error;
  }
}

/** What is left to do in the mesh config that is not of the list: the default of 1.1 keeps 1.16.5 and 1.24.0 from starting. */
function besideTheList({ mesh }: MeshPlace): Remark[] {
  if (mesh['trustDomain'] !== '' && mesh['trust_domain'] !== '') return [];
  const text = 'trustDomain is "", and istiod does not start with that: write cluster.local, or take it out';
  return [{ severity: 'warning', text }];
}

function refuseUnclear({ text }: FoundFile, place: MeshPlace): void {
  const { layer, root } = place.text;
  if (!layer.exact && root !== null)
    throw new Refusal('the text of the mesh config is too entangled to edit', layer.start);
  const { start, end } = regionOf(place);
  const template = text.slice(start, end).indexOf('{{');
  if (template >= 0)
    throw new Refusal('the mesh config is a template: render it first (helm template …)', start + template);
  if ('configSources' in place.mesh && 'config_sources' in place.mesh) {
    throw new Refusal(
      'configSources stands there twice, in its two spellings',
      place.locate(['config_sources'], true).offset,
    );
  }
  for (const { form, index, address } of place.configSources) {
    if (form !== 'malformed' && form !== 'template') continue;
    const why =
      form === 'template'
        ? `the address "${address}" is a template: fill it in first`
        : `istiod does not start with the address "${address}": mend it, or take it out`;
    throw new Refusal(why, place.locate([place.sourcesKey ?? '', index, 'address']).offset);
  }
}

function editText(found: FoundFile, place: MeshPlace, plan: Plan): { text: string; edits: Splice[] } {
  const { layer } = place.text;
  for (const splices of proposals(place, plan)) {
    const edits: Splice[] = [];
    for (const { start, end, text } of splices) {
      const edit = layer.replace(start, end, text);
      if (edit !== undefined) edits.push(edit);
    }
    if (edits.length < splices.length) continue;
    const text = tryApply(found.text, edits);
    if (text !== undefined && saysPlan(found, place, plan, text)) return { text, edits: inOrder(edits) };
  }
  throw new Refusal(
    `the edit can't be made in ${styleNames[layer.style]} without a change to something else`,
    layer.start,
  );
}

const styleNames = {
  file: 'this text',
  literal: 'a block text (|)',
  folded: 'a folded text (>)',
  double: 'a text in double quotes',
  single: 'a text in single quotes',
  plain: 'a text without quotes',
} as const;

function tryApply(text: string, edits: readonly Splice[]): string | undefined {
  try {
    return applySplices(text, edits);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Reads the new text, and compares all that it says with what it should. */
function saysPlan(before: FoundFile, place: MeshPlace, plan: Plan, text: string): boolean {
  const after = before.withText(text);
  const index = before.meshes.indexOf(place);
  const now = after.meshes[index];
  if (now === undefined || after.meshes.length !== before.meshes.length) return false;
  if (after.problems.length !== before.problems.length || after.documents.length !== before.documents.length)
    return false;
  const key = place.sourcesKey ?? 'configSources';
  if (!isResult(now.mesh[key], plan) || !isDeepStrictEqual(omit(now.mesh, key), omit(place.mesh, key))) return false;
  return before.documents.every(({ number, value }, at) => {
    const other = after.documents[at]?.value;
    if (number !== place.document) return isDeepStrictEqual(value, other);
    return isDeepStrictEqual(withoutAt(value, place.path), withoutAt(other, place.path));
  });
}

function omit(fields: Readonly<Record<string, unknown>>, key: string): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => name !== key));
}

/** A copy of a value with nothing at the path. */
function withoutAt(value: unknown, path: Path): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return undefined;
  if (Array.isArray(value)) return value.map((item: unknown, index) => (index === step ? withoutAt(item, rest) : item));
  if (!isRecord(value)) return value;
  return { ...value, [step]: withoutAt(value[step], rest) };
}

/** Where a mesh config stands in the file: the scalar that holds it, or its map; from its first character to its last. */
export function regionOf(place: MeshPlace): { start: number; end: number } {
  const { layer, root, base } = place.text;
  if (layer.style !== 'file') return { start: layer.start, end: layer.end };
  const range = root?.range;
  return range ? { start: base + range[0], end: base + range[1] } : { start: base, end: base };
}
