import type { LogKey } from './log-keys.ts';

/** How much a line matters, from the least on. */
export const logLevels = ['debug', 'info', 'warn', 'error'] as const;

export type LogLevel = (typeof logLevels)[number];

/** How lines look; auto: text for people on a terminal, JSON elsewhere. */
export const logFormats = ['auto', 'json', 'text'] as const;

export type LogFormat = (typeof logFormats)[number];

/** The parts of a bridge that log, and what each one's lines are about. A closed set: `--log-level` takes these names. */
export const logComponents = {
  bridge: 'start, stop, and what is risky about the settings',
  config: 'the config, read again',
  sources: 'legacy servers: connections, what they say, what was put right in it',
  sink: 'the listener for sources that dial in',
  guard: 'removals that are held',
  conflicts: 'what several sources have',
  quarantine: "resources that break a rule of Istio's",
  state: 'the last-known-good files',
  xds: 'istiods: connections, pushes, refusals',
  'legacy-output': 'old Pilots that are served legacy MCP',
  tls: 'certificates and their files',
  admin: 'the admin pages, and what was changed over them',
} as const;

export type LogComponent = keyof typeof logComponents;

/** Fields of a line. */
export type LogFields = Readonly<Partial<Record<LogKey, unknown>>>;

/** What the parts need of a log. Fields first, then a sentence. */
export type Logger = Readonly<Record<LogLevel, (fields: LogFields, message: string) => void>>;

/** The log of one component. */
export type LogOf = (component: LogComponent) => Logger;

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
