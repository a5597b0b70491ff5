import { connect, createServer, type Socket } from 'node:net';
import { listen } from './listeners.ts';

type Pair = { readonly near: Socket; readonly far: Socket };

/** A relay of TCP between a port of its own and another: what stands between two peers, and may fail them. */
export class TcpRelay {
  readonly port: number;
  /** Where new connections go. */
  target: number;
  readonly #pairs = new Set<Pair>();

  private constructor(port: number, target: number, pairs: Set<Pair>, relay: (near: Socket) => void) {
    this.port = port;
    this.target = target;
    this.#pairs = pairs;
    this.#relay = relay;
  }

  readonly #relay: (near: Socket) => void;

  /** Listens on 127.0.0.1 as long as the test lasts. */
  static async to(target: number): Promise<TcpRelay> {
    const pairs = new Set<Pair>();
    const server = createServer((near) => relay.#relay(near));
    const port = await listen(server);
    const relay: TcpRelay = new TcpRelay(port, target, pairs, (near) => {
      const far = connect({ host: '127.0.0.1', port: relay.target });
      const pair = { near, far };
      pairs.add(pair);
      for (const [from, to] of [
        [near, far],
        [far, near],
      ] as const) {
        from.on('error', () => {});
        from.pipe(to);
        from.on('close', () => {
          pairs.delete(pair);
          to.destroy();
        });
      }
    });
    return relay;
  }

  /** Open connections. */
  get connections(): number {
    return this.#pairs.size;
  }

  /**
   * From now on, nothing of the present connections gets through: what is sent is taken, and lost, as by a host that is
   * gone while something in between still acknowledges.
   * @param direction `up`: what those who dialled send; `down`: what they are sent.
   */
  freeze(direction: 'up' | 'down' | 'both'): void {
    for (const { near, far } of this.#pairs) {
      if (direction !== 'down') lose(near, far);
      if (direction !== 'up') lose(far, near);
    }
  }

  /** Breaks the present connections. */
  drop(): void {
    for (const { near, far } of this.#pairs) {
      near.destroy();
      far.destroy();
    }
  }
}

function lose(from: Socket, to: Socket): void {
  from.unpipe(to);
  from.resume();
}
