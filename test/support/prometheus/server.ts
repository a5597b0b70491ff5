import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { freePort } from '../../peers/support/ports.ts';
import { tempFolder } from '../temp-folder.ts';
import { until } from '../until.ts';
import type { Prometheus } from './install.ts';

/** Values of one series over time. */
export type Series = {
  readonly metric: Readonly<Record<string, string>>;
  /** Seconds since 1970, and the value. */
  readonly values: readonly (readonly [number, string])[];
};

type Answer<T> = { readonly status: string; readonly error?: string; readonly data: T };

/** A real Prometheus on a free port of 127.0.0.1, for as long as the test lasts. */
export class PrometheusServer {
  readonly #url: string;
  readonly #child: ChildProcess;
  #said = '';

  private constructor(port: number, child: ChildProcess) {
    this.#url = `http://127.0.0.1:${port}`;
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#said += text;
      });
    }
  }

  /**
   * @param rules a file of rules, as text.
   * @param target HOST:PORT that it scrapes, as the job `isthmus`.
   * @param everyMs time between two scrapes, and between two looks at the rules.
   */
  static async start(
    { prometheus }: Prometheus,
    rules: string,
    target: string,
    everyMs: number,
  ): Promise<PrometheusServer> {
    const every = `${everyMs}ms`;
    const config = {
      global: { scrape_interval: every, scrape_timeout: every, evaluation_interval: every },
      rule_files: ['rules.yaml'],
      scrape_configs: [{ job_name: 'isthmus', static_configs: [{ targets: [target], labels: { namespace: 'mesh' } }] }],
    };
    const folder = tempFolder({ 'prometheus.yaml': JSON.stringify(config), 'rules.yaml': rules });
    const port = await freePort();
    const child = spawn(
      prometheus,
      [
        `--config.file=${join(folder, 'prometheus.yaml')}`,
        `--storage.tsdb.path=${join(folder, 'data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const server = new PrometheusServer(port, child);
    onTestFinished(() => server.#stop());
    await until('Prometheus is ready', async () => {
      if (child.exitCode !== null) throw new Error(`Prometheus has ended: ${server.#said}`);
      return (await fetch(`${server.#url}/-/ready`)).ok;
    });
    return server;
  }

  /** Its version. */
  async version(): Promise<string> {
    return (await this.#ask<{ readonly version: string }>('/api/v1/status/buildinfo')).version;
  }

  /** What an expression is over a time, in seconds since 1970. */
  async range(expr: string, start: number, end: number, stepSeconds: number): Promise<readonly Series[]> {
    const parts = { query: expr, start: String(start), end: String(end), step: String(stepSeconds) };
    const query = new URLSearchParams(parts);
    const answer = await this.#ask<{ readonly result: readonly Series[] }>(`/api/v1/query_range?${query.toString()}`);
    return answer.result;
  }

  /** Labels of the alerts that fire now. */
  async firing(): Promise<readonly Readonly<Record<string, string>>[]> {
    type Alert = { readonly state: string; readonly labels: Readonly<Record<string, string>> };
    const { alerts } = await this.#ask<{ readonly alerts: readonly Alert[] }>('/api/v1/alerts');
    return alerts.filter(({ state }) => state === 'firing').map(({ labels }) => labels);
  }

  async #ask<T>(path: string): Promise<T> {
    const response = await fetch(`${this.#url}${path}`);
    const answer = (await response.json()) as Answer<T>;
    if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);
    return answer.data;
  }

  async #stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((resolve) => {
      this.#child.once('exit', resolve);
    });
    this.#child.kill('SIGTERM');
    await ended;
  }
}
