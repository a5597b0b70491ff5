import { isAscii, isUtf8 } from 'node:buffer';
import { createHmac } from 'node:crypto';
import { isIPv4, isIPv6 } from 'node:net';

/**
 * Words that say what something is and not what it is called: they stay, so that what Istio makes of a text stays what
 * it was. Compared in lower case.
 */
const keptWords: ReadonlySet<string> = new Set(
  [
    // Protocols, which Istio reads from the field or from the name of a port.
    'http http2 https grpc tcp udp tls mongo redis mysql web proxy unix',
    // What Kubernetes and Istio name themselves.
    'svc cluster local global default istio system kubernetes mesh localhost outbound',
    // Schemes, which say how the rest of a text is read.
    'spiffe file oci inline mcp',
    // What Istio looks for in the names of headers, and in annotations.
    'host authority request auth claims true false',
    // How an address of this very host begins.
    '127',
  ].flatMap((words) => words.split(' ')),
);

/** Of what a part of a text consists, which stays; the rest of it does not. */
type Class = 'text' | 'hex';

/** What stands between punctuation; and addresses of this very host, which stay. */
const parts = /\[::1\]|(?<![\w.])127\.\d+\.\d+\.\d+(?![\w.])|[A-Za-z0-9]+|[^\0-\x7f]+/gu;
const isLoopback = /^(?:\[|127\.)/;
const asciiParts = /[A-Za-z0-9]+/g;

/** Attempts by chance before the free one is looked for in order. */
const attempts = 20;

/**
 * Replaces texts by others of the same length and shape: small letters by small ones, digits by digits, everything else
 * stays where it is. The same part of a text (what stands between punctuation) always becomes the same, and two that
 * differ stay different, so that duplicates, conflicts and references remain.
 */
export class Pseudonyms {
  readonly #key: Buffer;
  readonly #known: Readonly<Record<Class, Map<string, string>>> = { text: new Map(), hex: new Map() };
  readonly #taken: Readonly<Record<Class, Set<string>>> = { text: new Set(), hex: new Set() };

  /** @param key whoever has it can tell what a text was, by trying: random, and kept nowhere. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  /** Replaces a text in place. What is no UTF-8 stays none. */
  replace(bytes: Buffer): void {
    if (isAscii(bytes)) {
      bytes.write(this.of(bytes.toString('latin1')), 'latin1');
      return;
    }
    if (isUtf8(bytes)) {
      bytes.write(this.of(bytes.toString()));
      return;
    }
    // As if every byte were a character. 0xff is in no valid UTF-8.
    const text = bytes.toString('latin1').replaceAll(/[\x80-\xff]/g, '\xff');
    bytes.write(
      text.replaceAll(asciiParts, (part) => this.#part('text', part)),
      'latin1',
    );
  }

  /** The pseudonym of a text, which has the same length in bytes. */
  of(text: string): string {
    if (text === '::1') return text;
    // The length of a prefix is no secret, and has to stay one.
    const [, address = text, length = ''] = /^(.+)(\/\d{1,3})$/s.exec(text) ?? [];
    if (isIPv6(address)) return this.#ipv6(address) + length;
    return isIPv4(address) ? this.#parts(address) + length : this.#parts(text);
  }

  /** Those parts alone that are more than a few letters: of versions and the like, which are to be told from each other. */
  ofVersion(text: string): string {
    if (text.length > 64 || /\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}/.test(text)) return this.of(text);
    return text.replaceAll(/[A-Za-z]{4,}|[^\0-\x7f]+/gu, (part) => this.#part('text', part));
  }

  /** With its zone, and an IPv4 address at its end. */
  #ipv6(address: string): string {
    const [groups = '', ...zone] = address.split('%');
    const end = groups.includes('.') ? groups.lastIndexOf(':') + 1 : groups.length;
    const replaced = groups.slice(0, end).replaceAll(/[0-9a-fA-F]+/g, (group) => this.#part('hex', group));
    return [replaced + this.#parts(groups.slice(end)), ...zone.map((name) => this.#parts(name))].join('%');
  }

  #parts(text: string): string {
    return text.replaceAll(parts, (part) => this.#part('text', part));
  }

  #part(kind: Class, part: string): string {
    if (keptWords.has(part.toLowerCase()) || isLoopback.test(part)) return part;
    const known = this.#known[kind].get(part);
    if (known !== undefined) return known;
    const found = this.#free(kind, part);
    this.#known[kind].set(part, found);
    this.#taken[kind].add(found);
    return found;
  }

  #free(kind: Class, part: string): string {
    const shape = kind === 'hex' ? hexShape(part) : textShape(part);
    const known = this.#known[kind];
    const isFree = (text: string) => !this.#taken[kind].has(text) && !keptWords.has(text.toLowerCase());
    for (let attempt = 0; attempt < attempts; attempt++) {
      const bytes = createHmac('sha512', this.#key).update(`${kind} ${attempt} ${part}`).digest();
      const text = shape.map((choice, i) => choice[bytes.readUInt16BE((2 * i) % 64) % choice.length]).join('');
      // Not what another one was called, as long as there is a choice.
      if (text !== part && isFree(text) && !known.has(text)) return text;
    }
    for (const text of allOf(shape)) if (isFree(text)) return text;
    // There are as many of a shape as there can be parts of it; only a word that is kept can have taken the last one.
    return part;
  }
}

/** What each character, or a number as a whole, may become. */
type Shape = readonly (readonly string[])[];

const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);
const chars = (first: string, last: string): string[] =>
  range(first.charCodeAt(0), last.charCodeAt(0)).map((code) => String.fromCodePoint(code));

const small = chars('a', 'z');
const capital = chars('A', 'Z');
const digits = chars('0', '9');
const nonZero = digits.slice(1);
const smallHex = small.slice(0, 6);
const capitalHex = capital.slice(0, 6);

/** Characters that take two, three and four bytes. */
const wide: readonly (readonly string[])[] = [range(0xc0, 0x7ff), range(0x4e00, 0x9fff), range(0x1_f300, 0x1_f5ff)].map(
  (codes) => codes.map((code) => String.fromCodePoint(code)),
);

/** Numbers of three digits that a byte can hold, of five that a port can be, and others. */
const numbers = [
  [100, 255],
  [256, 999],
  [10_000, 65_535],
  [65_536, 99_999],
].map(([first = 0, last = 0]) => ({ first, last, all: range(first, last).map(String) }));

/** Numbers keep their leading zeros, and one that may be a part of an address, or a port, still may. */
function textShape(part: string): Shape {
  if (/^\d+$/.test(part)) {
    const value = part.startsWith('0') ? -1 : Number(part);
    const like = numbers.find(({ first, last }) => value >= first && value <= last);
    if (like !== undefined) return [like.all];
    return Array.from(part, (digit, i) => (i > 0 ? digits : digit === '0' ? ['0'] : nonZero));
  }
  return Array.from(part, (char) => {
    if (char > '\x7f') return wide[Buffer.byteLength(char) - 2] ?? [char];
    return /\d/.test(char) ? digits : /[a-z]/.test(char) ? small : capital;
  });
}

function hexShape(group: string): Shape {
  return Array.from(group, (char, i) => {
    if (/\d/.test(char)) return i > 0 ? digits : char === '0' ? ['0'] : nonZero;
    return /[a-f]/.test(char) ? smallHex : capitalHex;
  });
}

/** All texts of a shape, in order. */
function* allOf(shape: Shape, at = 0): Generator<string> {
  const choice = shape[at];
  if (choice === undefined) {
    yield '';
    return;
  }
  for (const char of choice) for (const rest of allOf(shape, at + 1)) yield char + rest;
}
