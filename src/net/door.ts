import { constants } from 'node:http2';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Clock, Timer } from '../model/clock.ts';
import type { turnedAwayReasons } from '../model/turned-away.ts';
import { formatHostPort } from './address.ts';
import type { AllowedPeers } from './allowed-peers.ts';
import { firstLine } from './protocol-hint.ts';
import { explainHandshake, faultOfClient, type ServerTls, shakeHands } from './tls-server.ts';

/** Connections that a listener keeps, and how long they may take to begin. */
export type DoorLimits = {
  /** Of all peers together. */
  readonly connections: number;
  /** Of one address, so that one peer can't keep out all others. */
  readonly connectionsPerPeer: number;
  /** Time until the first bytes have to be there, in milliseconds; with TLS, until the first within. */
  readonly greetingMs: number;
};

export const defaultDoorLimits: DoorLimits = { connections: 1024, connectionsPerPeer: 256, greetingMs: 10_000 };

export type TurnedAway = {
  readonly why: (typeof turnedAwayReasons)[number];
  /** Its address and port. */
  readonly peer: string;
  /** The first line that it sent, where that can be read; of TLS, what was wrong. */
  readonly said?: string;
};

export type DoorOptions = {
  /** What stands behind the door, for the answers: `gRPC (MCP-over-xDS)`. */
  readonly what: string;
  readonly limits: DoorLimits;
  readonly clock: Clock;
  /** @default every address */
  readonly allowedPeers?: AllowedPeers | undefined;
  /** @default plaintext */
  readonly tls?: ServerTls | undefined;
  /** Takes a connection that begins in HTTP/2. */
  readonly admit: (socket: Socket) => void;
  readonly report: (turnedAway: TurnedAway) => void;
};

/** The beginning of every HTTP/2 connection (RFC 9113, 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** By so much of it, a greeting is known. */
const method = preface.subarray(0, 16);

/** An empty SETTINGS frame, and GOAWAY with this code and text: gRPC clients show it. */
function goAway(code: number, text: string): Buffer {
  const frame = Buffer.alloc(9 + 9 + 8);
  frame[3] = 4;
  frame.writeUIntBE(8 + text.length, 9, 3);
  frame[12] = 7;
  frame.writeUInt32BE(code, 22);
  return Buffer.concat([frame, Buffer.from(text, 'latin1')]);
}

/** A connection that was not admitted yet. */
type Visit = {
  /** As it came; within TLS, another socket is spoken through. */
  readonly raw: Socket;
  readonly peer: string;
  readonly tooMany: 'too-many' | 'too-many-of-peer' | undefined;
  readonly timer: Timer;
  /** It was admitted, or turned away. */
  isOver: boolean;
};

/**
 * Looks at each connection before HTTP/2 does. What begins in HTTP/2 goes on to `admit`, as it came, or as what was spoken
 * within TLS. All else is answered in words that its people can read, reported, and closed.
 */
export class Door {
  readonly #options: DoorOptions;
  /** Those that were not admitted yet. */
  readonly #waiting = new Set<Visit>();
  readonly #byPeer = new Map<string, number>();
  #count = 0;

  constructor(options: DoorOptions) {
    this.#options = options;
  }

  /** Takes a new connection. */
  knock(socket: Socket): void {
    const { remoteAddress = '', remotePort = 0 } = socket;
    const { limits, clock, allowedPeers, report, tls } = this.#options;
    const peer = formatHostPort({ host: remoteAddress, port: remotePort });
    socket.on('error', ignore);
    if (allowedPeers?.has(remoteAddress) === false) {
      report({ why: 'address', peer });
      socket.destroy();
      return;
    }
    const ofPeer = this.#byPeer.get(remoteAddress) ?? 0;
    const tooMany =
      this.#count >= limits.connections
        ? 'too-many'
        : ofPeer >= limits.connectionsPerPeer
          ? 'too-many-of-peer'
          : undefined;
    if (tooMany === undefined) {
      this.#count++;
      this.#byPeer.set(remoteAddress, ofPeer + 1);
    }
    // A peer that closes before it has said anything was only looking whether the port is open.
    const timer = clock.after(limits.greetingMs, () => {
      if (!visit.isOver && socket.readable && !socket.writableEnded) report({ why: 'silent', peer });
      visit.isOver = true;
      socket.destroy();
    });
    const visit: Visit = { raw: socket, peer, tooMany, timer, isOver: false };
    this.#waiting.add(visit);
    socket.once('close', () => {
      this.#waiting.delete(visit);
      timer.cancel();
      if (tooMany === undefined) this.#leave(remoteAddress);
    });
    if (tls === undefined) this.#awaitPreface(socket, visit);
    else this.#awaitHello(visit, tls);
  }

  /** Closes what was not admitted. */
  close(): void {
    for (const visit of this.#waiting) {
      visit.isOver = true;
      visit.raw.destroy();
    }
  }

  #leave(address: string): void {
    this.#count--;
    const left = (this.#byPeer.get(address) ?? 1) - 1;
    if (left === 0) this.#byPeer.delete(address);
    else this.#byPeer.set(address, left);
  }

  #awaitHello(visit: Visit, tls: ServerTls): void {
    const { raw, peer, tooMany } = visit;
    readUntil(raw, (said) => {
      // It may become a whole greeting in plaintext.
      if (said.length < method.length && method.subarray(0, said.length).equals(said)) return undefined;
      if (!isHello(said)) return () => this.#refuse(raw, visit, ...this.#answer(peer, said));
      return () => {
        const { material } = tls.identity;
        if (tooMany === undefined && material !== undefined) {
          raw.unshift(said);
          shakeHands(raw, material, (secure) => this.#shaken(secure, visit, tls));
          return;
        }
        // Nothing could be said that it would understand.
        this.#turnAway(visit, { why: tooMany ?? 'no-tls-files', peer });
        raw.destroy();
      };
    });
  }

  #shaken(secure: TLSSocket | Error, visit: Visit, tls: ServerTls): void {
    const { raw, peer, isOver } = visit;
    if (isOver) return;
    if (secure instanceof Error) {
      this.#turnAway(visit, { why: 'handshake', peer, said: explainHandshake(secure) });
      raw.destroy();
      return;
    }
    let error: Error | undefined;
    secure.on('error', (thrown) => {
      error ??= thrown;
    });
    const fault = faultOfClient(secure, tls);
    if (fault === undefined) {
      this.#awaitPreface(secure, visit);
      // Some look at our certificate only when all is done.
      secure.once('close', () => {
        if (!visit.isOver) this.#turnAway(visit, { why: 'handshake', peer, said: explainHandshake(error) });
      });
    } else {
      const answer = goAway(constants.NGHTTP2_INADEQUATE_SECURITY, fault.said.slice(0, 500));
      this.#refuse(secure, visit, { ...fault, peer }, answer);
    }
  }

  #awaitPreface(socket: Socket, visit: Visit): void {
    const { peer, tooMany, timer } = visit;
    readUntil(socket, (said) => {
      const head = said.subarray(0, preface.length);
      if (!head.equals(preface.subarray(0, head.length))) {
        return () => this.#refuse(socket, visit, ...this.#answer(peer, said));
      }
      if (head.length < preface.length) return undefined;
      if (tooMany !== undefined) {
        const answer = goAway(constants.NGHTTP2_ENHANCE_YOUR_CALM, 'too many connections');
        return () => this.#refuse(socket, visit, { why: tooMany, peer }, answer);
      }
      return () => {
        visit.isOver = true;
        timer.cancel();
        this.#waiting.delete(visit);
        socket.unshift(said);
        this.#options.admit(socket);
      };
    });
  }

  #refuse(socket: Socket, visit: Visit, turnedAway: TurnedAway, answer: string | Buffer): void {
    this.#turnAway(visit, turnedAway);
    socket.end(answer);
    // What it still sends is of no interest, but closing at once would take the answer with it.
    socket.resume();
  }

  #turnAway(visit: Visit, turnedAway: TurnedAway): void {
    visit.isOver = true;
    this.#options.report(turnedAway);
  }

  #answer(peer: string, bytes: Buffer): [TurnedAway, string | Buffer] {
    const { what, tls } = this.#options;
    const text = `This port speaks ${what}, ${tls === undefined ? 'without' : 'with'} TLS.\n`;
    // Clients of both sorts know a plaintext answer of HTTP/1 when they see it, and say so.
    const answer =
      'HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Type: text/plain\r\n' +
      `Content-Length: ${text.length}\r\n\r\n${text}`;
    if (isHello(bytes)) return [{ why: 'tls', peer }, answer];
    if (tls !== undefined && bytes.subarray(0, method.length).equals(method)) {
      return [{ why: 'plaintext', peer }, goAway(constants.NGHTTP2_INADEQUATE_SECURITY, text.trim())];
    }
    const said = firstLine(bytes);
    if (!/^[A-Z]+ (\/|\*|http)/.test(said) || said.startsWith('PRI')) return [{ why: 'other', peer, said }, answer];
    // A query may hold a secret.
    return [{ why: 'http1', peer, said: said.replace(/\?.*/, '') }, answer];
  }
}

/** True for the first bytes of a TLS handshake. */
function isHello(bytes: Buffer): boolean {
  return bytes[0] === 0x16 && (bytes.length < 2 || bytes[1] === 3);
}

/** Calls `look` with all that has come so far whenever there is more, until it says what is to be done. */
function readUntil(socket: Socket, look: (said: Buffer) => (() => void) | undefined): void {
  let said = Buffer.alloc(0);
  const read = () => {
    const bytes = socket.read() as Buffer | null;
    if (bytes === null) return;
    said = Buffer.concat([said, bytes]);
    const act = look(said);
    if (act === undefined) return;
    socket.off('readable', read);
    act();
  };
  socket.on('readable', read);
}

function ignore(): void {}
