import { isRecord } from '../model/record.ts';
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isMap, isScalar, LineCounter, type Node, parseDocument, visit } from 'yaml';
import { IsthmusError, messageOf } from '../model/errors.ts';
import { closest } from '../model/suggest.ts';
import { settingsAt } from './json-schema.ts';
import { type Config, type ConfigInput, configSchema } from './schema.ts';

/** One thing that is wrong; `at` is the flag, or the place in the file as `file:line:column`. */
type Finding = { readonly at: string; readonly what: string; readonly inFile: boolean };

/** A config that can't be used, with one entry for each mistake. */
export class ConfigError extends IsthmusError {
  readonly mistakes: readonly { readonly at: string; readonly what: string }[];

  constructor(
    code: 'CONFIG_INVALID' | 'USAGE',
    subject: string,
    message: string,
    mistakes: ConfigError['mistakes'],
    options: { hint?: string; cause?: unknown } = {},
  ) {
    super(code, subject, message, options);
    this.mistakes = mistakes;
  }
}

type Path = readonly (string | number)[];

/** Flags of `serve`, by the setting that each one sets. */
const flagOf: Readonly<Record<string, string>> = {
  sources: '--source',
  confirmRemoval: '--confirm-removal',
  'xds.listen': '--xds-listen',
  'sink.listen': '--sink-listen',
  'admin.listen': '--admin-listen',
  'admin.tokenFile': '--admin-token-file',
  'metrics.listen': '--metrics-listen',
  'legacy.listen': '--legacy-listen',
  stateDir: '--state-dir',
  'debounce.after': '--debounce-after',
  'debounce.max': '--debounce-max',
  'guard.maxRemovalPercent': '--guard-max-removal-percent',
  'guard.minRemoved': '--guard-min-removed',
  'guard.hold': '--guard-hold',
  'log.level': '--log-level',
  'log.format': '--log-format',
};

/**
 * Reads a config file and lays `flags` over it; a flag wins over the file.
 * @throws ConfigError CONFIG_INVALID with a line for each finding; USAGE where flags alone are what is wrong.
 */
export function loadConfig(file: string | undefined, flags: ConfigInput = {}): Config {
  return configOf(file === undefined ? undefined : readDocument(file, readText(file)), flags);
}

/** The same, of a file that may be on a disk that is slow: nothing waits for it. */
export async function loadConfigAgain(file: string, flags: ConfigInput = {}): Promise<Config> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw unreadable(file, error);
  });
  return configOf(readDocument(file, text), flags);
}

function configOf(document: Document | undefined, flags: ConfigInput): Config {
  const result = configSchema.safeParse(merge(document?.settings ?? {}, flags));
  if (result.success) return result.data;

  const findings = result.error.issues.flatMap((issue): Finding[] => {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    if (issue.code !== 'unrecognized_keys') return [findingAt(path, issue.message, document, flags)];
    return issue.keys.map((key) => findingAt([...path, key], unknownSetting(path, key), document, flags, true));
  });
  throw invalid(document?.file ?? 'flags', findings);
}

function unknownSetting(path: Path, key: string): string {
  const meant = closest(key, settingsAt(path));
  return meant === undefined ? 'unknown setting' : `unknown setting; did you mean "${meant}"?`;
}

/** @param atKey whether it is the name of the setting that is wrong. */
function findingAt(
  path: Path,
  message: string,
  document: Document | undefined,
  flags: ConfigInput,
  atKey = false,
): Finding {
  if (document === undefined || isGiven(flags, path)) {
    const setting = describe(path.slice(0, path.findIndex((part) => typeof part === 'number') >>> 0));
    return { at: flagOf[setting] ?? describe(path), what: message, inFile: false };
  }
  return {
    at: locate(document, path, atKey),
    what: `${describe(path)}: ${message}`,
    inFile: true,
  };
}

/** True where a flag, and not the file, says what stands at `path`. */
function isGiven(flags: unknown, path: Path): boolean {
  const [first, ...rest] = path;
  // Lists are replaced as a whole.
  if (first === undefined || Array.isArray(flags)) return flags !== undefined;
  return isRecord(flags) && isGiven(flags[first], rest);
}

type Document = {
  readonly file: string;
  readonly doc: ReturnType<typeof parseDocument>;
  readonly lines: LineCounter;
  readonly settings: Record<string, unknown>;
};

function readDocument(file: string, text: string): Document {
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const fail = (what: string, offset: number): Finding => ({ at: position(file, lines, offset), what, inFile: true });
  if (doc.errors.length > 0) {
    throw invalid(
      file,
      doc.errors.map(({ message, pos }) => fail(message, pos[0])),
    );
  }
  let settings: unknown;
  try {
    settings = doc.toJS() ?? {};
  } catch (error) {
    // Aliases are followed here: of something that is not there, or too many of them.
    throw invalid(file, [fail(messageOf(error), unresolvedAlias(doc) ?? 0)]);
  }
  if (!isRecord(settings)) throw invalid(file, [fail('a mapping of settings is expected', 0)]);
  return { file, doc, lines, settings };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): ConfigError {
  const code = (error as NodeJS.ErrnoException).code ?? '';
  const known: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    EISDIR: 'is a folder; a file is expected',
  };
  const what = known[code] ?? messageOf(error);
  return new ConfigError('CONFIG_INVALID', file, what, [{ at: file, what }], { cause: error });
}

/** Offset of the first alias that stands for nothing. */
function unresolvedAlias(doc: ReturnType<typeof parseDocument>): number | undefined {
  let offset: number | undefined;
  visit(doc, {
    Alias(_, alias) {
      if (alias.resolve(doc) !== undefined) return undefined;
      offset = alias.range?.[0];
      return visit.BREAK;
    },
  });
  return offset;
}

function invalid(subject: string, findings: readonly Finding[]): ConfigError {
  const inFile = findings.some((finding) => finding.inFile);
  const code = inFile ? 'CONFIG_INVALID' : 'USAGE';
  const hint = inFile ? {} : { hint: 'see isthmus serve --help' };
  const [only] = findings;
  if (findings.length === 1 && only !== undefined) return new ConfigError(code, only.at, only.what, findings, hint);
  const lines = findings.map(({ at, what }) => `\n  ${at}: ${what}`);
  return new ConfigError(code, subject, `${lines.length} mistakes${lines.join('')}`, findings, hint);
}

function position(file: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${file}:${line}:${col}`;
}

/** Where the value of a setting stands, or its key, or the nearest thing around it that is in the file. */
function locate({ file, doc, lines }: Document, path: Path, atKey: boolean): string {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? doc.contents : doc.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    const pair = isMap(parent)
      ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === last)
      : { key: undefined, value: doc.getIn(path.slice(0, length), true) };
    const key = pair?.key as Node | undefined;
    const value = pair?.value as Node | null | undefined;
    const range = !atKey && length === path.length ? (value?.range ?? key?.range) : (key?.range ?? value?.range);
    if (range) return position(file, lines, range[0]);
  }
  return `${file}:1:1`;
}

function describe(path: Path): string {
  const text = path.reduce<string>((sum, part) => {
    if (typeof part === 'number') return `${sum}[${part}]`;
    return sum === '' ? part : `${sum}.${part}`;
  }, '');
  return text === '' ? 'the config' : text;
}

/** `over` wins; objects are merged, lists are replaced. */
function merge(base: Record<string, unknown>, over: object): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const old = merged[key];
    merged[key] = isRecord(old) && isRecord(value) ? merge(old, value) : value;
  }
  return merged;
}
