import { BlockList, isIP, isIPv6 } from 'node:net';

/** Addresses, and ranges of them, from which connections are taken. */
export class AllowedPeers {
  readonly #list = new BlockList();

  /** @param ranges texts of which {@link isRange} is true. */
  constructor(ranges: readonly string[]) {
    for (const range of ranges) {
      const [address = '', prefix] = range.split('/');
      const family = isIPv6(address) ? 'ipv6' : 'ipv4';
      if (prefix === undefined) this.#list.addAddress(address, family);
      else this.#list.addSubnet(address, Number(prefix), family);
    }
  }

  /** @param address as a socket has it: IPv4 may be written in IPv6 (`::ffff:10.0.0.1`), and a zone may follow. */
  has(address: string): boolean {
    const plain = address.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
    return isIP(plain) !== 0 && this.#list.check(plain, isIPv6(plain) ? 'ipv6' : 'ipv4');
  }
}

/** True for `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`. */
export function isRange(text: string): boolean {
  const match = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(text);
  const family = isIP(match?.[1] ?? '');
  return family !== 0 && Number(match?.[2] ?? 0) <= (family === 4 ? 32 : 128);
}
