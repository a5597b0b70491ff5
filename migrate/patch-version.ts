import { IsthmusError } from '../src/model/errors.ts';
import { requireVersion, xdsOnlyMinor } from './version.ts';

/**
 * The minor version of the istiod that the mesh config is for: `1.24` and `1.24.0` are 24.
 * @throws IsthmusError USAGE for what is no version, or one that speaks legacy MCP itself.
 */
export function targetMinor(text: string | undefined): number | undefined {
  const version = requireVersion(text, '--to-version');
  if (version === undefined || version.minor >= xdsOnlyMinor) return version?.minor;
  throw new IsthmusError('USAGE', '--to-version', `${version.text} speaks legacy MCP itself`, {
    hint: 'the bridge is for istiod 1.9 and newer: give the version that you move to',
  });
}
