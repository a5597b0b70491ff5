import { loadCapture } from '../capture/capture.ts';
import { stateAtEnd } from '../capture/state.ts';
import type { NameRules } from '../intake/name.ts';
import type { Kind } from '../model/kinds.ts';
import { viewResourceBytes } from '../wire/resource-view.ts';
import type { Item } from './diff-compare.ts';
import { type FileSide, readRaw, type Unreadable } from './diff-sides.ts';

/**
 * Reads what the source of a capture had at its end. Of a kind that it said nothing of, it can't say anything.
 * @throws IsthmusError where it can't be read.
 */
export async function readCaptureSide(path: string, kinds: readonly Kind[], rules: NameRules): Promise<FileSide> {
  const capture = await loadCapture(path);
  const state = stateAtEnd(capture);
  const items = new Map<string, readonly Item[]>();
  const unreadable: Unreadable[] = [];
  for (const kind of kinds) {
    const resources = state.get(kind.collection ?? '');
    if (resources === undefined) continue;
    const raws = resources.map(({ name, raw }) => ({ name, version: versionOf(raw), raw }));
    const read = await readRaw(kind, raws, rules);
    items.set(kind.id, read.items);
    unreadable.push(...read.unreadable);
  }
  const remarks = capture.isCutOff ? [`${path} is cut off; what follows is not known`] : [];
  return { address: path, items, unreadable, close() {}, remarks };
}

function versionOf(raw: Buffer): string | undefined {
  try {
    return viewResourceBytes(raw).version;
  } catch {
    // Then it can't be compared either, and that is told.
    return undefined;
  }
}
