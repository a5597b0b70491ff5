import { cursor, readLength, readVarint, skip, varintSize, writeVarint } from '../../../src/wire/scan.ts';
import type { Random } from '../istiod/random.ts';

/** How a valid input becomes one that may not be. `other` is another valid one. */
type Mutation = (bytes: Buffer, random: Random, other: Buffer) => Buffer;

/** Bytes that parsers trip over: ends of ranges, tags of fields 1 to 6, wire types that are none. */
const pointed = [0x00, 0x01, 0x07, 0x0a, 0x0b, 0x0f, 0x12, 0x1a, 0x22, 0x2a, 0x32, 0x7f, 0x80, 0xc0, 0xfe, 0xff];

/** Numbers at the borders of what fits. */
const borders = [0, 1, 127, 128, 2 ** 21, 2 ** 28 - 1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53, 2 ** 63];

const place = (bytes: Buffer, random: Random) => random.below(bytes.length + 1);

function range(bytes: Buffer, random: Random): [start: number, end: number] {
  const start = place(bytes, random);
  // Mostly short ones: a long one leaves little of what was valid.
  const most = random.chance(0.8) ? Math.min(16, bytes.length - start) : bytes.length - start;
  return [start, start + random.below(most + 1)];
}

function put(bytes: Buffer, start: number, end: number, piece: Uint8Array): Buffer {
  return Buffer.concat([bytes.subarray(0, start), piece, bytes.subarray(end)]);
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(varintSize(value));
  writeVarint(bytes, 0, value);
  return bytes;
}

const mutations: Readonly<Record<string, Mutation>> = {
  flip(bytes, random) {
    const copy = Buffer.from(bytes);
    const at = random.below(copy.length);
    if (copy.length > 0) copy[at] = (copy[at] as number) ^ (1 << random.below(8));
    return copy;
  },
  poke(bytes, random) {
    const copy = Buffer.from(bytes);
    if (copy.length > 0) copy[random.below(copy.length)] = random.pick(pointed);
    return copy;
  },
  cut: (bytes, random) => bytes.subarray(0, place(bytes, random)),
  drop: (bytes, random) => put(bytes, ...range(bytes, random), Buffer.alloc(0)),
  repeat(bytes, random) {
    const [start, end] = range(bytes, random);
    return put(bytes, start, start, bytes.subarray(start, end));
  },
  noise(bytes, random) {
    const [start, end] = range(bytes, random);
    return put(bytes, start, end, Buffer.from(Array.from({ length: random.below(16) }, () => random.below(256))));
  },
  splice(bytes, random, other) {
    const [from, to] = range(other, random);
    return put(bytes, ...range(bytes, random), other.subarray(from, to));
  },
  /** A number that is larger than anything, or that never ends. */
  hugeVarint(bytes, random) {
    const at = place(bytes, random);
    const piece = random.chance(0.3) ? Buffer.alloc(1 + random.below(12), 0xff) : varint(random.pick(borders));
    return put(bytes, at, Math.min(bytes.length, at + random.below(3)), piece);
  },
  /** A length-delimited field that is longer or shorter than it says. */
  lengthLie(bytes, random) {
    const copy = Buffer.from(bytes);
    const starts = Array.from(copy.keys()).filter((at) => ((copy[at] as number) & 7) === 2 && at + 1 < copy.length);
    if (starts.length === 0) return copy;
    const at = random.pick(starts) + 1;
    copy[at] = random.chance(0.5) ? (copy[at] as number) + random.below(5) - 2 : random.below(256);
    return copy;
  },
  /** The same field inside of itself, again and again. */
  nest(bytes, random) {
    const tag = random.pick([0x0a, 0x12, 0x1a, 0x22, 0x2a, 0x32]);
    let inner: Buffer = Buffer.from(bytes.subarray(0, 64));
    for (let depth = 1 + random.below(random.chance(0.1) ? 2000 : 120); depth > 0; depth--) {
      inner = Buffer.concat([Buffer.from([tag]), varint(inner.length), inner]);
      if (inner.length > 1 << 16) break;
    }
    const at = place(bytes, random);
    return put(bytes, at, at, inner);
  },
};

const kinds = Object.values(mutations);

/** One field of a protobuf message: all of it, and its content where that is length-delimited. */
type Piece = { readonly whole: Buffer; readonly tag: Buffer; readonly content: Buffer | undefined };

/** The fields of a message; undefined for what is none. */
function piecesOf(bytes: Buffer): Piece[] | undefined {
  const found: Piece[] = [];
  try {
    for (let at = 0; at < bytes.length; ) {
      const tag = readVarint(bytes, at, bytes.length);
      const tagEnd = cursor;
      const next = skip(bytes, tag & 7, tagEnd, bytes.length);
      let content: Buffer | undefined;
      if ((tag & 7) === 2) {
        readLength(bytes, tagEnd, bytes.length);
        content = bytes.subarray(cursor, next);
      }
      found.push({ whole: bytes.subarray(at, next), tag: bytes.subarray(at, tagEnd), content });
      at = next;
    }
  } catch {
    return undefined;
  }
  return found;
}

/** Changes one field somewhere inside, or which fields there are, so that all lengths around it stay right. */
function mutateWithin(bytes: Buffer, random: Random, other: Buffer, depth = 0): Buffer {
  const fields = piecesOf(bytes);
  if (fields === undefined || fields.length === 0 || depth > 20) return random.pick(kinds)(bytes, random, other);
  const at = random.below(fields.length);
  const { whole, tag, content } = fields[at] as Piece;
  const around = (piece: Buffer) =>
    Buffer.concat([
      ...fields.slice(0, at).map((one) => one.whole),
      piece,
      ...fields.slice(at + 1).map((one) => one.whole),
    ]);
  const how = random.weighted({
    inside: content === undefined ? 0 : 12,
    drop: 1,
    repeat: 1,
    swap: 1,
    value: 1,
    renumber: 1,
  });
  if (how === 'drop') return around(Buffer.alloc(0));
  if (how === 'repeat') return around(Buffer.concat([whole, whole]));
  if (how === 'swap') return around(random.pick(fields).whole);
  if (how === 'renumber')
    return around(
      Buffer.concat([varint((random.below(20) << 3) | ((tag[0] as number) & 7)), whole.subarray(tag.length)]),
    );
  if (content === undefined) return around(Buffer.concat([tag, varint(random.pick(borders))]));
  const changed =
    how === 'inside' ? mutateWithin(content, random, other, depth + 1) : random.pick(kinds)(content, random, other);
  return around(Buffer.concat([tag, varint(changed.length), changed]));
}

/** Longest input that is made, in bytes. */
const maxLength = 1 << 18;

/** One to four mutations of a valid input, one after the other. */
export function mutate(bytes: Buffer, random: Random, other = bytes): Buffer {
  let mutated = bytes;
  for (let left = 1 + random.below(4); left > 0; left--) {
    mutated = random.chance(0.8) ? mutateWithin(mutated, random, other) : random.pick(kinds)(mutated, random, other);
  }
  return mutated.subarray(0, maxLength);
}

/** Pieces of texts that readers of texts trip over. */
const pieces = [
  [' ', '\0', '\n', '\r\n', '\t', '#', ':', '::', ': ', '- ', '---\n', '...\n', '/', '//', '*', '&a ', '*a', '!!x '],
  [
    '{',
    '}',
    '[',
    ']',
    '"',
    "'",
    '\\',
    '|\n',
    '>\n',
    '%',
    '%YAML 1.1\n',
    '<<: ',
    '? ',
    '~',
    'null',
    'true',
    'NaN',
    '.inf',
  ],
  ['-1', '0', '1e309', '9'.repeat(40), '0x1f', '65536', '\u00e9', '\ufeff', '\ud800', '\u{1f600}', '__proto__'],
  ['[::1]:1', '127.0.0.1:99999', 'mcp://', 'xds://x:1', '1h1h', `${'9'.repeat(400)}s`, '1GiB', '-'.repeat(300)],
  ['['.repeat(400), '{a: '.repeat(400), 'a: &a [*a]', '- '.repeat(300), 'constructor'],
].flat();

/** One to four changes of a text, by its characters and by pieces that mean something. */
export function mutateText(text: string, random: Random, other = text): string {
  let mutated = text;
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(mutated.length + 1);
    const end = Math.min(mutated.length, at + random.below(random.chance(0.8) ? 8 : mutated.length + 1));
    const from = random.below(other.length + 1);
    const how = random.weighted({ piece: 4, drop: 2, repeat: 2, splice: 1, cut: 1, char: 2 });
    const [head, tail] = [mutated.slice(0, at), mutated.slice(end)];
    if (how === 'piece') mutated = head + random.pick(pieces) + mutated.slice(at);
    else if (how === 'drop') mutated = head + tail;
    else if (how === 'repeat') mutated = head + mutated.slice(at, end).repeat(2) + tail;
    else if (how === 'splice') mutated = head + other.slice(from, from + random.below(40)) + tail;
    else if (how === 'cut') mutated = head;
    else mutated = head + String.fromCharCode(random.below(random.chance(0.5) ? 128 : 0x3000)) + tail.slice(1);
  }
  return mutated.slice(0, maxLength);
}
