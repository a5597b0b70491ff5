import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import type { TurnedAway } from '../net/door.ts';
import { Throttle } from '../net/throttle.ts';

/** Of each sort of stranger, one line so often; the next one says how many there were. */
const logEveryMs = 60_000;

const sorts: Readonly<Record<TurnedAway['why'], { readonly what: string; readonly hint: string }>> = {
  http1: {
    what: 'a peer speaks HTTP/1 on the xDS port; it was told that this port speaks gRPC',
    hint: 'health, metrics and pages are on the admin port (--admin-listen, --metrics-listen)',
  },
  tls: {
    what: 'a peer speaks TLS on the xDS port, which has no TLS; its connection was closed',
    hint: 'where it is an istiod, take tlsSettings out of this configSource; where it is a proxy, let it dial in plaintext',
  },
  other: {
    what: 'a peer speaks neither gRPC nor HTTP on the xDS port; its connection was closed',
    hint: 'only istiod has business on this port: see who this is',
  },
  silent: {
    what: 'a peer connected to the xDS port and said nothing; its connection was closed',
    hint: 'only istiod has business on this port: see who this is',
  },
  'too-many': {
    what: 'too many connections to the xDS port; new ones are closed',
    hint: 'an istiod needs one connection: see who holds them (docs/limits.md)',
  },
  'too-many-of-peer': {
    what: 'too many connections of one address to the xDS port; its new ones are closed',
    hint: 'an istiod needs one connection: see what this peer is (docs/limits.md)',
  },
};

/** Tells the operator of those who were turned away, in few lines however many they are. */
export function reportTurnedAway(clock: Clock, log: Logger): (turnedAway: TurnedAway) => void {
  const throttle = new Throttle<TurnedAway['why']>(clock, logEveryMs);
  return ({ why, peer, said }) => {
    const before = throttle.pass(why);
    if (before === undefined) return;
    const { what, hint } = sorts[why];
    log.warn({ peer, ...(said === undefined ? {} : { said }), ...(before > 0 ? { before } : {}), hint }, what);
  };
}
