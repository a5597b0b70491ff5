import { logKeys } from '../../src/model/log-keys.ts';
import type { LogFields, Logger, LogLevel } from '../../src/model/logger.ts';

/** A log that remembers its lines, and takes no key that is not one. */
export class MemoryLogger implements Logger {
  readonly lines: { readonly level: LogLevel; readonly fields: object; readonly message: string }[] = [];

  debug(fields: LogFields, message: string): void {
    this.#take('debug', fields, message);
  }

  info(fields: LogFields, message: string): void {
    this.#take('info', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#take('warn', fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#take('error', fields, message);
  }

  #take(level: LogLevel, fields: LogFields, message: string): void {
    const stranger = Object.keys(fields).find((key) => !Object.hasOwn(logKeys, key));
    if (stranger !== undefined) throw new Error(`the log has no key ${stranger}; add it to src/model/log-keys.ts`);
    this.lines.push({ level, fields, message });
  }

  /** Messages of one level, in order. */
  of(level: LogLevel): string[] {
    return this.lines.filter((line) => line.level === level).map(({ message }) => message);
  }
}
