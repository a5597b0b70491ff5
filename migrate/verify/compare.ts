import { isDeepStrictEqual } from 'node:util';
import { changesOf, type ValueChange } from '../../src/cli/diff-compare.ts';
import type { Kind } from '../../src/model/kinds.ts';
import { canonicalSpec, type ServedContent } from '../../src/schema/content.ts';
import { fieldAt } from '../../src/schema/field-at.ts';
import { pathText } from '../../src/schema/problem.ts';
import type { HeldConfig } from './istiod.ts';

/** One value that differs; a side without it, or that was not asked, has no such property. */
export type FieldDifference = {
  readonly path: string;
  readonly bridge?: unknown;
  readonly istiod?: unknown;
  /** Of a legacy server. */
  readonly server?: unknown;
};

export type Comparison = {
  /** What differs; empty where the two say the same. */
  readonly fields: readonly FieldDifference[];
  /** Fields that were sent, and that this istiod passes over: its version does not know them (any more). */
  readonly passedOver: readonly string[];
  /**
   * Why nobody can tell whether all of it is equal, one sentence each: there are fields that one of the two does not show,
   * and no version that speaks for them.
   */
  readonly unseen: readonly string[];
};

/**
 * Compares a resource as it was served with what istiod shows of it: labels, annotations and spec, by what they mean.
 * Versions and create times are not compared: a version speaks for fields that JSON does not show, and no more.
 */
export function compareContent(kind: Kind, served: ServedContent, held: HeldConfig): Comparison {
  const isSameVersion = served.version !== '' && served.version === held.version;
  const changes: ValueChange[] = [
    ...changesOf(served.labels, held.labels, ['metadata', 'labels']),
    ...changesOf(served.annotations, held.annotations, ['metadata', 'annotations']),
  ];
  const notes = [...served.notes];
  if (!isDeepStrictEqual(served.spec, held.spec)) {
    const canonical = canonicalSpec(kind, held.spec);
    if (canonical !== undefined) notes.push(...canonical.notes);
    changes.push(...changesOf(served.spec, canonical?.spec ?? held.spec, ['spec']));
  }
  const isPassedOver = (change: ValueChange) => !('b' in change) && passesOver(kind, change, isSameVersion);
  return {
    fields: changes.filter((change) => !isPassedOver(change)).map(differenceOf),
    passedOver: changes.filter(isPassedOver).map(({ at }) => pathText(at)),
    unseen: isSameVersion ? [] : notes,
  };
}

/**
 * A field that istiod does not show: one that 1.9 and newer has dropped, or, where the version says that it has exactly
 * what was sent, one that this version does not know.
 */
function passesOver(kind: Kind, { at }: ValueChange, isSameVersion: boolean): boolean {
  if (at[0] !== 'spec' || at.length < 2) return false;
  const field = fieldAt(kind, at);
  return field !== undefined && (field.dropped || isSameVersion);
}

function differenceOf({ at, ...values }: ValueChange): FieldDifference {
  return {
    path: pathText(at),
    ...('a' in values ? { bridge: values.a } : {}),
    ...('b' in values ? { istiod: values.b } : {}),
  };
}
