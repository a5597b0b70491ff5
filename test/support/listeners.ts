import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** Lets a server listen on 127.0.0.1 as long as the test lasts; port 0 = any free one. */
export async function listen(server: Server, port = 0): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  });
  server.listen({ host: '127.0.0.1', port, exclusive: true });
  await once(server, 'listening');
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  return (server.address() as AddressInfo).port;
}

/**
 * A port of 127.0.0.1 that takes connections and never says a word, as long as the test lasts.
 * @param port 0 = any free one. Rejects where it is in use.
 */
export function occupyPort(port = 0): Promise<number> {
  return listen(createServer(), port);
}

/** A port of 127.0.0.1 that takes connections and closes them without a word. */
export function hangUp(): Promise<number> {
  return listen(createServer((socket) => socket.destroy()));
}

/** An HTTP server that answers every question with this. */
export function answerWith(status: number, body: string): Promise<number> {
  return listen(
    createHttpServer((_, response) => response.writeHead(status).end(body)),
    0,
  );
}
