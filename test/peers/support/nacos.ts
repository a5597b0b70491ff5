import { join } from 'node:path';
import type { Child } from './child.ts';
import type { Lab } from './lab.ts';
import { freePort, portOpen } from './ports.ts';
import { Hopeless, until } from './until.ts';

/** Far longer than a test runs: nobody sends the beats that a client of Nacos would. */
const forever = '3600000';

/** What Nacos reflects on, and newer Javas hide. */
const opened = ['java.lang', 'java.lang.reflect', 'java.util', 'java.util.concurrent', 'java.math', 'java.io'];

/** Nacos 2.0.4: a registry that is a legacy MCP server, too. */
export class Nacos {
  /** Of its HTTP API. Its others are 1000 below, and 1000 and 1001 above. */
  readonly port: number;
  /** Of its MCP server, which speaks MCP-over-xDS as well. */
  readonly mcpPort: number;
  readonly #lab: Lab;
  readonly #folder: string;
  #child: Child | undefined;

  private constructor(lab: Lab, folder: string, port: number, mcpPort: number) {
    this.#lab = lab;
    this.#folder = folder;
    this.port = port;
    this.mcpPort = mcpPort;
  }

  /** @param folder where it was built. */
  static async create(lab: Lab, folder: string): Promise<Nacos> {
    for (;;) {
      const port = await freePort();
      const others = [port - 1000, port + 1000, port + 1001];
      const taken = await Promise.all(others.map(portOpen));
      if (!taken.includes(true)) return new Nacos(lab, folder, port, await freePort());
    }
  }

  /** Resolves when its API answers and its MCP server listens. */
  async start(): Promise<void> {
    const home = this.#lab.folder('nacos');
    const child = this.#lab.launch({
      name: 'nacos',
      command: 'java',
      args: [
        '-Xmx256m',
        '-XX:+UseSerialGC',
        '-XX:TieredStopAtLevel=1',
        '-Djava.net.preferIPv4Stack=true',
        ...opened.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`),
        '-Dnacos.standalone=true',
        `-Dnacos.home=${home}`,
        '-Dnacos.server.ip=127.0.0.1',
        '-jar',
        join(this.#folder, 'nacos.jar'),
        `--server.port=${this.port}`,
        `--server.tomcat.basedir=${home}`,
        `--nacos.istio.mcp.server.port=${this.mcpPort}`,
      ],
      env: { LD_PRELOAD: join(this.#folder, 'loopback.so') },
    });
    this.#child = child;
    await until('Nacos listens', async () => {
      if (child.exit) throw new Hopeless(`Nacos ended: ${JSON.stringify(child.exit)}`);
      return (await this.#call('GET', 'operator/metrics')).ok && portOpen(this.mcpPort);
    });
  }

  get pid(): number {
    if (!this.#child) throw new Error('Nacos was not started');
    return this.#child.pid;
  }

  register(serviceName: string, ip: string, port: number, metadata: Readonly<Record<string, string>> = {}) {
    const beats = { 'preserved.heart.beat.timeout': forever, 'preserved.ip.delete.timeout': forever };
    const all = JSON.stringify({ ...metadata, ...beats });
    return this.#must('POST', 'instance', { serviceName, ip, port: String(port), ephemeral: 'true', metadata: all });
  }

  deregister(serviceName: string, ip: string, port: number) {
    return this.#must('DELETE', 'instance', { serviceName, ip, port: String(port), ephemeral: 'true' });
  }

  async #must(method: string, path: string, query: Readonly<Record<string, string>>): Promise<void> {
    const response = await this.#call(method, path, query);
    if (!response.ok) throw new Error(`Nacos answers ${response.status}: ${await response.text()}`);
  }

  #call(method: string, path: string, query: Readonly<Record<string, string>> = {}): Promise<Response> {
    const url = `http://127.0.0.1:${this.port}/nacos/v1/ns/${path}?${String(new URLSearchParams(query))}`;
    return fetch(url, { method, signal: AbortSignal.timeout(5000) });
  }
}
