import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import type { TurnedAway } from '../net/door.ts';
import { Throttle } from '../net/throttle.ts';

/** Of each sort of stranger, one line so often; the next one says how many there were. */
const logEveryMs = 60_000;

const who = 'only legacy sources have business on this port: see who this is';

const sorts: Readonly<Record<TurnedAway['why'], { readonly what: string; readonly hint: string }>> = {
  http1: {
    what: 'a peer speaks HTTP/1 on the port for sources; it was told that this port speaks gRPC',
    hint: 'health, metrics and pages are on the admin port (--admin-listen, --metrics-listen)',
  },
  tls: {
    what: 'a peer speaks TLS on the port for sources, which has no TLS; its connection was closed',
    hint: 'where it is a source, let it dial in plaintext (Galley: --sinkAuthMode NONE)',
  },
  other: {
    what: 'a peer speaks neither gRPC nor HTTP on the port for sources; its connection was closed',
    hint: who,
  },
  silent: {
    what: 'a peer connected to the port for sources and said nothing; its connection was closed',
    hint: who,
  },
  'too-many': {
    what: 'too many connections to the port for sources; new ones are closed',
    hint: 'a source needs one connection: see who holds them (docs/limits.md)',
  },
  'too-many-of-peer': {
    what: 'too many connections of one address to the port for sources; its new ones are closed',
    hint: 'a source needs one connection: see what this peer is (docs/limits.md)',
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
