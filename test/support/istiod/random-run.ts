import { setTimeout as pause } from 'node:timers/promises';
import { Bridge } from '../bridge.ts';
import { ScaledClock } from '../scaled-clock.ts';
import { until } from '../until.ts';
import { freePort } from '../../peers/support/ports.ts';
import { Changes } from './changes.ts';
import { ChangingSource } from './changing-source.ts';
import type { IstiodProfile } from './profile.ts';
import { Random } from './random.ts';
import { Seat } from './seat.ts';

/** How often each fault happens, against the others. */
const faults = {
  'istiod cut': 8,
  'istiod cut in a request': 3,
  'istiod stream reset': 6,
  'istiod stalls': 4,
  'istiod restart': 2,
  'source ends': 4,
  'source fails': 3,
  'source resets': 3,
  'source says goaway': 2,
  'source connections dropped': 2,
  'source breaks in a message': 5,
  'source restart': 3,
  'source away': 2,
  'bridge restart': 2,
};

/** Time passes so many times faster than by the clock on the wall. */
const speed = 40;

export type RunOptions = {
  readonly profiles: readonly IstiodProfile[];
  readonly seed: number;
  /** Changes and faults together. */
  readonly steps: number;
  /** How many of the steps are faults, 0 to 1. */
  readonly faultRate: number;
};

/** What a run counted. */
export type RunReport = {
  readonly counts: Readonly<Record<string, number>>;
  readonly checks: number;
};

/** One bridge between a source that changes and breaks at random, and istiods that break at random. */
export class RandomRun {
  readonly seats: Seat[] = [];
  readonly source: ChangingSource;
  readonly #options: RunOptions;
  readonly #random: Random;
  readonly #clock = new ScaledClock(speed);
  readonly #changes: Changes;
  readonly #port: number;
  /** What was done, step by step: to be read after a failure. */
  readonly journal: string[] = [];
  #bridge: Bridge | undefined;

  private constructor(options: RunOptions, random: Random, source: ChangingSource, port: number) {
    this.#options = options;
    this.#random = random;
    this.source = source;
    this.#port = port;
    this.#changes = new Changes(source, random);
  }

  /** Everything is up, and every istiod has what there is. */
  static async start(options: RunOptions): Promise<RandomRun> {
    const random = new Random(options.seed);
    const source = await ChangingSource.listen(random, 0.5);
    const run = new RandomRun(options, random, source, await freePort());
    run.#changes.fill(20);
    await run.#startBridge();
    const { history } = source;
    for (const profile of options.profiles) {
      const parts = { profile, port: run.#port, history, clock: run.#clock, random: random.next };
      run.seats.push(await Seat.take(parts));
    }
    await run.#agree('the start');
    return run;
  }

  /** All the steps; at the end, and now and then, everybody agrees. */
  async run(): Promise<RunReport> {
    const counts: Record<string, number> = {};
    let checks = 0;
    const { steps, faultRate } = this.#options;
    for (let step = 1; step <= steps; step++) {
      const name = this.#random.chance(faultRate) ? await this.#fault() : this.#change();
      counts[name] = (counts[name] ?? 0) + 1;
      if (this.problems.length > 0) throw new Error(this.#explain(`step ${step}`));
      await this.#rest();
      for (const seat of this.seats) if (seat.isWorn) await seat.restart();
      if (step % 150 === 0 || step === steps) {
        checks++;
        await this.#agree(`step ${step}`);
      }
    }
    return { counts, checks };
  }

  async stop(): Promise<void> {
    for (const seat of this.seats) seat.stop();
    await this.source.kill();
  }

  /** Everything that went wrong on the way, in words. */
  get problems(): string[] {
    return this.seats.flatMap((seat) => seat.problems);
  }

  #change(): string {
    const change = this.#make();
    // Some changes go out together.
    if (this.#random.chance(0.8)) this.source.flush();
    return change;
  }

  #make(): string {
    const { change, name } = this.#changes.next();
    this.journal.push(`${change} ${name}`);
    return change;
  }

  async #fault(): Promise<string> {
    const fault = this.#random.weighted(faults);
    const seat = this.#random.pick(this.seats);
    const { source } = this;
    this.journal.push(fault.startsWith('istiod') ? `${fault} ${seat.profile.version}` : fault);
    switch (fault) {
      case 'istiod cut':
        seat.istiod.cut();
        break;
      case 'istiod cut in a request':
        seat.istiod.cutInRequest();
        break;
      case 'istiod stream reset':
        seat.istiod.cancel();
        break;
      case 'istiod stalls': {
        const { istiod } = seat;
        istiod.stall();
        this.#clock.after(this.#random.below(10_000), () => istiod.resume());
        break;
      }
      case 'istiod restart':
        await seat.restart();
        break;
      case 'source ends':
        source.end();
        break;
      case 'source fails':
        source.end(13);
        break;
      case 'source resets':
        source.reset();
        break;
      case 'source says goaway':
        source.goAway();
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
        for (let i = 0; i < 5; i++) this.#make();
        await this.#rest();
        await source.listenAgain();
        break;
      case 'bridge restart':
        await this.#restartBridge();
    }
    return fault;
  }

  async #startBridge(): Promise<void> {
    const settings = {
      sources: [{ name: 'legacy', address: `mcp://127.0.0.1:${this.source.port}` }],
      xds: { listen: `127.0.0.1:${this.#port}`, recycle: '2m' },
    };
    this.#bridge = await Bridge.of(settings, { clock: this.#clock, random: this.#random.next });
  }

  /** A process that ends and another one that starts: it remembers nothing, and hears the source only after a while. */
  async #restartBridge(): Promise<void> {
    this.source.hold();
    await this.#bridge?.app.stop();
    this.source.forgetLastGood();
    await this.#startBridge();
    await this.#rest();
    this.source.release();
  }

  /** What happens next finds things in any state: up to 15 ms pass, two minutes' thirds of a second here. */
  async #rest(): Promise<void> {
    await pause(this.#random.below(15));
  }

  /** Everything good again: every istiod gets to hold the truth, and nothing else. */
  async #agree(when: string): Promise<void> {
    this.#changes.calm();
    this.source.resend();
    for (const seat of this.seats) {
      const { profile } = seat;
      let differences: string[] = [];
      try {
        await until(`istiod ${profile.version} has the truth`, () => {
          if (this.problems.length > 0) return true;
          differences = seat.differences(this.source.history);
          return seat.istiod.ready && differences.length === 0;
        });
      } catch (error) {
        const { istiod } = seat;
        const facts = JSON.stringify({ when, differences, ready: istiod.ready, log: istiod.log.slice(-5) });
        throw new Error(`${String(error)}: ${facts}`, { cause: error });
      }
    }
    if (this.problems.length > 0) throw new Error(this.#explain(when));
  }

  #explain(when: string): string {
    return `at ${when}: ${this.problems.slice(0, 10).join('; ')}\nlast steps: ${this.journal.slice(-40).join(', ')}`;
  }
}
