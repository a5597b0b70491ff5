import type { ClientDuplexStream } from '@grpc/grpc-js';
import {
  guarded,
  listen,
  nameOf,
  newClient,
  newServer,
  openStream,
  type RawServerStream,
  serviceOf,
} from '../../src/net/grpc.ts';
import { encodeRequestResources } from '../../src/wire/legacy-messages.ts';
import { aggregatedDiscovery, resourceSource } from '../../src/wire/services.ts';
import { decodeDiscoveryRequest } from '../../src/wire/xds-messages.ts';
import { answer } from './ipc.ts';
import { collection } from './service-entries.ts';

export type HopCommands = { listen(sourcePort: number): Promise<number> };

/** A message of the source, as the middle under test has understood it. */
export type Converted = {
  /** The nonce to acknowledge. */
  readonly nonce: string;
  /** The message for one client. */
  response(nonce: string): Buffer;
};

/** The two gRPC hops that a middle consists of but for what it does with a message. */
export function hop(convert: (message: Buffer) => Converted): void {
  const clients = new Set<RawServerStream>();
  let latest: Converted | undefined;
  let sent = 0;

  function subscribe(port: number): void {
    const client = newClient({ host: '127.0.0.1', port }, { 'grpc.max_receive_message_length': 2 ** 31 - 1 });
    const stream = openStream(client, resourceSource()) as ClientDuplexStream<Buffer, Buffer>;
    const request = (responseNonce: string) =>
      encodeRequestResources({ sinkNode: { id: '', annotations: {} }, collection, responseNonce, incremental: false });
    stream.on('data', (message: Buffer) => {
      latest = convert(message);
      stream.write(request(latest.nonce));
      for (const call of clients) call.write(latest.response(String(++sent)));
    });
    stream.on('error', (error) => {
      throw error;
    });
    stream.write(request(''));
  }

  function serve(call: RawServerStream): void {
    call.on('data', (bytes: Buffer) => {
      if (decodeDiscoveryRequest(bytes).responseNonce !== '') return;
      clients.add(call);
      if (latest !== undefined) call.write(latest.response(String(++sent)));
    });
    call.on('close', () => clients.delete(call));
    call.on('cancelled', () => clients.delete(call));
  }

  const commands: HopCommands = {
    async listen(sourcePort) {
      const server = newServer();
      const method = aggregatedDiscovery();
      server.addService(serviceOf(method), { [nameOf(method)]: guarded(serve) });
      const port = await listen(server, { host: '127.0.0.1', port: 0 }, 'middle');
      subscribe(sourcePort);
      return port;
    },
  };
  answer(commands);
}
