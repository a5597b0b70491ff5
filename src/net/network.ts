import { BlockList, isIP } from 'node:net';

type Network = { readonly address: string; readonly prefix: number; readonly type: 'ipv4' | 'ipv6' };

/** True for an IP address, and for a network as `10.0.0.0/8` or `fd00::/8`. */
export function isNetwork(text: string): boolean {
  return parseNetwork(text) !== undefined;
}

/** True where the IP address is in the network, or is that address; false for text that is none. */
export function isInNetwork(host: string, network: string): boolean {
  const parsed = parseNetwork(network);
  const plain = plainIp(host).replace(/%.*/, '');
  const version = isIP(plain);
  if (parsed === undefined || version === 0) return false;
  const list = new BlockList();
  list.addSubnet(parsed.address, parsed.prefix, parsed.type);
  return list.check(plain, version === 4 ? 'ipv4' : 'ipv6');
}

/** The address without what a socket for both versions of IP puts in front of one of version 4. */
export function plainIp(host: string): string {
  return host.replace(/^::ffff:(?=\d+\.)/i, '');
}

function parseNetwork(text: string): Network | undefined {
  const match = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text);
  const address = match?.[1] ?? '';
  const version = isIP(address);
  if (version === 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = match?.[2] === undefined ? bits : Number(match[2]);
  return prefix > bits ? undefined : { address, prefix, type: version === 4 ? 'ipv4' : 'ipv6' };
}
