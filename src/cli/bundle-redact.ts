import { isRecord } from '../model/record.ts';
import { removed } from '../model/texts.ts';

/**
 * A name of something that is nobody's business. `authorization` alone, since resources are called AuthorizationPolicy.
 * Here and below each repetition has a bound: what is read may be hostile, and of any length.
 */
const secretName =
  '(?:(?<![\\w.-])[\\w.-]{0,60}?(?:passw(?:or)?d|passphrase|secret|token|api[-_]?key|private[-_]?key|access[-_]?key|' +
  'credential|cookie|session[-_]?id|jwt)[\\w.-]{0,60}|(?<!\\w)(?:proxy-)?authorization(?!\\w))';

/** What stands between a name and its value. */
const is = '\\s{0,5}[:=]\\s{0,5}';

/** What is a secret wherever it stands, and what to write in its place. */
const rules: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [^-]{1,60}-----[\s\S]*?(?:-----END [^-]{1,60}-----|$)/g, removed],
  // The password of a URL may hold nearly everything; the last @ ends it.
  [/(?<![a-z])([a-z][a-z0-9+.-]{0,20}:\/\/)[^\s"'<>]{0,1000}@/gi, `$1${removed}@`],
  [/(?<![^\s"'<>()[\]=])[^\s"'<>/:@=()[\]]{1,100}:(?!\/\/)[^\s"'<>@]{1,300}@(?=[\w[])/g, `${removed}@`],
  [/\b(Bearer|Basic|Digest)\s{1,5}[\w.~+/=-]{6,}/gi, `$1 ${removed}`],
  [/\beyJ[\w-]{5,1000}\.[\w-]{5,1000}(?:\.[\w-]*)?/g, removed],
  // In JSON within a string, in JSON or YAML, and in YAML or a shell; an open end is one that was cut off.
  [new RegExp(`(${secretName}\\\\?["']?${is}\\\\")(?:[^"\\\\]|\\\\\\\\\\\\"|\\\\(?!"))*`, 'gi'), `$1${removed}`],
  [new RegExp(`(${secretName}["']?${is}")(?:[^"\\\\]|\\\\.)*`, 'gis'), `$1${removed}`],
  [new RegExp(`(${secretName}["']?${is}')[^']*`, 'gi'), `$1${removed}`],
  [new RegExp(`(${secretName}${is})(?!\\[)[^\\s"',;&}\\\\]+`, 'gi'), `$1${removed}`],
  [/\/(?:home|Users)\/[^/\s"':,;)]{1,100}|(?<![\w/])\/root(?=[/\s"':,;)]|$)/g, '~'],
];

const wholeSecretName = new RegExp(`^${secretName}$`, 'i');

/** Fields that might hold a resource, or a part of one. No page has one now. */
const bodies: ReadonlySet<string> = new Set(['spec', 'body', 'object', 'yaml', 'before', 'after', 'diff']);

/** Fields of what others say, who may quote a resource. */
const quotes: ReadonlySet<string> = new Set(['nack', 'peerSays', 'said', 'note']);

/** A text without credentials, keys, and names of home folders. */
export function redactText(text: string): string {
  return rules.reduce((sum, [pattern, instead]) => sum.replaceAll(pattern, instead), text);
}

/** The same of all that is in a JSON value, and without bodies of resources and values of `match.meta`. */
export function redactValue(value: unknown): unknown {
  if (typeof value === 'string') return redactText(value);
  if (Array.isArray(value)) return value.map(redactValue);
  if (!isRecord(value)) return value;
  // A row of the quarantine, or a line of the log about a resource: its sentence quotes what is wrong in the body.
  const isOfResource = typeof value['resource'] === 'string';
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      const isSentence = quotes.has(key) || (isOfResource && (key === 'message' || key === 'msg'));
      if (isSentence && typeof one === 'string') return [redactText(key), redactText(withoutQuotes(one))];
      return [redactText(key), isSecret(key, one) ? removed : key === 'match' ? redactMatch(one) : redactValue(one)];
    }),
  );
}

function isSecret(key: string, value: unknown): boolean {
  if (typeof value !== 'string' && typeof value !== 'object') return false;
  if (value === null || value === '') return false;
  if (bodies.has(key)) return true;
  return wholeSecretName.test(key) && !key.endsWith('File');
}

/** By what a source that dials in is known: that of a header may be a password. */
function redactMatch(match: unknown): unknown {
  if (!isRecord(match) || !isRecord(match['meta'])) return redactValue(match);
  const meta = Object.fromEntries(Object.keys(match['meta']).map((name) => [name, removed]));
  return { ...(redactValue({ ...match, meta: null }) as object), meta };
}

function withoutQuotes(text: string): string {
  return text.replaceAll(/"(?:[^"\\]|\\.)*"|`[^`]*`/g, '"…"');
}
