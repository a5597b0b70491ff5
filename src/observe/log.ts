import { pino } from 'pino';
import { LogLevels, type LevelSettings } from '../model/log-levels.ts';
import type { LogComponent, Logger, LogLevel, LogOf } from '../model/logger.ts';
import { LogDestination } from './log-destination.ts';
import { LogRing } from './log-ring.ts';

/** Lines that wait for a reader who does not read, in characters; what comes beyond is dropped. */
const maxWaiting = 8 << 20;

/** The log of a process. */
export type Log = {
  readonly of: LogOf;
  /** What it has; to be changed at any time. */
  readonly levels: LogLevels;
  /** Its last lines. */
  readonly recent: LogRing;
};

/** Lines of JSON on standard error; standard output belongs to data. A log that can't be written loses lines, and ends nothing. */
export function createLog(settings: LevelSettings): Log {
  const levels = new LogLevels(settings);
  const recent = new LogRing();
  const output = new LogDestination(2, maxWaiting);
  const write = (line: string) => {
    recent.write(line);
    output.write(line);
  };
  // Each component decides by itself.
  const lines = pino({ level: 'debug', base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
  const of = (component: LogComponent): Logger => {
    const at = (level: LogLevel) => (fields: object, message: string) => {
      if (levels.allows(component, level)) lines[level]({ component, ...fields }, message);
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  };
  return { of, levels, recent };
}
