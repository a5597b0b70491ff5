import { IsthmusError } from '../src/model/errors.ts';

/**
 * The minor version of the istiod that the mesh config is for: `1.24` and `1.24.0` are 24.
 * @throws IsthmusError USAGE for what is no version, or one that speaks legacy MCP itself.
 */
export function targetMinor(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const minor = Number(/^v?1\.(\d+)(?:[.-].*)?$/.exec(text)?.[1] ?? Number.NaN);
  if (Number.isNaN(minor)) {
    throw new IsthmusError('USAGE', '--to-version', `"${text}" is no version`, { hint: 'write for example 1.24' });
  }
  if (minor >= 9) return minor;
  throw new IsthmusError('USAGE', '--to-version', `${text} speaks legacy MCP itself`, {
    hint: 'the bridge is for istiod 1.9 and newer: give the version that you move to',
  });
}
