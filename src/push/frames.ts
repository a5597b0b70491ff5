import type { Snapshot } from '../model/snapshot.ts';
import { type Rope, spliceResources, spliceUnversioned } from '../wire/frame.ts';

type Forms = { versioned?: Rope; unversioned?: Rope };

const frames = new WeakMap<Snapshot, Forms>();

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
  if (options.versioned) return (forms.versioned ??= spliceResources(snapshot.resources));
  return (forms.unversioned ??= spliceUnversioned(snapshot.resources));
}
