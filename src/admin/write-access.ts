import type { IncomingHttpHeaders } from 'node:http';
import { isLoopback } from '../net/address.ts';

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
