import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { freePort } from '../../peers/support/ports.ts';
import { inDays, issue } from '../certificates.ts';
import { Cli } from '../cli.ts';
import { ScriptedSink } from '../scripted-sink.ts';
import { nodeIds } from '../fake-istiod.ts';
import { tempFolder } from '../temp-folder.ts';
import { TlsFolder } from '../tls-folder.ts';
import { until } from '../until.ts';
import type { Prometheus } from './install.ts';
import { type Pace, quickRules } from './quick-rules.ts';
import { PrometheusServer, type Series } from './server.ts';
import { services, StorySource } from './story-source.ts';
import { StoryIstiod } from './story-istiod.ts';

/** Time between two scrapes. */
const everyMs = 500;

/** What a step may have fired, and when, in seconds since 1970. */
type Window = { readonly alerts: readonly string[]; readonly from: number; readonly to: number };

/** What a story has left behind. */
export type Told = {
  readonly prometheus: PrometheusServer;
  readonly from: number;
  readonly to: number;
  /** Alerts that fired outside of the steps that are about them. */
  readonly strays: readonly string[];
  /** Alerts that fired in the steps that are about them. */
  readonly fired: readonly string[];
};

const now = (): number => Date.now() / 1000;

/** A bridge as a process of its own, between a source and two istiods, in everything that may happen to it. */
class Story {
  readonly source = new StorySource();
  /** Another one, that has some of the same. */
  readonly other = new StorySource();
  readonly tls = new TlsFolder();
  readonly state = tempFolder();
  readonly windows: Window[] = [];
  readonly fired = new Set<string>();
  prometheus!: PrometheusServer;
  istiods: StoryIstiod[] = [];
  #ports = { source: 0, other: 0, xds: 0, admin: 0, metrics: 0, legacy: 0 };
  #config = '';
  #cli: Cli | undefined;
  readonly #pace: Pace;

  constructor(pace: Pace) {
    this.#pace = pace;
  }

  async begin(found: Prometheus): Promise<void> {
    this.#ports = {
      source: await freePort(),
      other: await freePort(),
      xds: await freePort(),
      admin: await freePort(),
      metrics: await freePort(),
      legacy: await freePort(),
    };
    const { xds, metrics } = this.#ports;
    this.#config = join(tempFolder(), 'isthmus.yaml');
    this.istiods = [nodeIds.from112, nodeIds.upTo111].map((node) => new StoryIstiod(xds, node));
    this.prometheus = await PrometheusServer.start(found, quickRules(this.#pace), `127.0.0.1:${metrics}`, everyMs);
    onTestFinished(async () => {
      await this.source.kill();
      await this.other.kill();
    });
  }

  startSource(): Promise<void> {
    return this.source.start(this.#ports.source);
  }

  startOther(): Promise<void> {
    return this.other.start(this.#ports.other);
  }

  /** What there is besides, now and then: an old Pilot that refuses something, a stranger, sources that misbehave. */
  async oddities(): Promise<void> {
    const pilot = new ScriptedSink(this.#ports.legacy);
    pilot.onMessage = ({ collection, nonce }) =>
      pilot.request(collection, nonce, { errorDetail: { code: 3, message: 'it does not like that' } });
    pilot.request('istio/networking/v1alpha3/serviceentries');
    pilot.request('istio/rbac/v1alpha1/serviceroles');
    await until('the old Pilot has both', () => pilot.messages.length >= 2);
    this.other.sayUnasked();
    await pause(4 * everyMs);
    await pilot.close();
    await fetch(`http://127.0.0.1:${this.#ports.xds}/`).catch(() => {});
    await pause(4 * everyMs);
  }

  /** @param more mistakes, for one. */
  configure(more: object = {}): void {
    const { source, other, xds, admin, metrics, legacy } = this.#ports;
    const local = (port: number) => `127.0.0.1:${port}`;
    const config = {
      sources: [
        { name: 'galley', address: `mcp://${local(source)}`, maxMessage: '5MiB', countDropped: true },
        { name: 'other', address: `mcp://${local(other)}` },
      ],
      xds: { listen: local(xds) },
      admin: { listen: local(admin) },
      metrics: { listen: local(metrics) },
      sink: { listen: '127.0.0.1:0', tls: { cert: join(this.tls.path, 'a.crt'), key: join(this.tls.path, 'a.key') } },
      legacy: { listen: local(legacy) },
      // The services of this story have a host and nothing else.
      quarantine: { invalid: 'report' },
      stateDir: this.state,
      ...more,
    };
    writeFileSync(this.#config, JSON.stringify(config));
  }

  async certify(days: number): Promise<void> {
    this.tls.put('a', await issue(undefined, ['isthmus.mesh'], { to: inDays(days) }));
  }

  async startBridge(): Promise<void> {
    this.#cli = new Cli(['serve', '--config', this.#config]);
    await this.#cli.says('stderr', /Isthmus is listening/);
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
    return join(this.state, 'last-known-good');
  }

  readConfigAgain(): void {
    this.#cli?.signal('SIGHUP');
  }

  connect(): void {
    for (const istiod of this.istiods) istiod.connect();
  }

  leave(): void {
    for (const istiod of this.istiods) istiod.leave();
  }

  /** While this goes on, these alerts may fire; no others. */
  async during(alerts: readonly string[], body: () => Promise<unknown>): Promise<void> {
    const from = now();
    await body();
    // What Prometheus has seen last, it may say a moment later.
    this.windows.push({ alerts, from, to: now() + 2 });
  }

  /** Waits until these alerts fire. */
  fires(...alerts: readonly string[]): Promise<unknown> {
    return until(
      `these fire: ${alerts.join(', ')}`,
      async () => {
        const firing = await this.#firing();
        for (const name of firing) this.fired.add(name);
        return alerts.every((name) => firing.has(name));
      },
      this.#patience(),
    );
  }

  /** Waits until none of these alerts fires any more. */
  resolves(...alerts: readonly string[]): Promise<unknown> {
    return until(
      `these do not fire any more: ${alerts.join(', ')}`,
      async () => {
        const firing = await this.#firing();
        return alerts.every((name) => !firing.has(name));
      },
      this.#patience(),
    );
  }

  #patience() {
    return { timeoutMs: 90_000 + (30 * 60_000) / this.#pace.waits + (10 * 60_000) / this.#pace.windows, everyMs: 100 };
  }

  async #firing(): Promise<Set<string>> {
    return new Set((await this.prometheus.firing()).map(({ alertname = '' }) => alertname));
  }
}

/** Tells the whole of it. */
export async function tellStory(found: Prometheus, pace: Pace): Promise<Told> {
  const story = new Story(pace);
  const from = now();
  await story.begin(found);
  const { source, istiods } = story;
  const all = { ...services(40, 'first'), 'canary/one': 'canary', bare: 'of the default namespace' };
  const lasts = (minutes: number) => pause((minutes * 60_000) / pace.waits + 4 * everyMs);
  /** One late acknowledgement counts for as long as the rate looks back. */
  const outOfWindow = () => pause((5 * 60_000) / pace.windows + 4 * everyMs);
  const recover = () => {
    for (const istiod of istiods) istiod.recover();
  };

  // Nobody is there; and then all are, with a certificate that is about to end.
  const atStart = ['IsthmusAbsent', 'IsthmusSourceDown', 'IsthmusNoIstiodConnected'];
  await story.during([...atStart, 'IsthmusCertificateNearExpiry'], async () => {
    await story.fires('IsthmusAbsent');
    await story.certify(2);
    story.configure();
    source.say(all);
    story.other.say({ 'shop/service-0': 'of another source' });
    await story.startSource();
    await story.startOther();
    await story.startBridge();
    story.connect();
    await story.resolves(...atStart);
    await story.fires('IsthmusCertificateNearExpiry');
    await story.certify(90);
    await story.resolves('IsthmusCertificateNearExpiry');
  });

  // Churn.
  await story.during([], async () => {
    for (let i = 0; i < 20; i++) {
      source.say({ ...all, [`shop/service-${i % 40}`]: `churn-${i}` });
      await pause(300);
    }
    await lasts(2);
  });

  // The istiods are slow, and then one hangs. What was slow is so until it is out of the window of the rate.
  await story.during(['IsthmusPropagationSlow', 'IsthmusIstiodNotAcknowledging'], async () => {
    for (const istiod of istiods) istiod.delayMs = 5000;
    source.say({ ...all, 'shop/service-1': 'slow' });
    await story.fires('IsthmusPropagationSlow');
    recover();
    for (const istiod of istiods.slice(1)) istiod.delayMs = undefined;
    source.say({ ...all, 'shop/service-2': 'hangs' });
    await story.fires('IsthmusIstiodNotAcknowledging');
    await pause(pace.hangsMs);
    recover();
    await story.resolves('IsthmusIstiodNotAcknowledging');
    await outOfWindow();
    await story.resolves('IsthmusPropagationSlow');
  });

  // Bad names come, and are mended.
  await story.during(['IsthmusQuarantineGrowing'], async () => {
    source.say({ ...all, 'no/such/name': 'bad', 'no/other/name': 'bad' });
    await story.fires('IsthmusQuarantineGrowing');
    source.say(all);
    await story.resolves('IsthmusQuarantineGrowing');
  });

  // A message with nothing in it is held.
  await story.during(['IsthmusGuardHolding'], async () => {
    source.say({});
    await story.fires('IsthmusGuardHolding');
    source.say(all);
    await story.resolves('IsthmusGuardHolding');
  });

  // What is odd, and no reason to wake somebody; an istiod refuses something, and takes what comes next.
  await story.during(['IsthmusIstiodNotAcknowledging'], async () => {
    await story.oddities();
    for (const istiod of istiods) istiod.refuses = true;
    source.say({ ...all, 'shop/service-3': 'refused' });
    await pause(4 * everyMs);
    source.say(all);
    await story.resolves('IsthmusIstiodNotAcknowledging');
  });

  // Much comes: near to what is taken, and more than an istiod of 1.11 receives. It lacks that until there is less.
  const tooMuch = ['IsthmusMessageNearLimit', 'IsthmusPushNearLimit'];
  await story.during([...tooMuch, 'IsthmusIstiodNotAcknowledging', 'IsthmusPropagationSlow'], async () => {
    source.say(services(1000, 'large', 4300));
    await story.fires(...tooMuch);
    source.say(services(1000, 'small'));
    await story.resolves(...tooMuch, 'IsthmusIstiodNotAcknowledging');
    await outOfWindow();
    await story.resolves('IsthmusPropagationSlow');
  });

  // A config with a mistake.
  await story.during(['IsthmusConfigRefused'], async () => {
    story.configure({ sources: [{ name: 'galley', adress: 'mistake' }] });
    story.readConfigAgain();
    await story.fires('IsthmusConfigRefused');
    story.configure();
    story.readConfigAgain();
    await story.resolves('IsthmusConfigRefused');
  });

  // Something is in the way of the last-known-good files.
  await story.during(['IsthmusStateNotSaved'], async () => {
    story.blockState();
    source.say(services(1000, 'unsaved'));
    await story.fires('IsthmusStateNotSaved');
    story.unblockState();
    await story.resolves('IsthmusStateNotSaved');
  });

  // The source is lost; the bridge is restarted meanwhile, and serves what it knew; the source comes back.
  const whileRestarted = ['IsthmusAbsent', 'IsthmusNoIstiodConnected'];
  await story.during(['IsthmusSourceDown', 'IsthmusServedStale', ...whileRestarted], async () => {
    await source.kill();
    await story.fires('IsthmusSourceDown');
    await story.stopBridge();
    story.leave();
    await story.startBridge();
    story.connect();
    await story.fires('IsthmusServedStale', 'IsthmusSourceDown');
    await story.startSource();
    await story.resolves('IsthmusServedStale', 'IsthmusSourceDown', ...whileRestarted);
  });

  // All istiods are lost, and come back.
  await story.during(['IsthmusNoIstiodConnected'], async () => {
    story.leave();
    await story.fires('IsthmusNoIstiodConnected');
    story.connect();
    await story.resolves('IsthmusNoIstiodConnected');
  });
  await story.during([], () => lasts(2));
  const to = now();
  return { prometheus: story.prometheus, from, to, strays: await straysOf(story, from, to), fired: [...story.fired] };
}

/** Alerts that have fired when no step was about them. */
async function straysOf({ prometheus, windows }: Story, from: number, to: number): Promise<string[]> {
  const series: readonly Series[] = await prometheus.range('ALERTS{alertstate="firing"}', from, to, 0.5);
  const strays = series.flatMap(({ metric, values }) => {
    const name = metric['alertname'] ?? '';
    const isFine = (at: number) => windows.some((one) => one.alerts.includes(name) && one.from <= at && at <= one.to);
    const at = values.find(([time]) => !isFine(time))?.[0];
    return at === undefined ? [] : [`${JSON.stringify(metric)} ${(at - from).toFixed(1)} s after the beginning`];
  });
  return strays;
}
