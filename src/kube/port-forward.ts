import type { AddressInfo, Socket } from 'node:net';
import { createServer } from 'node:net';
import { Writable } from 'node:stream';
import type { Cluster } from './cluster.ts';
import { failureOf, type KubeError } from './failure.ts';

/** A port of this host behind which a port of a Pod is. */
export type PortForward = {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Why the last connection did not come about, or ended; undefined where nothing went wrong. */
  readonly failure: () => string | undefined;
  close(): Promise<void>;
};

/** Longest text of a kubelet that is kept. */
const maxText = 500;

/** What is used of the WebSocket that the client opens for each connection. */
type Tunnel = { close(): void; on(event: 'close' | 'error', heard: () => void): unknown };

/**
 * Forwards connections of a free port of 127.0.0.1 to a port of a Pod, as `kubectl port-forward` does: there they come from the
 * Pod's own host. Each connection is one WebSocket to the API server (subresource `pods/portforward`), opened when it is made.
 */
export async function forwardPort(
  cluster: Cluster,
  pod: { readonly namespace: string; readonly name: string },
  podPort: number,
): Promise<PortForward> {
  const client = await import('@kubernetes/client-node');
  const forward = new client.PortForward(cluster.config);
  const sockets = new Set<Socket>();
  let failure: string | undefined;
  const complaints = () =>
    new Writable({
      write(chunk: Buffer, _, done) {
        const text = chunk.toString('utf8').trim();
        if (text !== '') failure = text.slice(0, maxText);
        done();
      },
    });
  const server = createServer((socket) => {
    sockets.add(socket);
    let tunnel: Tunnel | undefined;
    socket.on('error', () => {});
    socket.on('close', () => {
      sockets.delete(socket);
      tunnel?.close();
    });
    // What comes before the tunnel is there waits in the socket.
    socket.pause();
    const open = async () => {
      tunnel = (await forward.portForward(
        pod.namespace,
        pod.name,
        [podPort],
        socket,
        complaints(),
        socket,
      )) as unknown as Tunnel;
      tunnel.on('error', () => {});
      tunnel.on('close', () => socket.end());
      if (socket.destroyed) tunnel.close();
      else socket.resume();
    };
    open().catch((error: unknown) => {
      failure = refusalOf(error, cluster, pod).message;
      socket.destroy();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: '127.0.0.1', port: 0 }, resolve);
  });
  return {
    port: (server.address() as AddressInfo).port,
    failure: () => failure,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** What the WebSocket library says of an answer that opens none: `Unexpected server response: 403`. */
function refusalOf(
  error: unknown,
  cluster: Cluster,
  { namespace, name }: { namespace: string; name: string },
): KubeError {
  // An ErrorEvent, which is no Error.
  const { message } = (typeof error === 'object' && error !== null ? error : {}) as { message?: unknown };
  const text = typeof message === 'string' ? message : '';
  const status = Number(/Unexpected server response: (\d{3})/.exec(text)?.[1] ?? 0);
  const { context, server } = cluster;
  const asked = {
    verb: 'create',
    group: '',
    resource: 'pods/portforward',
    namespace,
    name,
    what: `port-forward to Pod ${namespace}/${name}`,
    context,
    server,
  } as const;
  const said = status === 0 ? text || 'no connection' : '';
  return failureOf(asked, status === 0 ? 503 : status, JSON.stringify({ kind: 'Status', message: said }));
}
