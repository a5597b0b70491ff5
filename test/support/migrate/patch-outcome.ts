import { IsthmusError } from '../../../src/model/errors.ts';
import { findMeshConfigs } from '../../../migrate/meshconfig/find.ts';
import { patchText } from '../../../migrate/meshconfig/patch-text.ts';
import { choosePlace } from '../../../migrate/patch-place.ts';
import { unifiedDiff } from '../../../migrate/patch-report.ts';
import { targetMinor } from '../../../migrate/patch-version.ts';

/** The flags of `isthmus migrate patch` that the goldens use, of a line such as `--to-version 1.24 --no-k8s`. */
export type PatchFlags = {
  readonly toVersion: string | undefined;
  readonly document: number | undefined;
  readonly name: string | undefined;
  readonly k8s: boolean;
};

export function patchFlagsOf(line: string): PatchFlags {
  const value = (flag: string) => new RegExp(`--${flag} (\\S+)`).exec(line)?.[1];
  const document = value('document');
  return {
    toVersion: value('to-version'),
    document: document === undefined ? undefined : Number(document),
    name: value('name'),
    k8s: !line.includes('--no-k8s'),
  };
}

export const bridge = 'isthmus.istio-system:15410';

/** What patch makes of a file: the new text, or undefined; and all that it says, for people to read. */
export function patchOutcome(
  file: string,
  text: string,
  flags: PatchFlags,
): { text: string | undefined; said: string } {
  const found = findMeshConfigs(file, text);
  const wish = { bridge, kubernetes: flags.k8s, toMinor: targetMinor(flags.toVersion) };
  try {
    const place = choosePlace(found, flags, '  configSources: …');
    const done = patchText(found, place, wish);
    if ('refused' in done) {
      const { line, column } = found.spot(done.refused.offset ?? -1);
      return { text: undefined, said: `refused: ${line}:${column}: ${done.refused.message}\n` };
    }
    const remarks = done.plan.remarks.map((remark) => `${remark.severity}: ${remark.text}\n`);
    const diff = unifiedDiff({ before: file, after: file }, text, done.text);
    const said = done.edits.length === 0 ? 'nothing to change\n' : diff;
    return { text: done.text, said: `${place.what}\n${said}${remarks.join('')}` };
  } catch (error) {
    if (!(error instanceof IsthmusError)) throw error;
    return { text: undefined, said: `error ${error.exitCode}: ${error.message}\n  ${error.hint ?? ''}\n` };
  }
}
