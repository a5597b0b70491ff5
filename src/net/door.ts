import type { Socket } from 'node:net';
import type { Clock } from '../model/clock.ts';
import { formatHostPort } from './address.ts';
import { firstLine } from './protocol-hint.ts';

/** Connections that a listener keeps, and how long they may take to begin. */
export type DoorLimits = {
  /** Of all peers together. */
  readonly connections: number;
  /** Of one address, so that one peer can't keep out all others. */
  readonly connectionsPerPeer: number;
  /** Time until the first bytes have to be there, in milliseconds. */
  readonly greetingMs: number;
};

export const defaultDoorLimits: DoorLimits = { connections: 1024, connectionsPerPeer: 256, greetingMs: 10_000 };

/** Why a connection was turned away. */
export type TurnedAway = {
  readonly why: 'http1' | 'tls' | 'other' | 'silent' | 'too-many' | 'too-many-of-peer';
  /** Its address and port. */
  readonly peer: string;
  /** The first line that it sent, where that can be read. */
  readonly said?: string;
};

/** The beginning of every HTTP/2 connection (RFC 9113, 3.4). */
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1');

/** An empty SETTINGS frame, and GOAWAY with ENHANCE_YOUR_CALM and this text: gRPC clients show it. */
function goAway(text: string): Buffer {
  const head = Buffer.from([
    0,
    0,
    0,
    4,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    8 + text.length,
    7,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    11,
  ]);
  return Buffer.concat([head, Buffer.from(text, 'latin1')]);
}

/**
 * Looks at each connection before HTTP/2 does. What begins in HTTP/2 goes on to `admit`, as it came. All else is
 * answered in words that its people can read, reported, and closed.
 */
export class Door {
  readonly #limits: DoorLimits;
  readonly #admit: (socket: Socket) => void;
  readonly #report: (turnedAway: TurnedAway) => void;
  readonly #what: string;
  readonly #clock: Clock;
  /** Those that were not admitted yet. */
  readonly #waiting = new Set<Socket>();
  readonly #byPeer = new Map<string, number>();
  #count = 0;

  /** @param what stands behind the door, for the answers: `gRPC (MCP-over-xDS)`. */
  constructor(
    what: string,
    limits: DoorLimits,
    clock: Clock,
    admit: (socket: Socket) => void,
    report: (turnedAway: TurnedAway) => void,
  ) {
    this.#what = what;
    this.#limits = limits;
    this.#clock = clock;
    this.#admit = admit;
    this.#report = report;
  }

  /** Takes a new connection. */
  knock(socket: Socket): void {
    const { remoteAddress = '', remotePort = 0 } = socket;
    const peer = formatHostPort({ host: remoteAddress, port: remotePort });
    const ofPeer = this.#byPeer.get(remoteAddress) ?? 0;
    const tooMany =
      this.#count >= this.#limits.connections
        ? 'too-many'
        : ofPeer >= this.#limits.connectionsPerPeer
          ? 'too-many-of-peer'
          : undefined;
    this.#waiting.add(socket);
    socket.on('error', ignore);
    if (tooMany === undefined) {
      this.#count++;
      this.#byPeer.set(remoteAddress, ofPeer + 1);
    }
    socket.once('close', () => {
      this.#waiting.delete(socket);
      timer.cancel();
      if (tooMany === undefined) this.#leave(remoteAddress);
    });
    const refuse = (turnedAway: TurnedAway, answer: string | Buffer) => {
      socket.off('readable', look);
      this.#report(turnedAway);
      socket.end(answer);
      // What it still sends is of no interest, but closing at once would take the answer with it.
      socket.resume();
    };
    // A peer that closes before it has said anything was only looking whether the port is open.
    const timer = this.#clock.after(this.#limits.greetingMs, () => {
      if (socket.readable && !socket.writableEnded) this.#report({ why: 'silent', peer });
      socket.destroy();
    });
    let said = Buffer.alloc(0);
    const look = () => {
      const bytes = socket.read() as Buffer | null;
      if (bytes === null) return;
      said = Buffer.concat([said, bytes]);
      const head = said.subarray(0, preface.length);
      if (!head.equals(preface.subarray(0, head.length))) refuse(...this.#answer(peer, said));
      else if (head.length < preface.length) return;
      else if (tooMany !== undefined) refuse({ why: tooMany, peer }, goAway('too many connections'));
      else {
        socket.off('readable', look);
        timer.cancel();
        this.#waiting.delete(socket);
        socket.unshift(said);
        this.#admit(socket);
      }
    };
    socket.on('readable', look);
  }

  /** Closes what was not admitted. */
  close(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #leave(address: string): void {
    this.#count--;
    const left = (this.#byPeer.get(address) ?? 1) - 1;
    if (left === 0) this.#byPeer.delete(address);
    else this.#byPeer.set(address, left);
  }

  #answer(peer: string, bytes: Buffer): [TurnedAway, string] {
    // Clients of both sorts know a plaintext answer of HTTP/1 when they see it, and say so.
    const text = `This port speaks ${this.#what}, without TLS.\n`;
    const answer =
      'HTTP/1.1 505 HTTP Version Not Supported\r\nConnection: close\r\nContent-Type: text/plain\r\n' +
      `Content-Length: ${text.length}\r\n\r\n${text}`;
    if (bytes[0] === 0x16 && (bytes.length < 2 || bytes[1] === 3)) return [{ why: 'tls', peer }, answer];
    const said = firstLine(bytes);
    if (!/^[A-Z]+ (\/|\*|http)/.test(said) || said.startsWith('PRI')) return [{ why: 'other', peer, said }, answer];
    // A query may hold a secret.
    return [{ why: 'http1', peer, said: said.replace(/\?.*/, '') }, answer];
  }
}

function ignore(): void {}
