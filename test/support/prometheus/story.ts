import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { freePort } from '../../peers/support/ports.ts';
import { inDays, issue } from '../certificates.ts';
import { Cli } from '../cli.ts';
import { nodeIds } from '../fake-istiod.ts';
import { samplesOf } from '../metric-samples.ts';
import { ScriptedSink } from '../scripted-sink.ts';
import { tempFolder } from '../temp-folder.ts';
import { TlsFolder } from '../tls-folder.ts';
import { until } from '../until.ts';
import type { Prometheus } from './install.ts';
import { type Pace, rulesAt } from './pace.ts';
import { PrometheusServer } from './server.ts';
import { StoryIstiod } from './story-istiod.ts';
import { StorySource } from './story-source.ts';

/** What a step may have fired, and when, in seconds since 1970. */
export type Window = { readonly alerts: readonly string[]; readonly from: number; readonly to: number };

/** What a story has left behind. */
export type Told = {
  readonly prometheus: PrometheusServer;
  readonly pace: Pace;
  /** Seconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly windows: readonly Window[];
  /** Alerts that fired in the steps that are about them. */
  readonly fired: readonly string[];
};

const secondsNow = (): number => Date.now() / 1000;

type PortName = 'galley' | 'other' | 'lively' | 'xds' | 'admin' | 'metrics' | 'legacy';

/** A bridge as a process of its own, between three sources and three istiods, in everything that may happen to it. */
export class Story {
  readonly pace: Pace;
  /** The one that is lost. */
  readonly galley = new StorySource();
  /** The one that misbehaves; it has some of the same. */
  readonly other = new StorySource();
  /** The one that has something new to say all the time. */
  readonly lively = new StorySource();
  readonly #tls = new TlsFolder();
  readonly #state = tempFolder();
  readonly #windows: Window[] = [];
  readonly #fired = new Set<string>();
  readonly #from = secondsNow();
  #scrapedSince = 0;
  #prometheus!: PrometheusServer;
  #istiods: StoryIstiod[] = [];
  #ports: Record<PortName, number> = { galley: 0, other: 0, lively: 0, xds: 0, admin: 0, metrics: 0, legacy: 0 };
  #config = '';
  #cli: Cli | undefined;
  #ticking: NodeJS.Timeout | undefined;
  #ticks = 0;

  constructor(pace: Pace) {
    this.pace = pace;
  }

  /** Starts Prometheus, and nothing else. */
  async begin(found: Prometheus): Promise<void> {
    for (const name of Object.keys(this.#ports) as PortName[]) this.#ports[name] = await freePort();
    const { xds, metrics } = this.#ports;
    this.#config = join(tempFolder(), 'isthmus.yaml');
    this.#istiods = [nodeIds.from112, nodeIds.from112, nodeIds.upTo111].map((node) => new StoryIstiod(xds, node));
    const target = `127.0.0.1:${metrics}`;
    this.#prometheus = await PrometheusServer.start(found, rulesAt(this.pace), target, this.pace.everyMs);
    onTestFinished(async () => {
      clearInterval(this.#ticking);
      this.leave();
      for (const source of [this.galley, this.other, this.lively]) await source.kill();
    });
  }

  /** Three istiods: one that is slow or hangs when it is told to, another one, and one up to 1.11. */
  get istiods(): readonly [StoryIstiod, StoryIstiod, StoryIstiod] {
    return this.#istiods as unknown as [StoryIstiod, StoryIstiod, StoryIstiod];
  }

  startGalley(): Promise<void> {
    return this.galley.start(this.#ports.galley);
  }

  startOthers(): Promise<unknown> {
    return Promise.all([this.other.start(this.#ports.other), this.lively.start(this.#ports.lively)]);
  }

  /** From now on, something changes all the time. */
  keepChanging(): void {
    const tick = () => this.lively.say({ 'live/steady': 'the same', 'live/changing': `tick-${++this.#ticks}` });
    tick();
    this.#ticking = setInterval(tick, this.pace.tickMs);
  }

  /** A source is gone while our answer to it cannot leave. */
  async breakOff(): Promise<void> {
    const taken = () => this.#sum('isthmus_source_acks_total', { source: 'other' });
    const before = await taken();
    await this.other.breakOff(() => until('its message is taken', async () => (await taken()) > before));
    await until('the failure is counted', async () => (await this.#sum('istio_mcp_send_failures_total')) > 0);
  }

  /** An old Pilot that refuses something, a stranger, a source that says what nobody has asked for. */
  async oddities(): Promise<void> {
    const pilot = new ScriptedSink(this.#ports.legacy);
    pilot.onMessage = ({ collection, nonce }) =>
      pilot.request(collection, nonce, { errorDetail: { code: 3, message: 'it does not like that' } });
    pilot.request('istio/networking/v1alpha3/serviceentries');
    pilot.request('istio/rbac/v1alpha1/serviceroles');
    await until('the old Pilot has both', () => pilot.messages.length >= 2);
    this.other.sayUnasked();
    await this.scrapes(4);
    await pilot.close();
    await fetch(`http://127.0.0.1:${this.#ports.xds}/`).catch(() => {});
    await this.scrapes(4);
  }

  /** @param more mistakes, for one. */
  configure(more: object = {}): void {
    const { galley, other, lively, xds, admin, metrics, legacy } = this.#ports;
    const local = (port: number) => `127.0.0.1:${port}`;
    const config = {
      sources: [
        { name: 'galley', address: `mcp://${local(galley)}`, countDropped: true },
        { name: 'other', address: `mcp://${local(other)}`, maxMessage: '5MiB' },
        { name: 'lively', address: `mcp://${local(lively)}` },
      ],
      xds: { listen: local(xds) },
      admin: { listen: local(admin) },
      metrics: { listen: local(metrics) },
      sink: { listen: '127.0.0.1:0', tls: { cert: join(this.#tls.path, 'a.crt'), key: join(this.#tls.path, 'a.key') } },
      legacy: { listen: local(legacy) },
      // The services of this story have a host and nothing else.
      quarantine: { invalid: 'report' },
      stateDir: this.#state,
      ...more,
    };
    writeFileSync(this.#config, JSON.stringify(config));
  }

  async certify(days: number): Promise<void> {
    this.#tls.put('a', await issue(undefined, ['isthmus.mesh'], { to: inDays(days) }));
  }

  /** Puts another certificate there, and not its key. */
  async tearCertificate(): Promise<void> {
    this.#tls.write('a.crt', (await issue(undefined, ['isthmus.mesh'])).cert);
  }

  async startBridge(): Promise<void> {
    this.#cli = new Cli(['serve', '--config', this.#config]);
    await this.#cli.says('stderr', /Isthmus is listening/);
    if (this.#scrapedSince === 0) this.#scrapedSince = Date.now();
  }

  async stopBridge(): Promise<void> {
    this.#cli?.signal('SIGTERM');
    await this.#cli?.end();
  }

  /** Lets no file be written there. */
  blockState(): void {
    rmSync(this.#stateFiles, { recursive: true });
    writeFileSync(this.#stateFiles, 'in the way');
  }

  unblockState(): void {
    rmSync(this.#stateFiles);
    mkdirSync(this.#stateFiles);
  }

  get #stateFiles(): string {
    return join(this.#state, 'last-known-good');
  }

  readConfigAgain(): void {
    this.#cli?.signal('SIGHUP');
  }

  connect(): void {
    for (const istiod of this.#istiods) istiod.connect();
  }

  leave(): void {
    for (const istiod of this.#istiods) istiod.leave();
  }

  /** While this goes on, these alerts may fire; no others, unless another step that goes on is about them. */
  async during(alerts: readonly string[], body: () => Promise<unknown>): Promise<void> {
    const from = secondsNow();
    await body();
    // What Prometheus has seen last, it may say a moment later.
    this.#windows.push({ alerts, from, to: secondsNow() + (4 * this.pace.everyMs) / 1000 });
  }

  /** Waits until these alerts fire. */
  fires(...alerts: readonly string[]): Promise<unknown> {
    return this.#until(`these fire: ${alerts.join(', ')}`, (firing) => alerts.every((name) => firing.has(name)));
  }

  /** Waits until none of these alerts fires any more. */
  resolves(...alerts: readonly string[]): Promise<unknown> {
    const what = `these do not fire any more: ${alerts.join(', ')}`;
    return this.#until(what, (firing) => alerts.every((name) => !firing.has(name)));
  }

  /** So many minutes of life. */
  lasts(minutes: number): Promise<unknown> {
    return pause((minutes * 60_000) / this.pace.waits);
  }

  scrapes(count: number): Promise<unknown> {
    return pause(count * this.pace.everyMs);
  }

  /** Waits until the bridge was there for so many minutes of life. */
  async hasBeenThere(minutes: number): Promise<void> {
    await pause(Math.max(0, this.#scrapedSince + (minutes * 60_000) / this.pace.waits - Date.now()));
    await this.scrapes(2);
  }

  /** What it has left behind. */
  end(): Told {
    const [windows, fired] = [this.#windows, [...this.#fired]];
    return { prometheus: this.#prometheus, pace: this.pace, from: this.#from, to: secondsNow(), windows, fired };
  }

  async #until(what: string, isSo: (firing: ReadonlySet<string>) => boolean): Promise<unknown> {
    const { waits, windows } = this.pace;
    const patience = { timeoutMs: 90_000 + (30 * 60_000) / waits + (10 * 60_000) / windows, everyMs: 100 };
    return until(
      what,
      async () => {
        const firing = new Set((await this.#prometheus.firing()).map(({ alertname = '' }) => alertname));
        for (const name of firing) this.#fired.add(name);
        return isSo(firing);
      },
      patience,
    );
  }

  /** The sum of a metric of the bridge over all series with these labels. */
  async #sum(metric: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const samples = samplesOf(await (await fetch(`http://127.0.0.1:${this.#ports.metrics}/metrics`)).text());
    return samples
      .filter(
        (one) => one.name === metric && Object.entries(labels).every(([name, value]) => one.labels[name] === value),
      )
      .reduce((sum, { value }) => sum + value, 0);
  }
}
