import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Lab } from './lab.ts';

export type Backend = { readonly name: string; readonly port: number; requests(): number };

/** An HTTP server on 127.0.0.1 that answers every request with its name. */
export async function startBackend(lab: Lab, name: string): Promise<Backend> {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    response.writeHead(200, { 'content-type': 'text/plain' }).end(name);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  lab.onClose(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { name, port: (server.address() as AddressInfo).port, requests: () => requests };
}
