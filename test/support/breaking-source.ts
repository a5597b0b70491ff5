import { createServer, type Socket } from 'node:net';
import { frame, hasCall, headersFrame } from './http2-frames.ts';
import { listen } from './listeners.ts';

/** On the port of a legacy server: ends each call, breaks HTTP/2 in the same packet, and never closes a connection. */
export class BreakingSource {
  /** Calls so far. */
  calls = 0;
  /** That are open. */
  connections = 0;

  /** Listens on 127.0.0.1 as long as the test lasts. */
  static async listen(): Promise<{ source: BreakingSource; port: number }> {
    const source = new BreakingSource();
    const port = await listen(createServer((socket) => source.#serve(socket)));
    return { source, port };
  }

  #serve(socket: Socket): void {
    this.connections++;
    socket.on('close', () => {
      this.connections--;
    });
    let came = Buffer.alloc(0);
    let isAnswered = false;
    socket.on('data', (bytes: Buffer) => {
      came = Buffer.concat([came, bytes]);
      if (isAnswered || !hasCall(came)) return;
      isAnswered = true;
      const end = { ':status': '200', 'content-type': 'application/grpc', 'grpc-status': '14', 'grpc-message': 'no' };
      const dataOnNoStream = frame('DATA', 0, 0, Buffer.from('xx'));
      socket.write(Buffer.concat([headersFrame(1, end, true), dataOnNoStream]));
      this.calls++;
    });
    socket.write(frame('SETTINGS', 0, 0));
  }
}
