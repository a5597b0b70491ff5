import { isDeepStrictEqual } from 'node:util';
import { oneLine, say } from '../../src/cli/terminal.ts';
import { IsthmusError } from '../../src/model/errors.ts';
import { isRecord } from '../../src/model/record.ts';
import { unifiedDiff } from '../patch-report.ts';
import type { LiveMesh } from './mesh.ts';

/** @throws IsthmusError USAGE where the ConfigMap takes no change at all. */
export function requireMutable({ what, object }: LiveMesh): void {
  if (object['immutable'] !== true) return;
  throw new IsthmusError('USAGE', what, 'is immutable: Kubernetes lets nobody change it', {
    hint: 'make the new one by hand: patch a file (isthmus migrate patch FILE), kubectl delete the old one, kubectl create the new one',
  });
}

/** Shows what somebody else has changed between a read and the write behind it. @returns the error to end with. */
export function tellConflict(read: LiveMesh, now: LiveMesh | undefined): IsthmusError {
  const { what } = read;
  if (now === undefined) {
    return new IsthmusError('CONFLICT', what, 'was deleted meanwhile; nothing was written', {
      hint: 'see who deletes it, then run the same command again',
    });
  }
  const diff = unifiedDiff({ before: `${what} as it was read`, after: `${what} now` }, read.text, now.text).trimEnd();
  if (diff !== '') say(diff);
  const parts = changedParts(read.object, now.object);
  const changed = parts.length === 0 ? 'written by somebody else' : `changed by somebody else (${parts.join(', ')})`;
  return new IsthmusError('CONFLICT', what, `was ${changed} meanwhile; nothing was written`, {
    hint: 'run the same command again: it begins with what is there now',
  });
}

/** Such as `data.mesh, metadata.labels`; what changes with every write is left out. */
function changedParts(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  const always = new Set(['resourceVersion', 'managedFields', 'generation']);
  return differing(before, after).flatMap((field) => {
    const [was, is] = [before[field], after[field]];
    if (field !== 'metadata' && field !== 'data') return [field];
    const inside = differing(isRecord(was) ? was : {}, isRecord(is) ? is : {});
    return inside
      .filter((name) => field !== 'metadata' || !always.has(name))
      .map((name) => oneLine(`${field}.${name}`));
  });
}

function differing(before: Readonly<Record<string, unknown>>, after: Readonly<Record<string, unknown>>): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...names].filter((name) => !isDeepStrictEqual(before[name], after[name]));
}
