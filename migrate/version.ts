import { IsthmusError } from '../src/model/errors.ts';
import type { Consequence } from './finding.ts';

/** A version of Istio 1. */
export type Version = {
  readonly minor: number;
  /** As it was written, for messages: `1.5.10`, `1.8-dev`. */
  readonly text: string;
};

/** The first that has no legacy MCP, and speaks MCP-over-xDS in its place. */
export const xdsOnlyMinor = 9;

/** Reads `1.5`, `1.5.10`, `v1.24.0-distroless`, `1.8-dev`; undefined for other text. */
export function parseVersion(text: string): Version | undefined {
  const match = /^v?(1\.(\d{1,3})(?:\.\d{1,4})?(?:-[\w.-]+)?)$/.exec(text);
  return match === null ? undefined : { minor: Number(match[2]), text: match[1] ?? text };
}

/** @throws IsthmusError USAGE */
export function requireVersion(text: string | undefined, flag: string): Version | undefined {
  if (text === undefined) return undefined;
  const version = parseVersion(text);
  if (version !== undefined) return version;
  throw new IsthmusError('USAGE', flag, `"${text}" is no version of Istio`, {
    hint: `write for example ${flag} 1.24, or ${flag} 1.24.0`,
  });
}

/** The version of an image by its tag; undefined where that says none (`latest`, a digest). */
export function versionOfImage(image: string): Version | undefined {
  const [name = ''] = image.split('@');
  const colon = name.lastIndexOf(':');
  return colon > name.lastIndexOf('/') ? parseVersion(name.slice(colon + 1)) : undefined;
}

/** True where a consequence is one of that version; of every version where none is known. */
export function concerns({ from, to = Number.POSITIVE_INFINITY }: Consequence, target: Version | undefined): boolean {
  return target === undefined || (from <= target.minor && target.minor <= to);
}

/** `1.9 to 1.25`, `1.26 and newer`, `1.11`. */
export function versionsText({ from, to }: Consequence): string {
  if (to === undefined) return `1.${from} and newer`;
  return from === to ? `1.${from}` : `1.${from} to 1.${to}`;
}
