import { readFileSync } from 'node:fs';

/**
 * Seconds until the kernel asks for a sign of life, for each established connection of this host whose one end is
 * `localPort` and whose other end is `remotePort` (either may be left out). Linux only.
 */
export function keepaliveTimers({ localPort, remotePort }: { localPort?: number; remotePort?: number }): number[] {
  const established = '01';
  const keepalive = '02';
  return readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      // sl local_address rem_address st tx:rx tr:tm->when …
      const [, local = '', remote = '', state, , timer = ''] = line.trim().split(/\s+/);
      const [kind, when = ''] = timer.split(':');
      const isWanted =
        state === established &&
        kind === keepalive &&
        (localPort === undefined || portOf(local) === localPort) &&
        (remotePort === undefined || portOf(remote) === remotePort);
      // In hundredths of a second.
      return isWanted ? [Number.parseInt(when, 16) / 100] : [];
    });
}

function portOf(address: string): number {
  return Number.parseInt(address.split(':')[1] ?? '', 16);
}
