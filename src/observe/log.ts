import pc from 'picocolors';
import { pino } from 'pino';
import { LogLevels, type LevelSettings } from '../model/log-levels.ts';
import type { LogComponent, LogFields, LogFormat, Logger, LogLevel, LogOf } from '../model/logger.ts';
import { LogDestination } from './log-destination.ts';
import { LogRing } from './log-ring.ts';
import { textOf } from './log-text.ts';

/** Lines that wait for a reader who does not read, in characters; what comes beyond is dropped. */
const maxWaiting = 8 << 20;

/** The log of a process. */
export type Log = {
  readonly of: LogOf;
  /** What it has; to be changed at any time. */
  readonly levels: LogLevels;
  /** Its last lines, as JSON. */
  readonly recent: LogRing;
};

/**
 * Lines on standard error; standard output belongs to data. JSON, or text for people on a terminal. A log that can't be
 * written loses lines, and ends nothing.
 */
export function createLog(settings: LevelSettings, format: LogFormat = 'auto'): Log {
  const levels = new LogLevels(settings);
  const recent = new LogRing();
  const output = new LogDestination(2, maxWaiting);
  const isText = format === 'text' || (format === 'auto' && process.stderr.isTTY);
  const { NO_COLOR = '', TERM } = process.env;
  const colors = pc.createColors(process.stderr.isTTY && NO_COLOR === '' && TERM !== 'dumb');
  const write = (line: string) => {
    recent.write(line);
    output.write(isText ? textOf(line, colors) : line);
  };
  // Each component decides by itself.
  const lines = pino({ level: 'debug', base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
  const of = (component: LogComponent): Logger => {
    const at = (level: LogLevel) => (fields: LogFields, message: string) => {
      if (levels.allows(component, level)) lines[level]({ component, ...fields }, message);
    };
    return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };
  };
  return { of, levels, recent };
}
