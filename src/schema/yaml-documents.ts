import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, type Document, type Node } from 'yaml';
import type { Path } from './problem.ts';

/** A place in a file, counted from 1. */
type Position = { readonly line: number; readonly column: number };

/** One document of a YAML stream. `value` is undefined where `faults` holds an error. */
export type YamlDocument = {
  /** Place among the documents of the file that are not empty, from 1. */
  readonly number: number;
  readonly value: unknown;
  readonly faults: readonly Fault[];
  /** What the parser made of it, for who edits the text. Ranges are counted from `start`; undefined where it gave up. */
  readonly parsed: Document | undefined;
  /** Where in the text the ranges of `parsed` begin to count. */
  readonly start: number;
  /** Where the value (or its name, for `onKey`) at `path` stands; the nearest thing around it where there is none. */
  locate(path: Path, onKey?: boolean): Position;
  /** The same, counted in characters from the start of the text. */
  offsetOf(path: Path, onKey?: boolean): number;
};

/** A syntax error, or a warning of the YAML parser. `offset` is counted from the start of the text. */
type Fault = {
  readonly severity: 'error' | 'warning';
  readonly message: string;
  readonly at: Position;
  readonly offset: number;
};

/**
 * Values that one anchor may stand for, aliases inside it multiplied: a few lines of nested anchors are gigabytes
 * otherwise ("billion laughs"). A long list of endpoints may well share their labels, so it is not small.
 */
const maxAliasCount = 1000;

/**
 * Maps and lists inside each other. The composer recurses over them, and V8 may end the whole process, uncatchably,
 * where the stack is full while a regular expression is compiled.
 */
const maxNesting = 200;

/** Faults that are told of one document; a file that is no YAML at all has one at every character. */
const maxFaults = 20;

/**
 * Reads every document of a YAML (or JSON) text. A broken document never costs another: the text is cut at its `---`
 * lines first, because an open quote would swallow the rest of the file. YAML 1.2, merge keys (`<<`) included; the
 * names in a map are text, whatever they look like.
 */
export function readYamlDocuments(text: string): YamlDocument[] {
  const lines = new LineCounter();
  lines.addNewLine(0);
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) lines.addNewLine(at + 1);
  const documents: YamlDocument[] = [];
  for (const { start, end } of pieces(text)) {
    const position = (offset: number): Position => {
      const { line, col } = lines.linePos(start + offset);
      return { line, column: col };
    };
    documents.push(...readPiece(text.slice(start, end), { start, position }, documents.length));
  }
  return documents;
}

/** A line that is no comment and no directive; a `%YAML` line stands in a piece of its own, before its `---`. */
const hasContent = /^[^\S\n]*[^\s#%]/m;

/** A line that begins with `---` and white space ends a document wherever it stands, even inside an open quote. */
function pieces(text: string): { start: number; end: number }[] {
  const starts = [0];
  for (const { index } of text.matchAll(/\n---(?=\s|$)/g)) starts.push(index + 1);
  return starts
    .map((start, i) => ({ start, end: starts[i + 1] ?? text.length }))
    .filter(({ start, end }) => hasContent.test(text.slice(start, end)));
}

/** Where a piece of the text begins, and what line and column an offset in it is. */
type Place = { readonly start: number; readonly position: (offset: number) => Position };

function readPiece(text: string, place: Place, before: number): YamlDocument[] {
  let parsed: Document[];
  try {
    parsed = compose(text);
  } catch (error) {
    return [unreadable(before + 1, place, 0, error)];
  }
  return parsed
    .filter((document) => document.errors.length > 0 || !isEmpty(document))
    .map((document, index) => toDocument(document, before + 1 + index, place));
}

/** What the package's parseAllDocuments does, with a limit to nesting in between. */
function compose(text: string): Document[] {
  const parser = new Parser();
  const composer = new Composer({ merge: true, stringKeys: true, logLevel: 'silent' });
  const documents: Document[] = [];
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) documents.push(...composer.next(token));
    if (parser.stack.length > maxNesting) throw new Error(`nested deeper than ${maxNesting} levels`);
  }
  for (const token of parser.end()) documents.push(...composer.next(token));
  documents.push(...composer.end(false, text.length));
  return documents;
}

function isEmpty({ contents }: Document): boolean {
  return contents === null || (isScalar(contents) && contents.value === null && contents.source === '');
}

function toDocument(document: Document, number: number, place: Place): YamlDocument {
  const { start, position } = place;
  const fault = (severity: Fault['severity']) => (error: Document['errors'][number]) =>
    ({ severity, message: error.message, at: position(error.pos[0]), offset: start + error.pos[0] }) as Fault;
  const faults = [...document.errors.map(fault('error')), ...document.warnings.map(fault('warning'))].slice(
    0,
    maxFaults,
  );
  const locate = (path: Path, onKey = false): Position => position(offsetOf(document, path, onKey));
  const offset = (path: Path, onKey = false): number => start + offsetOf(document, path, onKey);
  const read = { number, faults, parsed: document, start, locate, offsetOf: offset };
  if (document.errors.length > 0) return { ...read, value: undefined };
  try {
    return { ...read, value: document.toJS({ maxAliasCount }) };
  } catch (error) {
    return unreadable(number, place, offsetOf(document, [], false), error);
  }
}

/** Too many aliases, an alias inside its own anchor, or nesting that overflows the stack. */
function unreadable(number: number, { start, position }: Place, at: number, error: unknown): YamlDocument {
  const message = error instanceof Error ? error.message : String(error);
  const [offset, where] = [start + at, position(at)];
  return {
    number,
    value: undefined,
    faults: [{ severity: 'error', message, at: where, offset }],
    parsed: undefined,
    start,
    locate: () => where,
    offsetOf: () => offset,
  };
}

function offsetOf(document: Document, path: Path, onKey: boolean): number {
  let node: unknown = document.contents;
  let offset = startOf(node) ?? 0;
  for (const [depth, step] of path.entries()) {
    const at = isAlias(node) ? node.resolve(document) : node;
    if (isMap(at)) {
      const pair = at.items.find(({ key }) => isScalar(key) && String(key.value) === step);
      if (pair === undefined) return offset;
      const named = onKey && depth === path.length - 1;
      offset = startOf(named ? pair.key : pair.value) ?? startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(at)) {
      node = at.items[step as number];
      offset = startOf(node) ?? offset;
    } else return offset;
  }
  return offset;
}

const startOf = (node: unknown): number | undefined => (node as Node | null | undefined)?.range?.[0];
