import { isIPv4, isIPv6 } from 'node:net';
import { valueText, type Path } from '../problem.ts';
import type { Report } from './violation.ts';

/** A socket of the file system, or an abstract one (`unix://@name`). */
export const unixPrefix = 'unix://';

/**
 * An IP address, IPv6 with its zone included. 1.14 reads it with Go's net package, which takes no zone, later ones
 * with net/netip, which does: what either takes is one.
 */
export function isIp(text: string): boolean {
  if (isIPv4(text)) return true;
  const zone = text.indexOf('%');
  return isIPv6(zone > 0 && zone < text.length - 1 ? text.slice(0, zone) : text);
}

/** `10.0.0.0/8`; leading zeros of the length, which only some versions of Go take, included. */
export function isCidr(text: string): boolean {
  const slash = text.lastIndexOf('/');
  const [address, length] = [text.slice(0, slash), text.slice(slash + 1)];
  if (slash < 0 || !isIp(address) || !/^[-+]?\d+$/.test(length)) return false;
  return Math.abs(Number(length)) <= (address.includes(':') ? 128 : 32);
}

/** Reports what is neither an IP address nor a CIDR. Source: pkg/config/validation ValidateIPSubnet, 1.14 to 1.31. */
export function checkSubnet(report: Report, at: Path, text: string): void {
  if (text.includes('/') ? isCidr(text) : isIp(text)) return;
  const hint = 'write an IP address, or a CIDR such as 10.0.0.0/8';
  report('addresses', at, `${valueText(text)} is no IP address and no CIDR`, hint);
}

/** Reports what is no IP address. Source: pkg/config/validation ValidateIPAddress, 1.14 to 1.31. */
export function checkIp(report: Report, at: Path, text: string): void {
  if (!isIp(text)) report('addresses', at, `${valueText(text)} is no IP address`, 'write an IP address');
}

/**
 * Reports a path of a socket that is not absolute, or that is a folder; `text` begins with {@link unixPrefix}.
 * Source: pkg/config/validation ValidateUnixAddress, 1.14 to 1.31.
 */
export function checkUnixAddress(report: Report, at: Path, text: string): void {
  const path = text.slice(unixPrefix.length);
  if (path.startsWith('@') || (path.startsWith('/') && !path.endsWith('/'))) return;
  const hint = 'write unix:///path/to/socket, or unix://@name for an abstract socket';
  report('addresses', at, `${valueText(text)} names no socket`, hint);
}
