import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import type { TurnedAway } from './door.ts';
import { Throttle } from './throttle.ts';

/** Of each sort of stranger, one line so often; the next one says how many there were. */
const logEveryMs = 60_000;

/** Who has business on a port, for the words. */
export type Port = {
  /** `the xDS port` */
  readonly port: string;
  /** `an istiod` */
  readonly client: string;
  /** What to think of whoever is none. */
  readonly stranger: string;
  /** What to do with a client that speaks TLS where there is none. */
  readonly dropTls: string;
  /** What to do with a client that speaks none where there is TLS. */
  readonly addTls: string;
  /** `xds`: where its settings are in the config. */
  readonly section: string;
};

type Words = { readonly what: string; readonly hint: string };

function wordsOf({
  port,
  client,
  stranger,
  dropTls,
  addTls,
  section,
}: Port): Readonly<Record<TurnedAway['why'], Words>> {
  const closed = 'its connection was closed';
  const needs = `${client} needs one connection: see`;
  return {
    http1: {
      what: `a peer speaks HTTP/1 on ${port}; it was told that this port speaks gRPC`,
      hint: 'health, metrics and pages are on the admin port (--admin-listen, --metrics-listen)',
    },
    tls: { what: `a peer speaks TLS on ${port}, which has no TLS; ${closed}`, hint: dropTls },
    plaintext: { what: `a peer speaks no TLS on ${port}, which has TLS; ${closed}`, hint: addTls },
    other: { what: `a peer speaks neither gRPC nor HTTP on ${port}; ${closed}`, hint: stranger },
    silent: { what: `a peer connected to ${port} and said nothing; ${closed}`, hint: stranger },
    'too-many': {
      what: `too many connections to ${port}; new ones are closed`,
      hint: `${needs} who holds them (docs/limits.md)`,
    },
    'too-many-of-peer': {
      what: `too many connections of one address to ${port}; its new ones are closed`,
      hint: `${needs} what this peer is (docs/limits.md)`,
    },
    address: {
      what: `a peer whose address is not in ${section}.allowedPeers connected to ${port}; ${closed}`,
      hint: `where it is ${client}, add its address, or the range of its pods, to ${section}.allowedPeers`,
    },
    'no-tls-files': {
      what: `a peer was turned away from ${port}, as its TLS files can't be used`,
      hint: `isthmus check and the log say what is wrong with ${section}.tls`,
    },
    handshake: {
      what: `a TLS handshake on ${port} has failed; ${closed}`,
      hint: `where it is ${client}: it has to know the CA of ${section}.tls.cert, and dial by a name that is in it (docs/tls.md)`,
    },
    'no-http2': { what: `a peer speaks TLS on ${port}, and no HTTP/2 within; ${closed}`, hint: stranger },
    'no-certificate': {
      what: `a peer showed no certificate on ${port}; ${closed}`,
      hint: `clients need one because of ${section}.tls.clientCa; no istiod has one (docs/tls.md)`,
    },
    'bad-certificate': {
      what: `a peer showed a certificate on ${port} that can't be believed; ${closed}`,
      hint: `it has to be signed by a CA of ${section}.tls.clientCa, and be valid by the clock of this host`,
    },
    'unknown-identity': {
      what: `a peer that may not come in showed its certificate on ${port}; ${closed}`,
      hint: `where it may, add one of its names to ${section}.tls.allowedIdentities`,
    },
  };
}

/** Tells the operator of those who were turned away, in few lines however many they are. */
export function logTurnedAway(port: Port, clock: Clock, log: Logger): (turnedAway: TurnedAway) => void {
  const throttle = new Throttle<TurnedAway['why']>(clock, logEveryMs);
  const words = wordsOf(port);
  return ({ why, peer, said }) => {
    const before = throttle.pass(why);
    if (before === undefined) return;
    const { what, hint } = words[why];
    log.warn({ peer, ...(said === undefined ? {} : { said }), ...(before > 0 ? { before } : {}), hint }, what);
  };
}
