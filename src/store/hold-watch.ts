import type { Clock, Timer } from '../model/clock.ts';
import type { Guard } from './guard.ts';

/** Wakes when a guard has something to do that no message brings about: one timer for each hold. */
export class HoldWatch {
  readonly #clock: Clock;
  readonly #timers = new Map<Guard, Timer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** To be called after whatever may have changed a hold. `act` is told what is due once it is. */
  watch(guard: Guard, act: (what: 'ask' | 'believe') => void): void {
    this.forget(guard);
    const { dueAt } = guard;
    if (dueAt === undefined) return;
    const look = () => {
      this.#timers.delete(guard);
      const now = this.#clock.now();
      const what = guard.due(now);
      if (what !== undefined) act(what);
      // A timer may be early. What is due and can't be done waits for the next message.
      else if (dueAt > now) this.watch(guard, act);
    };
    this.#timers.set(guard, this.#clock.after(Math.max(0, dueAt - this.#clock.now()), look));
  }

  forget(guard: Guard): void {
    this.#timers.get(guard)?.cancel();
    this.#timers.delete(guard);
  }

  close(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
