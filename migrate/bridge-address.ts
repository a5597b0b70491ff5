import { type HostPort, parseHostPort } from '../src/net/address.ts';

/** For who writes the address that istiod is to read. */
export const bridgeExample = 'isthmus.istio-system:15410';

/**
 * The address that `--bridge` names, with `xds://` before it or not.
 * @param example what the hint says to write.
 * @throws IsthmusError USAGE
 */
export function parseBridge(text: string, example?: string): HostPort {
  return parseHostPort(text.replace(/^xds:\/\//i, ''), '--bridge', example);
}
