import { loadConfig } from '../config/load.ts';
import type { Config, ConfigInput } from '../config/schema.ts';
import { IsthmusError } from '../model/errors.ts';
import { type HostPort, parseHostPort } from '../net/address.ts';
import { adminUrlOf } from './arguments.ts';
import { type ConfigFlags, configOf } from './config-flags.ts';

/** What the command line asks for. */
export type Question = {
  readonly xds: readonly HostPort[];
  readonly mcp: readonly (HostPort & { readonly isSecure: boolean })[];
  /** A bridge that was named, and must answer. */
  readonly admin: URL | undefined;
  /** Undefined where only addresses are looked at. */
  readonly config: Config | undefined;
  /** True where flags or a file say what the config is. */
  readonly configIsGiven: boolean;
};

type Flags = ConfigFlags & { readonly addresses?: readonly string[] | undefined; readonly admin?: string | undefined };

/**
 * Reads the command line.
 * @throws IsthmusError USAGE; ConfigError CONFIG_INVALID where the file is wrong.
 */
export function questionOf(flags: Flags): Question {
  const addresses = { xds: [] as HostPort[], mcp: [] as Question['mcp'][number][], admin: [] as URL[] };
  for (const text of flags.addresses ?? []) {
    const [, scheme = '', rest = ''] = /^(xds|mcps?|https?):\/\/(.*?)\/?$/i.exec(text) ?? [];
    if (scheme === '') {
      throw new IsthmusError('USAGE', 'ADDR', `"${text}" has no scheme that is known`, {
        hint: 'write xds://HOST:PORT, mcp://HOST:PORT, mcps://HOST:PORT or http://HOST:PORT',
      });
    }
    if (/^http/i.test(scheme)) addresses.admin.push(adminUrlOf(text, 'ADDR'));
    else if (/^xds$/i.test(scheme)) addresses.xds.push(parseHostPort(rest, 'ADDR'));
    else addresses.mcp.push({ ...parseHostPort(rest, 'ADDR'), isSecure: /s$/i.test(scheme) });
  }
  if (flags.admin !== undefined) addresses.admin.push(adminUrlOf(flags.admin, '--admin'));
  const [admin, ...more] = addresses.admin;
  if (more.length > 0) throw new IsthmusError('USAGE', 'ADDR', 'one bridge is looked at at a time');
  const configIsGiven = isConfigGiven(flags);
  const isAddressGiven = admin !== undefined || addresses.xds.length + addresses.mcp.length > 0;
  const config = configIsGiven || !isAddressGiven ? loadConfig(flags.config, configOf(flags)) : undefined;
  return { xds: addresses.xds, mcp: addresses.mcp, admin, config, configIsGiven };
}

function isConfigGiven(flags: Flags): boolean {
  const settings: ConfigInput = configOf(flags);
  return flags.config !== undefined || Object.keys(settings).length > 0;
}

/**
 * Checks a version of Istio.
 * @throws IsthmusError USAGE
 */
export function istiodVersionOf(text: string | undefined): string | undefined {
  if (text === undefined || /^1\.\d+(\.\d+)?$/.test(text)) return text;
  throw new IsthmusError('USAGE', '--istiod-version', `"${text}" is no version`, { hint: 'write for example 1.24' });
}
