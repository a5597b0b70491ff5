/** A legacy MCP server (`ResourceSource`) with generated ServiceEntries and one subscriber: `source.js SIZE [broken]`. */
import { failCall, guarded, listen, nameOf, newServer, type RawServerStream, serviceOf } from '../../src/net/grpc.ts';
import { decodeRequestResources } from '../../src/wire/legacy-messages.ts';
import { resourceSource } from '../../src/wire/services.ts';
import { answer, sharedNow } from './ipc.ts';
import { type Change, collection, type Expected, ServiceEntries } from './service-entries.ts';

export type SourceCommands = {
  listen(): Promise<{ port: number; messageBytes: number; expected: Expected }>;
  /** Makes the next full state ready to go. */
  prepare(change: Change | 'hundred'): Expected;
  /** Sends it; returns the time at which the write began. */
  push(): number;
};

const invalidArgument = 3;

const entries = new ServiceEntries(Number(process.argv[2]), process.argv[3] === 'broken');
const server = newServer();
let subscriber: RawServerStream | undefined;
let nonce = 1;
let acknowledged = 0;
let message = entries.message(String(nonce));

function serve(call: RawServerStream): void {
  call.on('data', (bytes: Buffer) => {
    const request = decodeRequestResources(bytes);
    if (request.collection !== collection) {
      failCall(call, invalidArgument, `unsupported collection "${request.collection}"`);
    } else if (request.errorDetail !== undefined) {
      throw new Error(`a push was refused: ${request.errorDetail.message}`);
    } else if (request.responseNonce === '') {
      subscriber = call;
      call.write(message);
    } else {
      acknowledged = Number(request.responseNonce);
    }
  });
}

const commands: SourceCommands = {
  async listen() {
    const method = resourceSource();
    server.addService(serviceOf(method), { [nameOf(method)]: guarded(serve) });
    const port = await listen(server, { host: '127.0.0.1', port: 0 }, 'source');
    return { port, messageBytes: message.length, expected: entries.initial };
  },
  prepare(change) {
    if (acknowledged !== nonce) throw new Error(`push ${nonce} was never acknowledged`);
    const expected = entries.change(change);
    message = entries.message(String(++nonce));
    global.gc?.();
    return expected;
  },
  push() {
    const began = sharedNow();
    subscriber?.write(message);
    return began;
  },
};

answer(commands);
