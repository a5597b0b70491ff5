/** A pending call of a {@link Clock}. */
export type Timer = { cancel(): void };

/** Time, injected wherever logic depends on it, so that tests need no sleeps. */
export type Clock = {
  /** Milliseconds since an arbitrary start; never goes back. */
  now(): number;
  /** Wall clock, for people to read. */
  date(): Date;
  /** Runs `run` once after `ms`; a pending timer does not keep the process alive. */
  after(ms: number, run: () => void): Timer;
};

/** The machine's clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  date: () => new Date(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms).unref();
    return { cancel: () => clearTimeout(timer) };
  },
};
