import { readFileSync } from 'node:fs';
import { isMap, isScalar, LineCounter, type Node, parseDocument } from 'yaml';
import { IsthmusError, messageOf } from '../model/errors.ts';
import { type Config, type ConfigInput, configSchema } from './schema.ts';

/** One thing that is wrong, as `file:line:column: what`. */
type Finding = { readonly at: string; readonly what: string };

/**
 * Reads a config file and lays `flags` over it; a flag wins over the file.
 * @throws IsthmusError CONFIG_INVALID with a line for each finding; USAGE where a flag is what is wrong.
 */
export function loadConfig(file: string | undefined, flags: ConfigInput = {}): Config {
  const document = file === undefined ? undefined : readDocument(file);
  const written: unknown = document?.doc.toJS() ?? {};
  if (document !== undefined && !isPlainObject(written)) {
    throw invalid(document.file, [{ at: `${document.file}:1:1`, what: 'a mapping of settings is expected' }]);
  }
  const merged = merge(written as Record<string, unknown>, flags);
  const result = configSchema.safeParse(merged);
  if (result.success) return result.data;

  const findings = result.error.issues.flatMap((issue): Finding[] => {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        at: document === undefined ? key : locate(document, [...path, key]),
        what: `${describe([...path, key])}: unknown setting`,
      }));
    }
    const at = document === undefined ? '' : locate(document, path);
    return [{ at, what: `${describe(path)}: ${issue.message}` }];
  });
  if (file === undefined) {
    throw new IsthmusError('USAGE', 'flags', findings.map(({ what }) => what).join('; '), {
      hint: 'see isthmus serve --help',
    });
  }
  throw invalid(file, findings);
}

type Document = { readonly file: string; readonly doc: ReturnType<typeof parseDocument>; readonly lines: LineCounter };

function readDocument(file: string): Document {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const what = code === 'ENOENT' ? 'there is no such file' : messageOf(error);
    throw new IsthmusError('CONFIG_INVALID', file, what, { cause: error });
  }
  const lines = new LineCounter();
  const doc = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const findings = doc.errors.map(({ message, pos }) => ({ at: position(file, lines, pos[0]), what: message }));
  if (findings.length > 0) throw invalid(file, findings);
  return { file, doc, lines };
}

function invalid(file: string, findings: readonly Finding[]): IsthmusError {
  const lines = findings.map(({ at, what }) => (at === '' ? what : `${at}: ${what}`));
  const [only] = lines;
  if (lines.length === 1 && only !== undefined && only.startsWith(`${file}:`)) {
    return new IsthmusError('CONFIG_INVALID', file, only.slice(file.length + 1));
  }
  return new IsthmusError('CONFIG_INVALID', file, `${lines.length} mistakes\n  ${lines.join('\n  ')}`);
}

function position(file: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${file}:${line}:${col}`;
}

/** Where a setting stands, or the nearest thing around it that is in the file; its key rather than its value. */
function locate({ file, doc, lines }: Document, path: readonly (string | number)[]): string {
  for (let length = path.length; length > 0; length--) {
    const parent = length === 1 ? doc.contents : doc.getIn(path.slice(0, length - 1), true);
    const last = path[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find(({ key }) => isScalar(key) && key.value === last);
      const value = pair?.value as Node | null | undefined;
      const node = length === path.length && value?.range ? value : (pair?.key as Node | undefined);
      if (node?.range) return position(file, lines, node.range[0]);
      continue;
    }
    const node = doc.getIn(path.slice(0, length), true) as Node | undefined;
    if (node?.range) return position(file, lines, node.range[0]);
  }
  return `${file}:1:1`;
}

function describe(path: readonly (string | number)[]): string {
  const text = path.reduce<string>((sum, part) => {
    if (typeof part === 'number') return `${sum}[${part}]`;
    return sum === '' ? part : `${sum}.${part}`;
  }, '');
  return text === '' ? 'the config' : text;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `over` wins; objects are merged, lists are replaced. */
function merge(base: Record<string, unknown>, over: object): Record<string, unknown> {
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === undefined) continue;
    const old = merged[key];
    merged[key] = isPlainObject(old) && isPlainObject(value) ? merge(old, value) : value;
  }
  return merged;
}
