/** Takes messages, and says how long each took until its response was there. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Clock, systemClock } from '../../src/model/clock.ts';
import { Core, type Response } from './core.ts';
import { answer } from './ipc.ts';

export type StepperCommands = {
  /** Milliseconds for each of the messages, one after another, and what the last response holds. */
  take(messages: readonly Buffer[]): Promise<{ times: number[]; response: Response }>;
};

/** A timer of 0 ms waits for one, which would be most of what is measured: here it does not wait. */
const clock: Clock = {
  ...systemClock,
  after(ms, run) {
    if (ms > 0) return systemClock.after(ms, run);
    let isDue = true;
    queueMicrotask(() => {
      if (isDue) run();
    });
    return {
      cancel() {
        isDue = false;
      },
    };
  },
};

const core = new Core(clock);

const commands: StepperCommands = {
  async take(messages) {
    const times: number[] = [];
    let response: Response = { resources: 0, bytes: 0 };
    for (const message of messages) {
      await nextTurn();
      const began = performance.now();
      response = await core.take(message);
      times.push(performance.now() - began);
    }
    return { times, response };
  },
};

answer(commands);
