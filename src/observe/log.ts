import { pino, type Logger as PinoLogger } from 'pino';

/** Lines of JSON on standard error; standard output belongs to data. */
export function createLog(level: string): PinoLogger {
  return pino(
    { level, base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ fd: 2, sync: false }),
  );
}
