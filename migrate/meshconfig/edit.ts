import { isAlias, isMap, isScalar, isSeq, Scalar, type YAMLMap, type YAMLSeq } from 'yaml';
import type { MeshPlace } from './find.ts';
import { dropFromFlow, type Extent, insertBefore, insertBehind } from './flow-edits.ts';
import { contentEnd, lineEnd, lineStart, nextLine, pairOf, sharedPart, usedAnchors } from './nodes.ts';
import type { Plan, Step } from './plan.ts';
import { Refusal } from './refusal.ts';
import type { Splice } from './splice.ts';

/**
 * The ways to say a plan in the text of a mesh config, the nicest one first; offsets are those of the layer's text. Each is a proposal:
 * who takes one reads the result again.
 * @throws Refusal where the text has something in it that an edit could change elsewhere.
 */
export function proposals(place: MeshPlace, plan: Plan): Splice[][] {
  const nice = writings(place, plan);
  // Where a text can take no line break, as between the lines of a folded one, JSON does without.
  const flat = nice.map((splices) => splices.map((one) => ({ ...one, text: one.text.replaceAll(/\n */g, ' ') })));
  return [...nice, ...flat];
}

function writings(place: MeshPlace, plan: Plan): Splice[][] {
  refuseShared(place);
  const { layer, base, root } = place.text;
  const text = layer.text;
  if (root === null) {
    if (place.kind === 'configMap' && layer.style === 'file') return [[appendList(text, addressesOf(plan))]];
    if (layer.style === 'file' || layer.style === 'literal') throw new Refusal('the mesh config is empty', layer.start);
    return [[{ start: 0, end: text.length, text: `configSources: ${flowList(addressesOf(plan), false)}` }]];
  }
  if (!isMap(root)) throw new Refusal('the mesh config is no map');
  if (place.sourcesKey === undefined) return addKey(root, text, base, addressesOf(plan));
  const pair = pairOf(root, place.sourcesKey);
  if (pair === undefined) throw new Refusal(`${place.sourcesKey} comes in by a merge key (<<)`, at(place, root, 0));
  const list = pair.value;
  if (isSeq(list) && list.items.length > 0) {
    return [list.flow === true ? editFlow(list, place, plan) : editBlock(list, place, plan)];
  }
  const isNothing = list === null || (isScalar(list) && list.value === null);
  if (!isNothing && !isSeq(list)) throw new Refusal(`${place.sourcesKey} is no list`, at(place, list, 0));
  return fillEmpty(root, pair, { text, base }, addressesOf(plan));
}

/** A text with nothing in it but comments gets the list at its end. */
function appendList(text: string, addresses: readonly string[]): Splice {
  const open = text === '' || text.endsWith('\n') ? '' : '\n';
  return { start: text.length, end: text.length, text: `${open}configSources:${blockList(addresses, '')}\n` };
}

/** Offset in the file of a node. */
function at({ text }: MeshPlace, node: unknown, end: 0 | 1): number {
  const range = (node as { range?: readonly number[] | null } | null)?.range;
  return text.layer.fileOffset(text.base + (range?.[end] ?? 0));
}

/** Aliases, anchors with an alias, and merge keys, round about the list or in it. */
function refuseShared(place: MeshPlace): void {
  const { around, outer, document, root, layer } = place.text;
  const isSame = document === outer;
  const used = usedAnchors(outer);
  const shared = (what: string, offset: number) =>
    new Refusal(
      `${what} is in the way: a change here would be one elsewhere too, or would lose what comes from there`,
      offset,
    );
  for (const node of around) {
    const offset = isSame ? at(place, node, 0) : layer.start;
    if (isAlias(node)) throw shared(`an alias (*${node.source})`, offset);
    if ('anchor' in node && typeof node.anchor === 'string' && used.has(node.anchor)) {
      throw shared(`an anchor (&${node.anchor}) round about it`, offset);
    }
  }
  const inner = isSame ? used : usedAnchors(document);
  if (isMap(root) && root.anchor !== undefined && inner.has(root.anchor)) {
    throw shared(`an anchor (&${root.anchor})`, at(place, root, 0));
  }
  const pair = place.sourcesKey === undefined ? undefined : pairOf(root, place.sourcesKey);
  for (const node of [pair?.key, pair?.value]) {
    const found = isMap(node) || isSeq(node) || isScalar(node) || isAlias(node) ? sharedPart(node, inner) : undefined;
    if (found !== undefined) throw shared(found.what, at(place, found.node, 0));
  }
}

const addressesOf = ({ result }: Plan): string[] =>
  result.map((entry) => String((entry as { address: unknown }).address));

/** `[{address: "a"}, {address: "b"}]`. Quoted: older readers of YAML take no colon in a plain text of a flow map. */
function flowList(addresses: readonly string[], quoteKeys: boolean): string {
  return `[${addresses.map((address) => flowEntry(address, quoteKeys)).join(', ')}]`;
}

function flowEntry(address: string, quoteKeys: boolean): string {
  return `{${quoteKeys ? '"address"' : 'address'}: ${JSON.stringify(address)}}`;
}

function blockList(addresses: readonly string[], indent: string): string {
  return addresses.map((address) => `\n${indent}- address: ${address}`).join('');
}

/** True where the names in a flow map stand in quotes, as in JSON. */
function quotesKeys(map: unknown): boolean {
  return isMap(map) && map.items.some(({ key }) => isScalar(key) && key.type === Scalar.QUOTE_DOUBLE);
}

function addKey(root: YAMLMap, text: string, base: number, addresses: readonly string[]): Splice[][] {
  const first = root.items[0];
  const last = root.items.at(-1);
  const range = root.range;
  if (range === null || range === undefined) throw new Refusal('the mesh config has no place in the text');
  const quoted = quotesKeys(root);
  const flow = `${quoted ? '"configSources"' : 'configSources'}: ${flowList(addresses, quoted)}`;
  if (root.flow === true) {
    const open = base + range[0] + 1;
    if (last === undefined) return [[{ start: open, end: open, text: flow }]];
    return [
      [
        insertBehind(
          text,
          { start: startOf(last.key, base), end: contentEnd(last.value ?? last.key, text, base) },
          flow,
        ),
      ],
    ];
  }
  const start = startOf(first?.key, base);
  const indent = text.slice(lineStart(text, start), start);
  if (/[^ ]/.test(indent)) throw new Refusal('the mesh config begins on the line of something else');
  const end = lineEnd(text, contentEnd(root, text, base));
  return [
    [{ start: end, end, text: `\n${indent}configSources:${blockList(addresses, indent)}` }],
    [{ start, end: start, text: `configSources:${blockList(addresses, indent)}\n${indent}` }],
    [{ start, end: start, text: `${flow}\n${indent}` }],
  ];
}

const startOf = (node: unknown, base: number): number =>
  base + ((node as { range?: readonly number[] } | null)?.range?.[0] ?? 0);

type Text = { readonly text: string; readonly base: number };

function fillEmpty(
  root: YAMLMap,
  { key, value }: { key: unknown; value: unknown },
  { text, base }: Text,
  addresses: readonly string[],
): Splice[][] {
  const keyStart = startOf(key, base);
  const keyEnd = base + ((key as { range?: readonly number[] }).range?.[1] ?? 0);
  const colon = text.indexOf(':', keyEnd) + 1;
  const valueEnd = Math.max(colon, contentEnd(value, text, base));
  // Behind the colon of nothing, the space before a comment stays.
  const end = text.slice(colon, valueEnd).trim() === '' ? colon : valueEnd;
  const flow = { start: colon, end, text: ` ${flowList(addresses, quotesKeys(root))}` };
  const indent = text.slice(lineStart(text, keyStart), keyStart);
  if (root.flow === true || /[^ ]/.test(indent)) return [[flow]];
  const behind = lineEnd(text, end);
  const block = [
    { start: colon, end, text: '' },
    { start: behind, end: behind, text: blockList(addresses, indent) },
  ];
  return [block, [flow]];
}

function editFlow(list: YAMLSeq, place: MeshPlace, plan: Plan): Splice[] {
  const { layer, base } = place.text;
  const text = layer.text;
  const extents = list.items.map((item): Extent => ({ start: startOf(item, base), end: contentEnd(item, text, base) }));
  const dropped = indicesOf(plan.steps, 'dropEntry');
  const splices = [...editEntries(list, place, plan), ...dropFromFlow(extents, dropped)];
  const quoted = list.items.some(quotesKeys);
  for (const step of plan.steps) {
    if (step.do !== 'insert') continue;
    const before = extents.findLast((_, index) => index < step.index && !dropped.has(index));
    const entry = flowEntry(step.address, quoted);
    const [first] = extents;
    if (before !== undefined) splices.push(insertBehind(text, before, entry));
    else if (first !== undefined) splices.push(insertBefore(text, first, entry));
  }
  return splices;
}

function indicesOf(steps: readonly Step[], kind: Step['do']): Set<number> {
  return new Set(steps.filter((step) => step.do === kind).map(({ index }) => index));
}

function editBlock(list: YAMLSeq, place: MeshPlace, plan: Plan): Splice[] {
  const { layer, base } = place.text;
  const text = layer.text;
  const start = startOf(list, base);
  const indent = text.slice(lineStart(text, start), start);
  if (/[^ ]/.test(indent)) throw new Refusal('configSources begins on the line of something else', at(place, list, 0));
  const dashes = dashesOf(list, place, indent.length);
  const dropped = indicesOf(plan.steps, 'dropEntry');
  const splices = editEntries(list, place, plan);
  const endOf = (index: number) =>
    lineEnd(text, Math.max(dashes[index] ?? 0, contentEnd(list.items[index], text, base)));
  for (const index of dropped) splices.push(dropLines(text, lineStart(text, dashes[index] ?? 0), endOf(index)));
  for (const step of plan.steps) {
    if (step.do !== 'insert') continue;
    const before = dashes.findLastIndex((_, index) => index < step.index && !dropped.has(index));
    const entry = `- address: ${step.address}`;
    if (before >= 0) splices.push({ start: endOf(before), end: endOf(before), text: `\n${indent}${entry}` });
    else splices.push({ start, end: start, text: `${entry}\n${indent}` });
  }
  return splices;
}

/** Where the `-` of each entry stands. */
function dashesOf(list: YAMLSeq, place: MeshPlace, column: number): number[] {
  const { layer, base } = place.text;
  const text = layer.text;
  return list.items.map((item) => {
    let from = lineStart(text, startOf(item, base));
    const listStart = startOf(list, base);
    while (
      from + column > listStart &&
      !(text[from + column] === '-' && text.slice(from, from + column).trim() === '')
    ) {
      from = lineStart(text, from - 1);
    }
    return from + column;
  });
}

/** Takes lines away, with the line break before them. */
function dropLines(text: string, start: number, end: number): Splice {
  if (start > 0) return { start: lineEnd(text, start - 1), end, text: '' };
  return { start, end: nextLine(text, end), text: '' };
}

/** What happens inside of entries that stay. */
function editEntries(list: YAMLSeq, place: MeshPlace, { steps }: Plan): Splice[] {
  const { layer, base } = place.text;
  const splices: Splice[] = [];
  for (const index of indicesOf(steps, 'setAddress')) {
    const item = list.items[index];
    if (!isMap(item)) throw new Refusal('an entry of configSources is no map', at(place, item, 0));
    const keys: number[] = [];
    for (const step of steps) {
      if (step.index !== index) continue;
      if (step.do === 'setAddress') {
        const address = pairOf(item, 'address')?.value;
        splices.push(
          setScalar(address, step.address, item.flow === true, { text: layer.text, base }, () => at(place, item, 0)),
        );
      } else if (step.do === 'dropKey') {
        keys.push(item.items.findIndex(({ key }) => isScalar(key) && String(key.value) === step.key));
      }
    }
    splices.push(...dropKeys(item, new Set(keys), { text: layer.text, base }));
  }
  return splices;
}

function setScalar(node: unknown, value: string, inFlow: boolean, { base }: Text, where: () => number): Splice {
  if (!isScalar(node) || !node.range || node.type === Scalar.BLOCK_LITERAL || node.type === Scalar.BLOCK_FOLDED) {
    throw new Refusal('an address is no text on one line', where());
  }
  const [start, end] = [base + node.range[0], base + node.range[1]];
  if (node.type === Scalar.QUOTE_SINGLE) return { start, end, text: `'${value}'` };
  const quoted = inFlow || node.type === Scalar.QUOTE_DOUBLE;
  return { start, end, text: quoted ? JSON.stringify(value) : value };
}

function dropKeys(map: YAMLMap, dropped: ReadonlySet<number>, { text, base }: Text): Splice[] {
  const extents = map.items.map(
    ({ key, value }): Extent => ({
      start: startOf(key, base),
      end: Math.max(contentEnd(key, text, base), contentEnd(value, text, base)),
    }),
  );
  if (map.flow === true) return dropFromFlow(extents, dropped);
  return [...dropped].flatMap((index): Splice[] => {
    const extent = extents[index];
    if (extent === undefined) return [];
    const from = lineStart(text, extent.start);
    const to = lineEnd(text, extent.end);
    if (text.slice(from, extent.start).trim() === '') return [dropLines(text, from, to)];
    // The first key, on the line of the dash: what follows takes its place.
    const next = nextLine(text, to);
    const rest = /^[\s]*/.exec(text.slice(next, next + 4096))?.[0].length ?? 0;
    return [{ start: extent.start, end: next + rest, text: '' }];
  });
}
