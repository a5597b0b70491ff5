import { connect } from 'node:net';

/** Sends these bytes to a port of 127.0.0.1, and returns all that comes back until the peer closes. */
export function exchangeBytes(port: number, request: string | Buffer): Promise<string> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    const socket = connect({ host: '127.0.0.1', port }, () => socket.write(request));
    const settle = () => resolve(Buffer.concat(parts).toString('latin1'));
    socket.setTimeout(40_000, () => socket.destroy(new Error('no answer')));
    socket.on('data', (bytes: Buffer) => parts.push(bytes));
    socket.on('close', settle);
    // A peer that closes while we write is an answer too.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') settle();
      else reject(error);
    });
  });
}
