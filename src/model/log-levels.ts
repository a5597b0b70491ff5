import { type LogComponent, logComponents, type LogLevel, logLevels } from './logger.ts';

/** The least that is logged, of all, and of components that differ. */
export type LevelSettings = {
  readonly level: LogLevel;
  readonly components: Readonly<Partial<Record<LogComponent, LogLevel>>>;
};

export const isLogLevel = (text: string): text is LogLevel => logLevels.some((level) => level === text);

export const isLogComponent = (text: string): text is LogComponent => Object.hasOwn(logComponents, text);

/**
 * Reads `info`, `info,sources=debug,xds=warn` or `sources=debug`: a level for all, and others for components. Without the
 * first one it is info.
 * @returns a sentence where it is none of these.
 */
export function parseLogLevels(text: string): LevelSettings | string {
  let level: LogLevel | undefined;
  const components: Partial<Record<LogComponent, LogLevel>> = {};
  for (const part of text.split(',').map((one) => one.trim())) {
    const [, component, value = ''] = /^(?:([^=]*)=)?(.*)$/s.exec(part) ?? [];
    if (!isLogLevel(value))
      return `"${part}" is no level; known: ${logLevels.join(', ')}, for example info,sources=debug`;
    if (component === undefined) {
      if (level !== undefined) return `"${text}" has two levels for all: ${level} and ${value}`;
      level = value;
    } else if (!isLogComponent(component)) {
      return `"${component}" is no component; known: ${Object.keys(logComponents).join(', ')}`;
    } else if (components[component] === undefined) components[component] = value;
    else return `"${component}" is named twice`;
  }
  return { level: level ?? 'info', components };
}

/** The same as {@link parseLogLevels} takes it. */
export function levelsText({ level, components }: LevelSettings): string {
  return [level, ...Object.entries(components).map(([component, one]) => `${component}=${one}`)].join(',');
}

/** What is logged now; changes while a bridge runs. */
export class LogLevels {
  #settings: LevelSettings;

  constructor(settings: LevelSettings) {
    this.#settings = settings;
  }

  get settings(): LevelSettings {
    return this.#settings;
  }

  /** In place of all that was set before. */
  replace(settings: LevelSettings): void {
    this.#settings = settings;
  }

  /** Of one component, or of all that have no level of their own. */
  set(level: LogLevel, component?: LogComponent): void {
    const { components } = this.#settings;
    this.#settings =
      component === undefined
        ? { level, components }
        : { ...this.#settings, components: { ...components, [component]: level } };
  }

  allows(component: LogComponent, level: LogLevel): boolean {
    const least = this.#settings.components[component] ?? this.#settings.level;
    return logLevels.indexOf(level) >= logLevels.indexOf(least);
  }
}
