import type { Backup } from './backup.ts';
import { findMeshConfigs, findMeshText, type FoundFile, type MeshPlace } from './find.ts';
import { regionOf } from './patch-text.ts';
import { applySplices } from './splice.ts';

/** A file with its mesh config as it was. `kept` where something else in the file had changed, which stays. */
export type RolledBack = { readonly text: string; readonly kept: boolean };

/**
 * Why a file is not rolled back. `patched` and `now` are the mesh config as the patch left it, and as it is: they differ. Both are
 * undefined where there is none any more.
 */
export type NotRolledBack = {
  readonly reason: string;
  readonly patched: string | undefined;
  readonly now: string | undefined;
};

/**
 * Puts the mesh config of a file back that was changed elsewhere since the patch; one that was not is the original itself.
 * @param original text of the backup's original.
 */
export function rollBackText(backup: Backup, original: string, current: string): RolledBack | NotRolledBack {
  const { place, edits, file } = backup;
  const states = statesOf(backup, original);
  if (typeof states === 'string') return gone(states);
  const { after, was, patched } = states;
  const now = findMeshConfigs(file, current);
  const found = placeIn(now, place);
  if (found === undefined) {
    const [problem] = now.problems;
    const why = problem === undefined ? '' : ` (line ${problem.line}: ${problem.message})`;
    return gone(`there is no ${place.what} in it any more${why}`);
  }
  if (found.text.layer.style !== 'file' && textOf(found) === textOf(was)) return { text: current, kept: true };
  const hull = hullOf({ original, after, edits }, regionOf(was), regionOf(patched));
  const region = regionOf(found);
  const [start, end] = [region.start - hull.before, region.end + hull.behind];
  const is = start >= 0 ? current.slice(start, end) : current;
  if (is === hull.patched) return { text: current.slice(0, start) + hull.original + current.slice(end), kept: true };
  const moved = found.text.layer.style === 'file' ? undefined : sameTextElsewhere(now, found, patched, was);
  if (moved !== undefined) return { text: moved, kept: true };
  return { reason: 'its mesh config was changed since the patch', patched: hull.patched, now: is };
}

/** The mesh config before and after a patch; `object` is what it stands in. */
export type MeshTexts = {
  readonly was: string;
  readonly patched: string;
  readonly object: MeshPlace['object'];
};

/**
 * The mesh config before and after a patch, as texts.
 * @returns what is wrong with the backup, as text, where it does not fit together.
 */
export function meshTextsOf(backup: Backup): MeshTexts | string {
  const states = statesOf(backup, backup.original.toString('utf8'));
  if (typeof states === 'string') return states;
  const { was, patched } = states;
  return { was: textOf(was), patched: textOf(patched), object: was.object };
}

const textOf = ({ text }: MeshPlace): string => text.layer.text;

type States = { readonly after: string; readonly was: MeshPlace; readonly patched: MeshPlace };

function statesOf({ place, edits, file, live }: Backup, original: string): States | string {
  const after = tryPatch(original, edits);
  if (after === undefined) return 'the backup does not fit together';
  const find = (text: string): FoundFile => {
    if (live === undefined) return findMeshConfigs(file, text);
    return findMeshText({ apiVersion: 'v1', kind: 'ConfigMap', name: live.name, namespace: live.namespace }, text);
  };
  const was = placeIn(find(original), place);
  const patched = placeIn(find(after), place);
  if (was === undefined || patched === undefined) return `the backup has no ${place.what}`;
  return { after, was, patched };
}

const gone = (reason: string): NotRolledBack => ({ reason, patched: undefined, now: undefined });

function tryPatch(text: string, edits: Backup['edits']): string | undefined {
  try {
    return applySplices(text, edits);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** The same mesh config in another state of the file: by name; else the one at the same place. */
function placeIn({ meshes }: FoundFile, { what, document, path }: Backup['place']): MeshPlace | undefined {
  const named = meshes.filter((one) => one.what === what);
  const [first, second] = named;
  if (second === undefined) return first;
  return named.find((one) => one.document === document && one.path.join('\n') === path.join('\n'));
}

type Span = { readonly start: number; readonly end: number };

/**
 * What a patch had to do with: the mesh config and all its edits, which may stand behind it (a mesh config of one more line takes in the
 * comment that was behind it, or leaves it out).
 * @returns its texts, and by how much it is larger than the mesh config of the patched text.
 */
function hullOf(
  { original, after, edits }: { readonly original: string; readonly after: string; readonly edits: Backup['edits'] },
  was: Span,
  then: Span,
): { original: string; patched: string; before: number; behind: number } {
  const start = Math.min(was.start, then.start, edits[0]?.start ?? was.start);
  const rest = original.length - Math.max(was.end, edits.at(-1)?.end ?? 0);
  const same = Math.min(rest, after.length - then.end);
  const end = after.length - same;
  return {
    original: original.slice(start, original.length - same),
    patched: after.slice(start, end),
    before: then.start - start,
    behind: end - then.end,
  };
}

/** Somebody wrote the file anew, as kubectl does, and the mesh config in it still says exactly what the patch made it say. */
function sameTextElsewhere(now: FoundFile, found: MeshPlace, then: MeshPlace, was: MeshPlace): string | undefined {
  const [patched, old] = [then.text.layer.text, was.text.layer.text];
  const { layer } = found.text;
  if (layer.text !== patched) return undefined;
  let start = 0;
  while (start < Math.min(patched.length, old.length) && patched[start] === old[start]) start++;
  let same = 0;
  while (same < Math.min(patched.length, old.length) - start && patched.at(-1 - same) === old.at(-1 - same)) same++;
  const edit = layer.replace(start, patched.length - same, old.slice(start, old.length - same));
  if (edit === undefined) return undefined;
  const text = applySplices(now.text, [edit]);
  const back = placeInSame(findMeshConfigs(now.file, text), now.meshes.indexOf(found));
  return back?.text.layer.text === old ? text : undefined;
}

const placeInSame = ({ meshes }: FoundFile, index: number): MeshPlace | undefined => meshes[index];
