import type { Path } from '../problem.ts';
import type { Report } from './violation.ts';

/** In bytes. Source: pkg/config/validation validateStringMatchRegexp, 1.14 to 1.31. */
const maxRegex = 1024;

/** What other regular expressions have after `(?`, and RE2 never had. */
const unsupportedGroup = /^(?:[=!>#|(&]|<[=!])/;

/** Reports an empty or too long regular expression, and what {@link regexFault} finds. */
export function checkRegex(report: Report, at: Path, regex: string): void {
  const hint = 'write an RE2 expression (github.com/google/re2/wiki/Syntax)';
  if (regex === '') report('regex', at, 'is empty', hint);
  else if (Buffer.byteLength(regex) > maxRegex) {
    report('regex', at, `is longer than ${maxRegex} bytes`, 'write a shorter one, or several matches');
  } else {
    const fault = regexFault(regex);
    if (fault !== undefined) report('regex', at, fault, hint);
  }
}

/**
 * What is wrong in the most common kinds of wrong RE2: brackets that do not fit, look-around, back-references.
 * Anything else counts as right, since only Go's own compiler knows.
 */
export function regexFault(regex: string): string | undefined {
  let depth = 0;
  for (let at = 0; at < regex.length; at++) {
    const char = regex[at];
    if (char === '\\') {
      const next = regex[at + 1];
      if (next === undefined) return 'ends with "\\"';
      if (next === 'Q') {
        const end = regex.indexOf('\\E', at + 2);
        if (end < 0) break;
        at = end;
      } else if (/^(?:[89]|[1-7](?![0-7]))/.test(regex.slice(at + 1))) return `has a back-reference, "\\${next}"`;
      at++;
    } else if (char === '[') {
      const end = endOfClass(regex, at);
      if (end < 0) return 'lacks a "]"';
      at = end;
    } else if (char === '(') {
      if (regex[at + 1] === '?' && unsupportedGroup.test(regex.slice(at + 2))) {
        return `has look-around or another group that RE2 lacks, "${regex.slice(at, at + 4)}"`;
      }
      depth++;
    } else if (char === ')' && --depth < 0) return 'has a ")" too many';
  }
  return depth > 0 ? 'lacks a ")"' : undefined;
}

/** The place of the bracket that ends the class that begins at `start`; -1 where there is none. */
function endOfClass(regex: string, start: number): number {
  let at = start + 1;
  if (regex[at] === '^') at++;
  if (regex[at] === ']') at++;
  for (; at < regex.length; at++) {
    if (regex[at] === ']') return at;
    if (regex[at] === '\\') at++;
    else if (regex.startsWith('[:', at)) {
      const end = regex.indexOf(':]', at + 2);
      if (end >= 0) at = end + 1;
    }
  }
  return -1;
}
