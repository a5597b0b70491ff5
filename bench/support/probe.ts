/**
 * Loaded into every process of the benchmark with `--import`, before its own code: says what the process has used,
 * and ends it when the driver is gone. Isthmus itself knows nothing of it.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { BroadcastChannel, isMainThread } from 'node:worker_threads';
import { answer } from './ipc.ts';
import { type Longest, watchLoop } from './loop-watch.ts';

export type Usage = {
  /** User and system time of the whole process. */
  readonly cpuMs: number;
  /** What of it its own threads took (not those of V8); 0 where the system does not say. */
  readonly threadsMs: number;
  readonly peakRssBytes: number;
};

export type ProbeCommands = {
  usage(): Usage;
  /** Watches the event loop from now on. */
  watch(): void;
  /** The longest pieces of work since then. */
  watched(): Promise<Longest>;
};

let stopWatching: (() => Promise<Longest>) | undefined;

const commands: ProbeCommands = {
  usage() {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000, threadsMs: threadsMs(), peakRssBytes: peakRssBytes() };
  },
  watch() {
    stopWatching = watchLoop();
  },
  async watched() {
    const longest = await stopWatching?.();
    stopWatching = undefined;
    if (longest === undefined) throw new Error('nobody watches');
    return longest;
  },
};

/** Threads of JavaScript beside the main one, as folders in /proc. */
const threads = new Set<string>();
const channel = new BroadcastChannel('isthmus-bench-threads');

function threadsMs(): number {
  let sum = 0;
  for (const folder of threads) {
    try {
      // The first number: nanoseconds on a processor (Linux, Documentation/scheduler/sched-stats).
      sum += Number(readFileSync(`/proc/${folder}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
    } catch {
      // The thread is gone.
      threads.delete(folder);
    }
  }
  return sum;
}

/** VmHWM where there is one: on Linux, resourceUsage counts the process that we were forked from too. */
function peakRssBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

// Threads are given the process' own flags, this file among them.
if (isMainThread) {
  channel.addEventListener('message', (message) => void threads.add(String((message as MessageEvent).data)));
} else if (process.platform === 'linux') {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
  channel.postMessage(readlinkSync('/proc/thread-self'));
}
channel.unref();

answer(commands);
process.on('disconnect', () => process.exit());
// Being asked is no reason to stay for a process that would end by itself.
process.channel?.unref();
