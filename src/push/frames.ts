import type { Snapshot } from '../model/snapshot.ts';
import { respliceResources, Rope, spliceResources, spliceUnversioned } from '../wire/frame.ts';

/** Where rows lie. Good for as long as the list is: one that is overwritten stays where it is. */
const ropes = new WeakMap<Int32Array, Rope>();

/** What was copied for a snapshot: good for it alone. */
type Copies = { isAskedFor: boolean; joined: Rope | undefined; unversioned: Rope | undefined };

const copies = new WeakMap<Snapshot, Copies>();

/** Pieces from which joining them pays as soon as a second stream wants them. */
const manyPieces = 1000;

/**
 * The `resources` of a response with this snapshot, built when first needed and shared by every stream.
 * `versioned: false` is the form for istiod up to 1.11.
 */
export function frameOf(snapshot: Snapshot, options: { readonly versioned: boolean }): Rope {
  const { pool, rows, before } = snapshot;
  let made = copies.get(snapshot);
  if (made === undefined) {
    made = { isAskedFor: false, joined: undefined, unversioned: undefined };
    copies.set(snapshot, made);
  }
  if (!options.versioned) return (made.unversioned ??= spliceUnversioned(pool, rows));
  let rope = ropes.get(rows);
  if (rope === undefined) {
    const old = before && ropes.get(before);
    rope = old ? respliceResources(pool, rows, before, old) : spliceResources(pool, rows);
    ropes.set(rows, rope);
  }
  const { isAskedFor } = made;
  made.isAskedFor = true;
  if (!isAskedFor || rope.pieces <= manyPieces) return rope;
  return (made.joined ??= Rope.of(rope.toBuffer()));
}
