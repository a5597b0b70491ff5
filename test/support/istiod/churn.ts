import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../../src/model/clock.ts';
import { type Cli, startServeWith } from '../cli.ts';
import { until } from '../until.ts';
import { Changes } from './changes.ts';
import { ChangingSource } from './changing-source.ts';
import type { ChurnReport, ChurnSample } from './churn-report.ts';
import { judgeMemory, residentBytes } from './memory-verdict.ts';
import { profiles } from './profile.ts';
import { Random } from './random.ts';
import { Seat } from './seat.ts';
import type { IstiodVersion } from './types.ts';

/** How often each fault happens, against the others. */
const faults = {
  'istiod cut': 6,
  'istiod cut in a request': 2,
  'istiod stream reset': 4,
  'istiod stalls': 5,
  'istiod stalls for more than a minute': 0.5,
  'source ends': 3,
  'source resets': 2,
  'source connections dropped': 2,
  'source breaks in a message': 3,
  'source restart': 1,
  'source away': 1,
};

const resources = 10_000;
const changesPerSecond = 100;
const tickMs = 100;
const sampleMs = 5000;
/** Mean time between two faults. */
const faultMs = 3000;

export type ChurnOptions = {
  readonly durationMs: number;
  readonly seed: number;
  readonly versions: readonly IstiodVersion[];
  /** Of the bridge's process. */
  readonly env: Readonly<Record<string, string>>;
};

/** Watches how long an istiod hears nothing. */
type Silence = { responses: number; sinceMs: number; longestMs: number };

/** What V8 has of a bridge's memory, and what it holds outside of its heap, as its metrics say. */
async function heapOf(admin: number): Promise<{ heapBytes: number; externalBytes: number }> {
  // A connection of its own: one that is kept ends after as long as two samples are apart.
  const response = await fetch(`http://127.0.0.1:${admin}/metrics`, { headers: { connection: 'close' } });
  const text = await response.text();
  const gauge = (name: string): number => Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
  return { heapBytes: gauge('nodejs_heap_size_total_bytes'), externalBytes: gauge('nodejs_external_memory_bytes') };
}

/** A bridge process for as long as `durationMs`, between a source that changes all the time and istiods, all breaking. */
export class Churn {
  readonly seats: Seat[] = [];
  readonly source: ChangingSource;
  readonly #options: ChurnOptions;
  readonly #random: Random;
  readonly #changes: Changes;
  readonly #cli: Cli;
  readonly #admin: number;
  readonly #samples: ChurnSample[] = [];
  readonly #faults: Record<string, number> = {};
  readonly #silences = new Map<Seat, Silence>();
  #made = 0;

  private constructor(
    options: ChurnOptions,
    random: Random,
    source: ChangingSource,
    changes: Changes,
    serve: { cli: Cli; admin: number },
  ) {
    this.#options = options;
    this.#random = random;
    this.source = source;
    this.#changes = changes;
    this.#cli = serve.cli;
    this.#admin = serve.admin;
  }

  /** Everything is up, and every istiod has all resources. */
  static async start(options: ChurnOptions): Promise<Churn> {
    const random = new Random(options.seed);
    const source = await ChangingSource.listen(random, 0.7);
    const changes = new Changes(source, random, {
      fewest: resources / 2 - 100,
      most: resources / 2 + 100,
      weights: { heal: 0.5, stray: 0.2, resend: 0.2, large: 0 },
    });
    changes.fill(resources / 2);
    const serve = await startServeWith(options.env, '--source', `legacy=mcp://127.0.0.1:${source.port}`);
    const churn = new Churn(options, random, source, changes, serve);
    for (const version of options.versions) {
      const parts = { profile: profiles[version], port: serve.xds, history: source.history };
      churn.seats.push(await Seat.take({ ...parts, clock: systemClock, random: Math.random }));
    }
    await churn.#agree();
    return churn;
  }

  /** Runs to the end; what was counted. Throws where the bridge has ended. */
  async run(): Promise<ChurnReport> {
    const { durationMs, seed, env } = this.#options;
    const start = performance.now();
    let faultAt = faultMs;
    let sampleAt = 0;
    for (;;) {
      const now = performance.now() - start;
      if (now >= durationMs) break;
      if (this.#cli.exit !== undefined) throw new Error(`Isthmus has ended: ${this.#cli.stderr.slice(-2000)}`);
      for (const due = (now / 1000) * changesPerSecond; this.#made < due; this.#made++) this.#changes.next();
      this.source.flush();
      if (now >= sampleAt) {
        await this.#sample(now);
        sampleAt += sampleMs;
      }
      if (now >= faultAt) {
        await this.#fault();
        faultAt = performance.now() - start + faultMs * 2 * this.#random.next();
      }
      for (const seat of this.seats) if (seat.isWorn) await seat.restart();
      await pause(tickMs);
    }
    await this.#agree();
    await this.#sample(performance.now() - start);
    const { history } = this.source;
    return {
      durationMs,
      seed,
      env,
      resources,
      changes: this.#made,
      faults: this.#faults,
      samples: this.#samples,
      memory: judgeMemory(this.#samples),
      istiods: this.seats.map((seat) => ({
        version: seat.profile.version,
        disconnects: seat.disconnects + seat.istiod.disconnects,
        restarts: seat.restarts,
        responses: seat.responses,
        longestSilenceMs: this.#silences.get(seat)?.longestMs ?? 0,
        problems: seat.problems.length,
        hasTruth: seat.differences(history).length === 0 && seat.istiod.connected,
      })),
      source: { streams: this.source.streams, messages: this.source.messages },
    };
  }

  async stop(): Promise<void> {
    for (const seat of this.seats) seat.stop();
    await this.source.kill();
  }

  async #sample(atMs: number): Promise<void> {
    let responses = 0;
    for (const seat of this.seats) {
      responses += seat.responses;
      const silence = this.#silences.get(seat) ?? { responses: -1, sinceMs: atMs, longestMs: 0 };
      this.#silences.set(seat, silence);
      if (silence.responses !== seat.responses) silence.sinceMs = atMs;
      silence.responses = seat.responses;
      silence.longestMs = Math.max(silence.longestMs, atMs - silence.sinceMs);
    }
    const bytes = residentBytes(this.#cli.pid);
    this.#samples.push({ atMs, bytes, ...(await heapOf(this.#admin)), changes: this.#made, responses });
  }

  async #fault(): Promise<void> {
    const fault = this.#random.weighted(faults);
    const { istiod } = this.#random.pick(this.seats);
    const { source } = this;
    this.#faults[fault] = (this.#faults[fault] ?? 0) + 1;
    switch (fault) {
      case 'istiod cut':
        istiod.cut();
        break;
      case 'istiod cut in a request':
        istiod.cutInRequest();
        break;
      case 'istiod stream reset':
        istiod.cancel();
        break;
      case 'istiod stalls':
        istiod.stall();
        systemClock.after(1000 + this.#random.below(20_000), () => istiod.resume());
        break;
      case 'istiod stalls for more than a minute':
        istiod.stall();
        systemClock.after(75_000, () => istiod.resume());
        break;
      case 'source ends':
        source.end();
        break;
      case 'source resets':
        source.reset();
        break;
      case 'source connections dropped':
        source.dropConnections();
        break;
      case 'source breaks in a message':
        source.breakInMessage();
        break;
      case 'source restart':
        await source.restart();
        break;
      case 'source away':
        await source.kill();
        await pause(this.#random.below(3000));
        await source.listenAgain();
    }
  }

  /** Changes end; every istiod gets to hold the truth. What differs is left to the report. */
  async #agree(): Promise<void> {
    this.#changes.calm();
    this.source.resend();
    const { history } = this.source;
    const isEqual = (seat: Seat): boolean =>
      seat.istiod.ready && seat.istiod.connected && seat.differences(history).length === 0;
    // An istiod that stalls, or waits for its 60 s, may take so long.
    const patience = { timeoutMs: 300_000, everyMs: 2000 };
    await until('every istiod has the truth', () => this.seats.every(isEqual), patience).catch(() => {});
  }
}
