import { isInNetwork } from './network.ts';

/** Addresses, and networks, from which connections are taken. */
export class AllowedPeers {
  readonly #networks: readonly string[];

  /** @param networks texts of which {@link isNetwork} is true. */
  constructor(networks: readonly string[]) {
    this.#networks = networks;
  }

  /** @param address as a socket has it: IPv4 may be written in IPv6 (`::ffff:10.0.0.1`), and a zone may follow. */
  has(address: string): boolean {
    return this.#networks.some((network) => isInNetwork(address, network));
  }
}
