import { describe, inject } from 'vitest';

/** Real programs that the suites run, by the name under which they are asked for; `istiod` is 1.24.0, `etcd` 3.6.4, `kube-apiserver` 1.34.4. */
export type PeerName =
  | 'galley'
  | 'mcp-source-1.5.10'
  | 'mcp-source-1.8-dev'
  | 'istiod'
  | 'istiod-1.16.5'
  | 'pilot-1.5.10'
  | 'pilot-1.8-dev'
  | 'validator-1.24.0'
  | 'validator-1.16.5'
  | 'nacos-2.0.4'
  | 'envoy'
  | 'chromium'
  | 'etcd'
  | 'kube-apiserver';

/** A path to the program, or why there is none. */
export type Peer = { readonly path: string } | { readonly absent: string };

export type Peers = Readonly<Record<PeerName, Peer>>;

declare module 'vitest' {
  export interface ProvidedContext {
    peers: Peers;
  }
}

/** Paths of the programs that were asked for. */
export type Binaries<Name extends PeerName> = Readonly<Record<Name, string>>;

/** A suite that needs real peers. It is skipped, with the reason in its title, when one of them cannot be had. */
export function describeWithPeers<Name extends PeerName>(
  title: string,
  needed: readonly Name[],
  body: (binaries: Binaries<Name>) => void,
): void {
  const peers = inject('peers');
  const binaries: Partial<Record<Name, string>> = {};
  const absent: string[] = [];
  for (const name of needed) {
    const peer = peers[name];
    if ('path' in peer) binaries[name] = peer.path;
    else absent.push(peer.absent);
  }
  if (absent.length === 0) describe(title, () => body(binaries as Binaries<Name>));
  // A skipped suite must hold a test, or the runner takes it for an empty file.
  else describe.skip(`${title} (skipped: ${[...new Set(absent)].join('; ')})`, () => body({} as Binaries<Name>));
}
