import type { IncomingMessage, Server } from 'node:http';
import { connect } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';

/** What is behind a port of a Pod: a port of 127.0.0.1, or why there is nothing. */
export type PodPort = { readonly port: number } | { readonly status: number } | { readonly complaint: string };

const path = /^\/api\/v1\/namespaces\/([^/]+)\/pods\/([^/]+)\/portforward\?ports=(\d+)$/;

/**
 * Lets a server forward ports as an API server and a kubelet do: WebSockets of `v4.channel.k8s.io` (channel 0 is data, 1 is what went
 * wrong; both begin with the port).
 */
export function serveForwards(server: Server, find: (pod: string, port: number) => PodPort): void {
  const sockets = new WebSocketServer({
    noServer: true,
    handleProtocols: (offered) => (offered.has('v4.channel.k8s.io') ? 'v4.channel.k8s.io' : false),
  });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const [, , pod = '', port = ''] = path.exec(request.url ?? '') ?? [];
    const found = find(pod, Number(port));
    if ('status' in found) {
      socket.end(`HTTP/1.1 ${found.status} No\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    sockets.handleUpgrade(request, socket, head, (client) => forward(client, Number(port), found));
  });
}

function forward(client: WebSocket, podPort: number, found: { port: number } | { complaint: string }): void {
  const say = (channel: number, data: Buffer) => client.send(Buffer.concat([Buffer.of(channel), data]));
  const announced = Buffer.alloc(2);
  announced.writeUInt16LE(podPort);
  say(0, announced);
  say(1, announced);
  client.on('error', () => {});
  if ('complaint' in found) {
    say(1, Buffer.from(found.complaint));
    client.close();
    return;
  }
  const near = connect({ host: '127.0.0.1', port: found.port });
  near.on('data', (data: Buffer) => say(0, data));
  near.on('error', (error) => say(1, Buffer.from(`error forwarding port ${podPort}: ${error.message}`)));
  near.on('close', () => client.close());
  client.on('message', (data: Buffer) => {
    if (data[0] === 0) near.write(data.subarray(1));
  });
  client.on('close', () => near.destroy());
}
