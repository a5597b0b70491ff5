import { Agent, request } from 'node:http';

export type Tally = {
  readonly total: number;
  readonly failures: readonly string[];
  readonly byBackend: Map<string, number>;
};

const requestTimeoutMs = 10_000;

function get(port: number, host: string, agent: Agent | undefined): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ host: '127.0.0.1', port, headers: { host }, agent: agent ?? false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
      });
      response.once('end', () => resolve({ status: response.statusCode ?? 0, body }));
      response.once('error', reject);
    });
    outgoing.setTimeout(requestTimeoutMs, () => outgoing.destroy(new Error(`no answer in ${requestTimeoutMs} ms`)));
    outgoing.once('error', reject);
    outgoing.end();
  });
}

/** One request through a proxy on 127.0.0.1, on a connection of its own; the body, if the status is 200. */
export async function fetchThrough(port: number, host: string): Promise<string> {
  const { status, body } = await get(port, host, undefined);
  if (status !== 200) throw new Error(`status ${status}: ${body}`);
  return body;
}

/** Requests without a pause, some on kept connections and some on new ones, counted one by one. */
export class Load {
  readonly #byBackend = new Map<string, number>();
  readonly #failures: string[] = [];
  readonly #workers: Promise<void>[];
  readonly #agent = new Agent({ keepAlive: true });
  #total = 0;
  #stopped = false;

  constructor(port: number, host: string) {
    const kept = [this.#agent, this.#agent, undefined, undefined];
    this.#workers = kept.map((agent) => this.#work(port, host, agent));
  }

  get total(): number {
    return this.#total;
  }

  /** How many requests this backend has answered so far. */
  answeredBy(backend: string): number {
    return this.#byBackend.get(backend) ?? 0;
  }

  /** Lets the requests under way finish. */
  async stop(): Promise<Tally> {
    this.#stopped = true;
    await Promise.all(this.#workers);
    this.#agent.destroy();
    return { total: this.#total, failures: this.#failures, byBackend: this.#byBackend };
  }

  async #work(port: number, host: string, agent: Agent | undefined): Promise<void> {
    while (!this.#stopped) {
      try {
        const { status, body } = await get(port, host, agent);
        if (status === 200) this.#byBackend.set(body, (this.#byBackend.get(body) ?? 0) + 1);
        else this.#failures.push(`status ${status}: ${body}`);
      } catch (error) {
        this.#failures.push(String(error));
      }
      this.#total += 1;
    }
  }
}
