/**
 * Loaded into every process of the benchmark with `--import`, before its own code: says what the process has used,
 * and ends it when the driver is gone. Isthmus itself knows nothing of it.
 */
import { readFileSync } from 'node:fs';
import { answer } from './ipc.ts';

export type Usage = { readonly cpuMs: number; readonly peakRssBytes: number };

export type ProbeCommands = { usage(): Usage };

const commands: ProbeCommands = {
  usage() {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000, peakRssBytes: peakRssBytes() };
  },
};

/** VmHWM where there is one: on Linux, resourceUsage counts the process that we were forked from too. */
function peakRssBytes(): number {
  if (process.platform !== 'linux') return process.resourceUsage().maxRSS * 1024;
  const kibibytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return Number(kibibytes) * 1024;
}

answer(commands);
process.on('disconnect', () => process.exit());
// Being asked is no reason to stay for a process that would end by itself.
process.channel?.unref();
