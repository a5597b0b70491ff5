import type { Snapshot } from '../model/snapshot.ts';
import { Rope, spliceResources, spliceUnversioned } from '../wire/frame.ts';

type Frame = { rope: Rope; isShared: boolean };
type Forms = { versioned?: Frame; unversioned?: Frame };

const frames = new WeakMap<Snapshot, Forms>();

/** Pieces from which joining them pays as soon as a second stream wants them. */
const manyPieces = 1000;

/**
 * The `resources` of a response with this snapshot, built when first needed and shared by every stream.
 * `versioned: false` is the form for istiod up to 1.11.
 */
export function frameOf(snapshot: Snapshot, options: { readonly versioned: boolean }): Rope {
  let forms = frames.get(snapshot);
  if (forms === undefined) {
    forms = {};
    frames.set(snapshot, forms);
  }
  const form = options.versioned ? 'versioned' : 'unversioned';
  const frame = forms[form];
  if (frame === undefined) {
    const rope = options.versioned ? spliceResources(snapshot.resources) : spliceUnversioned(snapshot.resources);
    forms[form] = { rope, isShared: false };
    return rope;
  }
  if (!frame.isShared && frame.rope.pieces > manyPieces) frame.rope = Rope.of(frame.rope.toBuffer());
  frame.isShared = true;
  return frame.rope;
}
