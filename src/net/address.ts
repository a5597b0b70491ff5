import { isIPv6 } from 'node:net';
import { IsthmusError } from '../model/errors.ts';
import { withoutCredentials } from '../model/texts.ts';

/** A host and a port; IPv6 hosts without brackets. */
export type HostPort = { readonly host: string; readonly port: number };

/**
 * Reads `host:port` or `[v6]:port`.
 * @param subject what the text is, for the error: a flag or a config key.
 * @param example what the hint says to write.
 * @throws IsthmusError USAGE
 */
export function parseHostPort(
  text: string,
  subject: string,
  example = '127.0.0.1:15410, or [::1]:15410 for IPv6',
): HostPort {
  const match = /^(?:\[([^\]]+)\]|([^:[\]\s/@]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65535 || (match?.[1] !== undefined && !isIPv6(host))) {
    throw new IsthmusError('USAGE', subject, `"${withoutCredentials(text)}" is no HOST:PORT`, {
      hint: `write for example ${example}`,
    });
  }
  return { host, port };
}

/** `host:port`, with brackets where they are needed. */
export function formatHostPort({ host, port }: HostPort): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
