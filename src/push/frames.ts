import { manyPieces } from '../model/sizes.ts';
import type { Snapshot } from '../model/snapshot.ts';
import { leastUnversionedLength, respliceResources, Rope, spliceResources, spliceUnversioned } from '../wire/frame.ts';

/** Where rows lie, and the stamps of that time. Good for as long as the list is: what is overwritten stays where it is. */
const ropes = new WeakMap<Int32Array, { rope: Rope; stamps: Int32Array }>();

/** What was copied for a snapshot: good for it alone. */
type Copies = { isAskedFor: boolean; joined: Rope | undefined; unversioned: Rope | undefined };

const copies = new WeakMap<Snapshot, Copies>();

/**
 * The `resources` of a response with this snapshot, built when first needed and shared by every stream.
 * `versioned: false` is the form for istiod up to 1.11.
 */
export function frameOf(snapshot: Snapshot, options: { readonly versioned: boolean }): Rope {
  const { pool, rows } = snapshot;
  let made = copies.get(snapshot);
  if (made === undefined) {
    made = { isAskedFor: false, joined: undefined, unversioned: undefined };
    copies.set(snapshot, made);
  }
  if (!options.versioned) return (made.unversioned ??= spliceUnversioned(pool, rows));
  const rope = ropeOf(snapshot);
  const { isAskedFor } = made;
  made.isAskedFor = true;
  if (!isAskedFor || rope.pieces <= manyPieces) return rope;
  return (made.joined ??= Rope.of(rope.toBuffer()));
}

/** Bytes that {@link frameOf} has at least. Costs little, where the frame of a large type would be made for nothing. */
export function leastLengthOf(snapshot: Snapshot, options: { readonly versioned: boolean }): number {
  return options.versioned ? ropeOf(snapshot).length : leastUnversionedLength(snapshot.pool, snapshot.rows);
}

function ropeOf({ pool, rows, stamps }: Snapshot): Rope {
  const old = ropes.get(rows);
  if (old === undefined) {
    const rope = spliceResources(pool, rows);
    ropes.set(rows, { rope, stamps: stamps.slice() });
    return rope;
  }
  const isOther = (block: number) => old.stamps[block] !== stamps[block];
  if (stamps.some((_, block) => isOther(block))) {
    old.rope = respliceResources(pool, rows, old.rope, isOther);
    old.stamps = stamps.slice();
  }
  return old.rope;
}
