import type { Metadata } from '@grpc/grpc-js';

/** Header in which Istio's sources say which Istio they are, from 1.2 on (galley/pkg/server/callout.go, 1.2.10). */
export const versionHeader = 'config.source.version';

/** Characters that are kept of it. */
const maxLength = 64;

/** The version that a source says it has, without what would command a terminal; undefined where it says none. */
export function sourceVersionOf(metadata: Metadata): string | undefined {
  const [value] = metadata.get(versionHeader);
  const text = value === undefined ? '' : printable(value.toString(), maxLength);
  return text === '' ? undefined : text;
}

/** A peer's text on one line of ASCII, cut off. */
export function printable(text: string, length: number): string {
  return text.slice(0, length).replaceAll(/[^ -~]/g, '?');
}
