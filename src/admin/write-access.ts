import type { IncomingHttpHeaders } from 'node:http';
import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import { isLoopback } from '../net/address.ts';
import { Throttle } from '../net/throttle.ts';
import type { WriteToken } from './write-token.ts';

/** What counts of a request. */
type Asked = {
  readonly socket: { readonly remoteAddress?: string | undefined };
  readonly headers: IncomingHttpHeaders;
};

/**
 * Why a request may not change anything; undefined where it may. Only this host may, and no page of another site in a
 * browser on it: those send an `Origin` of their own, or a `Host` that a name server of theirs has led here.
 */
export function whyNoWrite({ socket, headers }: Asked): string | undefined {
  const peer = (socket.remoteAddress ?? '').replace(/^::ffff:/, '');
  // Not all of 127/8: what a sidecar of Istio lets in from other hosts comes from 127.0.0.6.
  if (peer !== '127.0.0.1' && peer !== '::1')
    return 'this is for requests from the host of the bridge alone; send it there, to a loopback address';
  const host = urlOf(`http://${headers.host ?? ''}`);
  if (host === undefined || !isLoopback(host.hostname.replaceAll(/[[\]]/g, '')))
    return 'the Host of the request is no loopback address; ask localhost or 127.0.0.1';
  const { origin } = headers;
  const isOwn = origin === undefined || urlOf(origin)?.host === host.host;
  const site = headers['sec-fetch-site'] ?? 'none';
  if (!isOwn || (site !== 'none' && site !== 'same-origin')) return 'pages of other sites may not do this';
  return undefined;
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** Why a request may not change anything, and its status of HTTP. */
export type Refusal = { readonly status: 401 | 403; readonly error: string };

/** Undefined where the request may change something. */
export type MayWrite = (asked: Asked) => Promise<Refusal | undefined>;

/** Wrong tokens are told of so often at most. */
const tellEveryMs = 60_000;

/**
 * Who may change something: this host, as {@link whyNoWrite} says; and whoever brings the token, from anywhere. A page of
 * another site does not know it.
 * @param token undefined: nobody else.
 */
export function mayWriteBy(token: WriteToken | undefined, clock: Clock, log: Logger): MayWrite {
  const throttle = new Throttle<string>(clock, tellEveryMs);
  return async (asked) => {
    const error = whyNoWrite(asked);
    if (error === undefined) return undefined;
    if (token === undefined) return { status: 403, error };
    const [, given] = /^Bearer +(\S+)$/i.exec(asked.headers.authorization ?? '') ?? [];
    if (given !== undefined && (await token.is(given))) return undefined;
    const peer = asked.socket.remoteAddress ?? '';
    const before = throttle.pass(peer);
    const hint = 'take the token of --admin-token-file, or keep others away from the port';
    const what = given === undefined ? 'without the token' : 'with a wrong token';
    if (before !== undefined) {
      log.warn({ peer, ...(before > 0 ? { before } : {}), hint }, `somebody has tried to change something ${what}`);
    }
    const next = 'send Authorization: Bearer TOKEN, of --admin-token-file of the bridge';
    return { status: 401, error: given === undefined ? `${error}; or ${next}` : `the token is not that of the bridge` };
  };
}
