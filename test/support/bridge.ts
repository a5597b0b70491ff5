import { onTestFinished } from 'vitest';
import { App, type AppOptions, type BoundPorts } from '../../src/app.ts';
import { type ConfigInput, configSchema } from '../../src/config/schema.ts';
import { SourceServer } from '../../src/legacy/source-server.ts';
import type { SourceView } from '../../src/legacy/source.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import { MemoryLogger } from './memory-logger.ts';
import { until } from './until.ts';

const anyPort = { host: '127.0.0.1', port: 0 };

/** A legacy server on 127.0.0.1 that lives as long as the test. */
export async function startSource(view: SourceView): Promise<{ server: SourceServer; address: string }> {
  const server = new SourceServer(view);
  const port = await server.listen(anyPort);
  onTestFinished(() => server.stop(0));
  return { server, address: `mcp://127.0.0.1:${port}` };
}

/** Parts of a bridge that are others than the product's. */
type Parts = Partial<Pick<AppOptions, 'clock' | 'random' | 'keepalive'>>;

/** A whole bridge in this process, on free ports of 127.0.0.1. */
export class Bridge {
  readonly app: App;
  readonly ports: BoundPorts;
  /** What it has logged. */
  readonly log: MemoryLogger;
  readonly #write: (settings: ConfigInput) => void;

  private constructor(app: App, ports: BoundPorts, log: MemoryLogger, write: (settings: ConfigInput) => void) {
    this.app = app;
    this.ports = ports;
    this.log = log;
    this.#write = write;
  }

  /** Starts it, for as long as the test lasts; name → view of the sources that feed it. */
  static async start(sources: Readonly<Record<string, SourceView>>, settings: ConfigInput = {}): Promise<Bridge> {
    const dialled = await Promise.all(
      Object.entries(sources).map(async ([name, view]) => ({ name, address: (await startSource(view)).address })),
    );
    return Bridge.of({ sources: dialled, ...settings });
  }

  /** The same, with sources that are there already. */
  static async of(settings: ConfigInput, parts: Parts = {}): Promise<Bridge> {
    const listen = '127.0.0.1:0';
    const configOf = (written: ConfigInput) =>
      configSchema.parse({
        debounce: { after: '1ms' },
        // The services of most tests have a host and nothing else.
        quarantine: { invalid: 'ignore' },
        shutdownGrace: '100ms',
        metrics: { listen },
        ...written,
        xds: { listen, ...written.xds },
        admin: { listen, ...written.admin },
      });
    let file = settings;
    const log = new MemoryLogger();
    const app = new App({
      config: configOf(settings),
      logOf: () => log,
      metrics: createMetrics('1.2.3'),
      version: '1.2.3',
      configFile: 'isthmus.yaml',
      readConfig: async () => configOf(file),
      ...parts,
    });
    const ports = await app.start();
    onTestFinished(() => app.stop());
    return new Bridge(app, ports, log, (written) => {
      file = { ...settings, ...written };
    });
  }

  /** Writes the config that it was started with, but for these settings; returns once the bridge has read it. */
  async reload(settings: ConfigInput): Promise<void> {
    this.#write(settings);
    await this.app.reload();
  }

  get adminUrl(): string {
    return `http://127.0.0.1:${this.ports.admin}`;
  }

  get metricsUrl(): string {
    return `http://127.0.0.1:${this.ports.metrics}`;
  }

  /** Asks the admin listener. */
  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(`${this.adminUrl}${path}`, init);
  }

  /** JSON of an admin page. */
  async page<T>(path: string): Promise<T> {
    const response = await this.fetch(path);
    if (!response.ok) throw new Error(`${path} answers ${response.status}`);
    return (await response.json()) as T;
  }

  /** Returns once everything is complete. */
  async complete(): Promise<void> {
    await until('everything is complete', async () => (await this.fetch('/syncz')).ok);
  }
}
