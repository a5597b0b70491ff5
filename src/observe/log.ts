import { pino, type Logger as PinoLogger } from 'pino';
import { LogDestination } from './log-destination.ts';
import { LogRing } from './log-ring.ts';

/** Lines that wait for a reader who does not read, in characters; what comes beyond is dropped. */
const maxWaiting = 8 << 20;

/** Lines of JSON on standard error; standard output belongs to data. A log that can't be written loses lines, and ends nothing. */
export function createLog(level: string, recent = new LogRing()): PinoLogger {
  const output = new LogDestination(2, maxWaiting);
  const write = (line: string) => {
    recent.write(line);
    output.write(line);
  };
  return pino({ level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, { write });
}
