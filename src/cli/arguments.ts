import { parseDuration } from '../config/duration.ts';
import { IsthmusError } from '../model/errors.ts';

/** The option `output` of a verb that prints data. */
export const outputOption = {
  alias: 'o',
  choices: ['table', 'json', 'yaml'],
  default: 'table',
  describe: 'Form',
} as const;

/** Where a bridge on this host has its admin pages. */
export const defaultAdmin = 'http://127.0.0.1:15480';

/** The option `admin` of a verb that asks a running bridge. */
export const adminOption = { type: 'string', default: defaultAdmin, describe: 'Admin address of the bridge' } as const;

/** Longest wait that a timer can take, in seconds: about 24 days. */
const maxSeconds = (2 ** 31 - 1) / 1000;

/**
 * Milliseconds of a flag that is given in seconds.
 * @throws IsthmusError USAGE where it is no number, or one that no timer can wait for.
 */
export function millisecondsOf(seconds: number, flag: string): number {
  if (seconds >= 0 && seconds <= maxSeconds) return seconds * 1000;
  throw new IsthmusError('USAGE', flag, 'a number of seconds is expected', { hint: `write for example ${flag} 10` });
}

/**
 * Milliseconds of a flag that is a time, as `2m`.
 * @throws IsthmusError USAGE
 */
export function timeOf(text: string, flag: string, example: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined) return ms;
  throw new IsthmusError('USAGE', flag, `"${text}" is no time`, { hint: `write for example ${flag} ${example}` });
}

/**
 * The address of a bridge's admin pages.
 * @throws IsthmusError USAGE
 */
export function adminUrlOf(text: string, subject: string): URL {
  return httpUrlOf(text, subject, defaultAdmin);
}

/**
 * @param example what the hint says to write.
 * @throws IsthmusError USAGE
 */
export function httpUrlOf(text: string, subject: string, example: string): URL {
  try {
    const url = new URL(text);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  } catch {
    // The same advice as for another scheme.
  }
  throw new IsthmusError('USAGE', subject, `"${text}" is no http:// address`, {
    hint: `write for example ${example}`,
  });
}
