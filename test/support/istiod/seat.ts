import type { Clock } from '../../../src/model/clock.ts';
import { isInRevision } from './apply.ts';
import type { Config } from './config-store.ts';
import { type Form, formOf, type History, type Observer } from './history.ts';
import { type Fatal, Istiod } from './istiod.ts';
import type { IstiodProfile } from './profile.ts';
import { kindOf } from './types.ts';

/** Disconnects of a 1.11 after which somebody restarts it: the 11th is its last. */
const restartAfter = 8;

export type SeatOptions = {
  readonly profile: IstiodProfile;
  readonly port: number;
  readonly history: History;
  readonly clock: Clock;
  readonly random: () => number;
};

/** The place of one istiod, whose process may be restarted; everything that it sees is held against the history. */
export class Seat {
  readonly profile: IstiodProfile;
  readonly observer: Observer;
  istiod: Istiod;
  /** Of every process that was here. */
  readonly fatal: Fatal[] = [];
  /** Over all processes. */
  disconnects = 0;
  restarts = 0;
  /** Of the processes before the present one. */
  #responses = 0;
  readonly #options: SeatOptions;
  readonly #forms = new WeakMap<Config, Form>();

  private constructor(options: SeatOptions, istiod: Istiod, observer: Observer) {
    this.#options = options;
    this.profile = options.profile;
    this.istiod = istiod;
    this.observer = observer;
  }

  /** Starts the first process. */
  static async take(options: SeatOptions): Promise<Seat> {
    const { profile, history } = options;
    const observer = history.observer(({ labels }) => isInRevision(profile, '', labels['istio.io/rev']));
    // The events of a process come here only once it runs.
    const seat: { now?: Seat } = {};
    const istiod = await start(options, observer, (config) => seat.now?.formOf(config) ?? formOf(config));
    seat.now = new Seat(options, istiod, observer);
    return seat.now;
  }

  /** Ends the process and starts another one, which knows nothing; call it while somebody listens. */
  async restart(): Promise<void> {
    this.stop();
    this.restarts++;
    this.istiod = await start(this.#options, this.observer, (config) => this.formOf(config));
  }

  /** True where the next few disconnects would be its end (1.10 and 1.11). */
  get isWorn(): boolean {
    return this.profile.errorChannel !== undefined && this.istiod.disconnects >= restartAfter;
  }

  /** Responses that were applied, over all processes. */
  get responses(): number {
    return this.#responses + this.istiod.responses;
  }

  /** Everything that went wrong on the way, in words. */
  get problems(): string[] {
    const { fatal } = this.istiod;
    return [
      ...[...this.fatal, ...(fatal === undefined ? [] : [fatal])].map(({ what, detail }) => `${what}: ${detail}`),
      ...this.observer.faults,
    ].map((problem) => `${this.profile.version}: ${problem}`);
  }

  /** Ends the process; what it died of before is kept. */
  stop(): void {
    this.disconnects += this.istiod.disconnects;
    this.#responses += this.istiod.responses;
    if (this.istiod.fatal !== undefined) this.fatal.push(this.istiod.fatal);
    this.istiod.stop();
  }

  /** What is not as the truth says, at most a few lines; empty = it is. */
  differences(history: History): string[] {
    const expected = new Map<string, Form>();
    for (const [key, form] of history.truth) {
      if (this.observer.visible(form) !== undefined) expected.set(key, form);
    }
    const wrong: string[] = [];
    for (const typeUrl of this.profile.types) {
      for (const [name, config] of this.istiod.store.list(typeUrl)) {
        const key = `${kindOf(typeUrl)} ${name}`;
        if (expected.get(key)?.id !== this.formOf(config).id) wrong.push(`${key} is another one, or too many`);
        expected.delete(key);
      }
    }
    return [...wrong, ...Array.from(expected.keys(), (key) => `${key} is missing`)].slice(0, 5);
  }

  formOf(config: Config): Form {
    let form = this.#forms.get(config);
    if (form === undefined) {
      form = formOf(config);
      this.#forms.set(config, form);
    }
    return form;
  }
}

function start(options: SeatOptions, observer: Observer, form: (config: Config) => Form): Promise<Istiod> {
  const { profile, port, clock, random } = options;
  return Istiod.start({
    profile,
    port,
    clock,
    random,
    onEvent: ({ typeUrl, key, config }) => {
      observer.saw(`${kindOf(typeUrl)} ${key}`, config === undefined ? undefined : form(config));
    },
  });
}
