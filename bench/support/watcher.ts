/** Takes messages, and says for how long it let nothing else run. */
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/model/clock.ts';
import { Core, type Response } from './core.ts';
import { answer } from './ipc.ts';
import { type Longest, watchLoop } from './loop-watch.ts';

export type WatcherCommands = {
  /** Takes it; returns the longest pieces of work until all is done that it leads to. */
  take(message: Buffer): Promise<{ longest: Longest; response: Response }>;
};

/** What came over IPC is garbage by then, and what a message leads to later has happened. */
const quietMs = 400;

const core = new Core(systemClock);

const commands: WatcherCommands = {
  async take(message) {
    await sleep(quietMs / 4);
    const stop = watchLoop();
    const response = await core.take(message);
    await sleep(quietMs);
    return { longest: await stop(), response };
  },
};

answer(commands);
