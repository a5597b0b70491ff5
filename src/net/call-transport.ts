import type { Rope } from '../wire/frame.ts';
import { failCall, type RawServerStream, resetCall } from './grpc.ts';
import type { Unsent } from './unsent.ts';

/** What is looked at of the name of a peer's gRPC library. */
const maxUserAgentLength = 100;

/** A stream that somebody has opened, as those see it who send on it. */
export type CallTransport = {
  /** Calls `hand` once the peer's address has room for another message, and settles as it does. */
  whenRoom(hand: () => Promise<void>): Promise<void>;
  /**
   * Copies the message before it returns. Settles when the peer has taken it off the wire, or rejects when it never
   * will.
   */
  send(message: Rope): Promise<void>;
  /** Ends the stream with a gRPC status, 0 = OK, and drops what the peer has not taken yet, be it the status. */
  end(code: number, details: string): void;
  /** The same, behind what the peer has not taken yet. True where there is something, and {@link reset} may be needed. */
  finish(code: number, details: string): boolean;
  /** Drops what the peer has not taken. */
  reset(): void;
  /** What the peer's gRPC library calls itself; undefined where it does not. */
  readonly userAgent: string | undefined;
};

/** @param ofPeer what waits to be sent to the same address. */
export function transportOf(call: RawServerStream, ofPeer: Unsent): CallTransport {
  const unsent = new Set<() => void>();
  // Whatever becomes of a write of a stream that is gone, it takes no room from others.
  call.on('close', () => {
    for (const forget of unsent) forget();
  });
  const finish = (code: number, details: string) => {
    if (code === 0) call.end();
    else failCall(call, code, details);
    return unsent.size > 0;
  };
  const [userAgent] = call.metadata.get('user-agent');
  return {
    userAgent: userAgent?.toString().slice(0, maxUserAgentLength),
    whenRoom: (hand) => ofPeer.whenRoom(hand),
    send: async (message) => {
      const forget = ofPeer.count(message.length);
      unsent.add(forget);
      try {
        await write(call, message);
      } finally {
        forget();
        unsent.delete(forget);
      }
    },
    end: (code, details) => {
      // A status waits behind what the peer does not read, and with it all that was to be sent.
      if (finish(code, details)) resetCall(call);
    },
    finish,
    reset: () => resetCall(call),
  };
}

/** The callback of `write` fires once flow control has let the bytes out; after a cancel it fires without an error. */
function write(call: RawServerStream, message: Rope): Promise<void> {
  return new Promise((resolve, reject) => {
    if (call.cancelled || call.destroyed) {
      reject(new Error('the stream is gone'));
      return;
    }
    call.write(message as unknown as Buffer, undefined, (error?: Error | null) => {
      if (error === undefined || error === null) resolve();
      else reject(error);
    });
  });
}
