import { isScalar, Scalar } from 'yaml';

/**
 * A run of characters that a text has in common with the file that it stands in. Where both lengths are equal, the
 * characters are the same; otherwise it is an escape such as `\n`, which only counts as a whole.
 */
type Run = { readonly inner: number; readonly length: number; readonly file: number; readonly fileLength: number };

/** How the text stands in the file; it decides what a new text has to look like there. */
export type LayerStyle = 'file' | 'literal' | 'folded' | 'double' | 'single' | 'plain';

/** A part of the file, and what is to stand in its place. */
export type FileEdit = { readonly start: number; readonly end: number; readonly text: string };

/** A text inside a file: the file itself, or what a scalar of it says. Offsets count UTF-16 units, from 0. */
export type Layer = {
  readonly style: LayerStyle;
  readonly text: string;
  /** Where all of it stands in the file: the scalar with its quotes or its `|`. */
  readonly start: number;
  readonly end: number;
  /** False where the characters of the file could not be told; every offset is then that of the start. */
  readonly exact: boolean;
  /** Where in the file a character of the text is. */
  fileOffset(offset: number): number;
  /**
   * What to do to the file so that the text has `insert` in place of what is from `start` to `end`.
   * @returns undefined where this style cannot say it.
   */
  replace(start: number, end: number, insert: string): FileEdit | undefined;
};

/** The whole file as a text of its own. */
export function fileLayer(text: string): Layer {
  return {
    style: 'file',
    text,
    start: 0,
    end: text.length,
    exact: true,
    fileOffset: (offset) => offset,
    replace: (start, end, insert) => ({ start, end, text: insert.replaceAll('\n', lineBreakAt(text, start)) }),
  };
}

/** The line break at the end of the line that an offset is in; of the line before, where it has none. */
function lineBreakAt(text: string, offset: number): '\n' | '\r\n' {
  const next = text.indexOf('\n', offset);
  const at = next >= 0 ? next : text.lastIndexOf('\n');
  return text[at - 1] === '\r' ? '\r\n' : '\n';
}

/**
 * What a scalar of the file says.
 * @param file text of the file.
 * @param pieceStart where the ranges of the scalar begin to count.
 */
export function scalarLayer(file: string, pieceStart: number, node: unknown): Layer | undefined {
  if (!isScalar(node) || typeof node.value !== 'string' || !node.range) return undefined;
  const text = node.value;
  const start = pieceStart + node.range[0];
  const end = pieceStart + node.range[1];
  const source = file.slice(start, end);
  const style = styleOf(node.type);
  const found = style === 'literal' || style === 'folded' ? blockRuns(source, text, style) : flowRuns(source, style);
  const runs = found !== undefined && isWhole(found, text, source) ? found : undefined;
  const eol = lineBreakAt(file, start);
  const indent = runs === undefined ? '' : indentOf(source, runs);
  const at = (offset: number) => runs?.[lastAtOrBefore(runs, offset)];
  const fileOffset = (offset: number): number => {
    const run = at(offset);
    if (run === undefined) return runs === undefined || source.length < 2 ? start : start + 1;
    const into = offset - run.inner;
    return (
      start + run.file + (run.length === run.fileLength ? Math.min(into, run.length) : into > 0 ? run.fileLength : 0)
    );
  };
  return {
    style,
    text,
    start,
    end,
    exact: runs !== undefined,
    fileOffset,
    replace(from, to, insert) {
      if (runs === undefined) return undefined;
      // A line break of a quoted text is an escape, and has nothing to do with those of the file.
      const lines = style === 'double' ? insert.replaceAll('\n', lineBreakAt(text, from)) : insert;
      const written = encode(lines, style, eol + indent);
      if (written === undefined) return undefined;
      return { start: fileOffset(from), end: fileOffset(to), text: written };
    },
  };
}

function styleOf(type: Scalar['type']): LayerStyle {
  switch (type) {
    case Scalar.BLOCK_LITERAL:
      return 'literal';
    case Scalar.BLOCK_FOLDED:
      return 'folded';
    case Scalar.QUOTE_DOUBLE:
      return 'double';
    case Scalar.QUOTE_SINGLE:
      return 'single';
    default:
      return 'plain';
  }
}

function encode(insert: string, style: LayerStyle, newLine: string): string | undefined {
  switch (style) {
    case 'file':
    case 'literal':
      return insert.replaceAll('\n', newLine);
    case 'double':
      return JSON.stringify(insert).slice(1, -1);
    case 'single':
      return insert.includes('\n') ? undefined : insert.replaceAll("'", "''");
    default:
      return insert.includes('\n') ? undefined : insert;
  }
}

/** One run for each line of a block scalar; what folding has made of the line breaks lies between them. */
function blockRuns(source: string, text: string, style: 'literal' | 'folded'): Run[] | undefined {
  const lines = linesBehindHeader(source);
  const firstText = text.split('\n').find((line) => line.trim() !== '');
  const firstLine = lines.find(({ content }) => content.trim() !== '');
  if (firstText === undefined || firstLine === undefined) return undefined;
  const indent = leading(firstLine.content) - leading(firstText);
  const runs: Run[] = [];
  let inner = 0;
  for (const { content, at } of lines) {
    const line = content.slice(indent);
    const file = at + Math.min(indent, content.length);
    if (style === 'folded') {
      if (line.trim() === '') continue;
      while (inner < text.length && !text.startsWith(line, inner) && /[\n ]/.test(text[inner] ?? '')) inner++;
    } else if (inner > text.length) break;
    if (!text.startsWith(line, inner)) return undefined;
    runs.push({ inner, length: line.length, file, fileLength: line.length });
    inner += line.length + (style === 'literal' ? 1 : 0);
  }
  return runs;
}

const leading = (line: string): number => /^ */.exec(line)?.[0].length ?? 0;

function linesBehindHeader(source: string): { content: string; at: number }[] {
  const lines: { content: string; at: number }[] = [];
  let at = source.indexOf('\n') + 1;
  while (at > 0 && at < source.length) {
    const next = source.indexOf('\n', at);
    const end = next < 0 ? source.length : next;
    lines.push({ content: source.slice(at, end).replace(/\r$/, ''), at });
    at = next + 1;
  }
  return lines;
}

const escapes: Readonly<Record<string, string>> = {
  '0': '\0',
  a: '\x07',
  b: '\b',
  e: '\x1b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
  N: '\u0085',
  _: '\u00a0',
  L: '\u2028',
  P: '\u2029',
};

const hexLength: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

/** Runs of a quoted or plain scalar, in which a line break with the white space around it is a space. */
function flowRuns(source: string, style: LayerStyle): Run[] {
  const quoted = style === 'double' || style === 'single';
  const end = quoted ? source.length - 1 : source.length;
  const runs: Run[] = [];
  let inner = 0;
  const add = (file: number, fileLength: number, length: number) => {
    const last = runs.at(-1);
    const joins = length === fileLength && length === 1 && last !== undefined && last.length === last.fileLength;
    if (joins && last.file + last.fileLength === file && last.inner + last.length === inner) {
      runs[runs.length - 1] = { ...last, length: last.length + 1, fileLength: last.fileLength + 1 };
    } else runs.push({ inner, length, file, fileLength });
    inner += length;
  };
  for (let at = quoted ? 1 : 0; at < end; ) {
    const folded = /^[ \t]*(\r?\n[ \t]*)+/.exec(source.slice(at, at + 4096))?.[0];
    if (folded !== undefined) {
      const breaks = folded.split('\n').length - 1;
      add(at, folded.length, Math.max(1, breaks - 1));
      at += folded.length;
      continue;
    }
    const char = source[at] ?? '';
    const next = source[at + 1] ?? '';
    let [taken, length] = [1, 1];
    if (style === 'single' && char === "'") taken = 2;
    else if (style === 'double' && char === '\\') {
      const broken = /^\\\r?\n[ \t]*/.exec(source.slice(at, at + 4096))?.[0];
      if (broken !== undefined) {
        at += broken.length;
        continue;
      }
      const digits = hexLength[next] ?? 0;
      taken = 2 + digits;
      const code = Number.parseInt(source.slice(at + 2, at + taken), 16);
      length = digits > 0 ? String.fromCodePoint(Math.min(code || 0, 0x10ffff)).length : (escapes[next] ?? next).length;
    }
    add(at, taken, length);
    at += taken;
  }
  return runs;
}

/** The runs are in order, say what the text says, and leave out only what folding made. */
function isWhole(runs: readonly Run[], text: string, source: string): boolean {
  let inner = 0;
  for (const run of runs) {
    if (/[^\n ]/.test(text.slice(inner, run.inner))) return false;
    const same = run.length === run.fileLength;
    const [a, b] = [text.slice(run.inner, run.inner + run.length), source.slice(run.file, run.file + run.fileLength)];
    if (same && a !== b && !/^[\s\\']/.test(b)) return false;
    inner = run.inner + run.length;
  }
  return !/[^\n ]/.test(text.slice(inner)) && inner <= text.length + 1;
}

/** White space before the lines of a block scalar. */
function indentOf(source: string, runs: readonly Run[]): string {
  const first = runs.find(({ length }) => length > 0);
  if (first === undefined) return '';
  return source.slice(source.lastIndexOf('\n', first.file - 1) + 1, first.file);
}

/** Index of the last run that begins at or before an offset; 0 where none does. */
function lastAtOrBefore(runs: readonly Run[], offset: number): number {
  let [low, high] = [0, runs.length - 1];
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((runs[middle]?.inner ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  return low;
}
