import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type Node,
  type Pair,
  visit,
} from 'yaml';

/** Where the content of a node ends: without the comments and the line breaks behind it. */
export function contentEnd(node: unknown, text: string, base: number): number {
  if (isMap(node) && node.flow !== true) {
    const last = node.items.at(-1);
    if (last !== undefined) return contentEnd(hasText(last.value) ? last.value : last.key, text, base);
  }
  if (isSeq(node) && node.flow !== true) {
    const last = node.items.at(-1);
    if (last !== undefined && hasText(last)) return contentEnd(last, text, base);
  }
  const range = (node as Node | null | undefined)?.range;
  if (!range) return base;
  let end = base + range[1];
  if (isScalar(node) && node.type?.startsWith('BLOCK') === true) {
    while (end > base && /[\s]/.test(text[end - 1] ?? '')) end--;
  }
  return end;
}

/** False of a value that nobody wrote: `key:` and nothing behind it. */
function hasText(node: unknown): boolean {
  const range = (node as Node | null | undefined)?.range;
  return range !== null && range !== undefined && (range[1] > range[0] || isCollection(node));
}

/** The pair of a map that has this key, as it is written. */
export function pairOf(map: unknown, key: string): Pair | undefined {
  if (!isMap(map)) return undefined;
  return map.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === key);
}

/** Names of the anchors in a document to which an alias points. */
export function usedAnchors(document: Document): Set<string> {
  const used = new Set<string>();
  visit(document, {
    Alias(_, { source }) {
      used.add(source);
    },
  });
  return used;
}

/** The first thing in a node that an alias points to, or that is an alias; undefined where there is neither. */
export function sharedPart(node: Node, used: ReadonlySet<string>): { what: string; node: Node } | undefined {
  let found: { what: string; node: Node } | undefined;
  visit(node, (_, at) => {
    if (isPair(at)) {
      if (isScalar(at.key) && String(at.key.value) === '<<') found = { what: 'a merge key (<<)', node: at.key };
    } else if (isAlias(at)) found = { what: `an alias (*${at.source})`, node: at };
    else if ((isScalar(at) || isCollection(at)) && at.anchor !== undefined && used.has(at.anchor)) {
      found = { what: `an anchor (&${at.anchor})`, node: at };
    }
    return found === undefined ? undefined : visit.BREAK;
  });
  return found;
}

/** Start of the line that an offset is in. */
export function lineStart(text: string, offset: number): number {
  return text.lastIndexOf('\n', offset - 1) + 1;
}

/** Where the line ends that an offset is in, before its line break (also before the CR of one). */
export function lineEnd(text: string, offset: number): number {
  const next = text.indexOf('\n', offset);
  if (next < 0) return text.length;
  return next > 0 && text[next - 1] === '\r' ? next - 1 : next;
}

/** Where the next line begins. */
export function nextLine(text: string, offset: number): number {
  const next = text.indexOf('\n', offset);
  return next < 0 ? text.length : next + 1;
}
