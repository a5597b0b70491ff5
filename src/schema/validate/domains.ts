import { valueText, type Path } from '../problem.ts';
import type { Report } from './violation.ts';

const label = '[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?';
const labelPattern = new RegExp(`^${label}$`);
const wildcardPattern = new RegExp(`^(?:\\*|(?:\\*|\\*-)?${label})$`);
const maxLabel = 63;
const maxDomain = 255;
const maxInt64 = 2n ** 63n - 1n;

/** A label of a DNS name, upper case too. Source: pkg/config/labels/instance.go IsDNS1123Label, 1.14 to 1.31. */
export const isDnsLabel = (text: string): boolean => text.length <= maxLabel && labelPattern.test(text);

/** A domain name, a dot at its end included. Source: pkg/config/validation ValidateFQDN, 1.14 to 1.31. */
export function isDomain(text: string): boolean {
  return hasDomainLength(text) && hasDomainLabels(text);
}

/**
 * A domain name whose first label may be `*`, or begin with one.
 * Source: pkg/config/validation ValidateWildcardDomain, 1.14 to 1.31.
 */
export function isWildcardDomain(text: string): boolean {
  const dot = text.indexOf('.');
  const first = dot < 0 ? text : text.slice(0, dot);
  if (!hasDomainLength(text) || first.length > maxLabel || !wildcardPattern.test(first)) return false;
  return dot < 0 || hasDomainLabels(text.slice(dot + 1));
}

/** Reports a text that is no wildcard domain as a host. */
export function checkWildcardDomain(report: Report, at: Path, text: string): void {
  if (isWildcardDomain(text)) return;
  const hint = 'write a DNS name; only its first label may be, or begin with, "*"';
  report('hosts', at, `${valueText(text)} is no host name`, hint);
}

/**
 * True where a name that one of them matches may be matched by the other too.
 * Source: pkg/config/host/name.go Matches, 1.14 to 1.31.
 */
export function hostsOverlap(a: string, b: string): boolean {
  if (isWildcard(a) && isWildcard(b)) return a.endsWith(b.slice(1)) || b.endsWith(a.slice(1));
  return isSubset(a, b) || isSubset(b, a);
}

/** True where every name that `host` matches is matched by `other`. Source: pkg/config/host/name.go SubsetOf. */
export function isSubset(host: string, other: string): boolean {
  if (!isWildcard(other)) return host === other;
  return host.length >= (isWildcard(host) ? other.length : 0) && host.endsWith(other.slice(1));
}

const isWildcard = (host: string): boolean => host.startsWith('*');

const hasDomainLength = (text: string): boolean => text.length > 0 && text.length <= maxDomain;

function hasDomainLabels(text: string): boolean {
  const labels = text.split('.');
  const last = labels.pop() ?? '';
  // Go's Atoi, which decides, knows no number beyond 64 bits.
  if (/^\d+$/.test(last) && BigInt(last) <= maxInt64) return false;
  return labels.every(isDnsLabel) && (last === '' || isDnsLabel(last));
}
