import { isUtf8 } from 'node:buffer';
import type { Collection } from '../model/kinds.ts';
import { describe, type Field, type MessageType, typeOfBody } from '../schema/descriptor.ts';
import { kindOfBody } from '../schema/json.ts';
import { root } from '../wire/root.ts';
import { cursor, MalformedError, readLength, readVarint, skip } from '../wire/scan.ts';
import type { CaptureHeader, CaptureRecord, HeaderList } from './format.ts';
import { Pseudonyms } from './pseudonyms.ts';

/** Nesting that is looked into: deeper than anything that Isthmus takes (wire/canonical.ts). */
const maxDepth = 200;

/** What no protobuf reader takes, wherever it stands and however much of it there is. */
const malformedByte = 0xff;

/** What a text is, where it is not just a name of something. */
type Meaning = 'kept' | 'version' | 'details' | 'regex' | 'condition' | 'collection';

/** By the full name of the field. */
const meanings: Readonly<Record<string, Meaning>> = {
  'istio.mcp.v1alpha1.RequestResources.collection': 'collection',
  'istio.mcp.v1alpha1.RequestResources.responseNonce': 'version',
  'istio.mcp.v1alpha1.RequestResources.initialResourceVersions': 'version',
  'istio.mcp.v1alpha1.Resources.collection': 'collection',
  'istio.mcp.v1alpha1.Resources.nonce': 'version',
  'istio.mcp.v1alpha1.Resources.systemVersionInfo': 'version',
  'istio.mcp.v1alpha1.Metadata.version': 'version',
  'google.rpc.Status.message': 'details',
  // Words out of a list that Istio has.
  'istio.networking.v1alpha3.HTTPRetry.retryOn': 'kept',
  'istio.networking.v1alpha3.CorsPolicy.allowMethods': 'kept',
  'istio.networking.v1alpha3.HTTPFaultInjection.Abort.grpcStatus': 'kept',
  'istio.networking.v1alpha3.ServerTLSSettings.cipherSuites': 'kept',
  'istio.networking.v1alpha3.EnvoyFilter.ProxyMatch.proxyVersion': 'kept',
  'istio.security.v1beta1.Operation.methods': 'kept',
  'istio.security.v1beta1.Operation.notMethods': 'kept',
  'istio.security.v1beta1.Condition.key': 'condition',
  'istio.networking.v1alpha3.StringMatch.regex': 'regex',
};

/** Names of labels and annotations that Kubernetes and Istio gave. */
const publicKey = /^(?:[a-z0-9-]+\.)*(?:istio|kubernetes|k8s)\.io\/[\w.-]+$/;

/** The one annotation whose value Istio reads (schema/validate). */
const dryRun = 'istio.io/dry-run';

/** How the attributes of conditions begin (schema/validate/authorization-condition.ts). */
const attribute = /^(?:source|request|connection|destination|remote|experimental)\./;

const envoyName = /^(?:type\.googleapis\.com\/)?envoy\.[a-z0-9_.]+(?:\.[A-Z]\w*)?$/;

/** In a regular expression: what stays, or what is replaced. */
const regexParts = /\\\d+|\\.|\[:\w+:\]|\{[\d,]*\}|\(\?P?[A-Za-z]*|[A-Za-z0-9]+|[^\0-\x7f]+/gu;

/** Names of collections as Istio's are. */
const plainCollection = /^(?:istio|k8s|slime|api)\/[\w./-]{1,200}$/;

/** What statuses say that tell nothing of anybody. */
const statusWords: ReadonlySet<string> = new Set(
  (
    'a an and at but by for from in is it its no not of on or than that the this to was were with ' +
    'unsupported collection collections type server client canceled cancelled watch stream streams connection dropped ' +
    'refused reset closed by peer transport error errors internal unknown invalid argument missing message larger max ' +
    'received sent unavailable unauthenticated unimplemented permission denied deadline exceeded resource exhausted rate ' +
    'limit limiter wait context eof rst goaway http status code read write econnrefused econnreset etimedout enotfound ' +
    'eof more collections asking answer within s ms'
  ).split(' '),
);

/** Headers whose names and values say what a server is, and not whose. */
const plainHeaders: ReadonlySet<string> = new Set(
  'content-type grpc-status grpc-encoding grpc-accept-encoding accept-encoding user-agent server date te'.split(' '),
);

/**
 * Takes out of a capture what is whose, and leaves how it is said: lengths, numbers, the fields that are there and their
 * order, punctuation, and which texts are equal (docs/capture-format.md says what in full).
 */
export class Redactor {
  readonly #pseudonyms: Pseudonyms;
  readonly #collections = new Set<Collection>();

  /** @param key random, and kept nowhere. */
  constructor(key: Buffer) {
    this.#pseudonyms = new Pseudonyms(key);
  }

  header(header: CaptureHeader): CaptureHeader {
    for (const collection of header.collections) this.#collections.add(collection);
    const [, scheme = '', host = header.source, port = ''] = /^(\w+:\/\/)\[?(.*?)\]?(:\d+)?$/.exec(header.source) ?? [];
    const name = this.#pseudonyms.of(host);
    return { ...header, source: `${scheme}${name.includes(':') ? `[${name}]` : name}${port}`, redacted: true };
  }

  record(record: CaptureRecord): CaptureRecord {
    switch (record.type) {
      case 'open':
      case 'stop':
        return record;
      case 'headers':
        return { ...record, headers: this.#headers(record.headers) };
      case 'end':
        return { ...record, details: this.#details(record.details), trailers: this.#headers(record.trailers) };
      case 'request':
        return { ...record, bytes: this.message('istio.mcp.v1alpha1.RequestResources', record.bytes) };
      case 'resources':
        return { ...record, bytes: this.message('istio.mcp.v1alpha1.Resources', record.bytes) };
      default:
        return record satisfies never;
    }
  }

  /** A message of this type, redacted. The bytes themselves stay as they are. */
  message(type: string, bytes: Buffer): Buffer {
    const copy = Buffer.from(bytes);
    this.#message(root().lookupType(type), copy, 0);
    return copy;
  }

  /** Redacts a message in place. What is none stays none, from the place on where that shows. */
  #message(type: MessageType, bytes: Buffer, depth: number): void {
    const { name, byNumber } = describe(type);
    let at = 0;
    try {
      if (depth > maxDepth) throw new MalformedError(`nested deeper than ${maxDepth}`);
      if (name === 'google.protobuf.Any') {
        this.#any(bytes, depth);
        return;
      }
      while (at < bytes.length) {
        const { number, value, next } = fieldAt(bytes, at);
        if (value !== undefined) this.#field(name, byNumber.get(number), value, depth);
        at = next;
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      bytes.fill(malformedByte, at);
    }
  }

  /** Its value is read by its type, wherever that stands. */
  #any(bytes: Buffer, depth: number): void {
    const values: Buffer[] = [];
    let body: MessageType | undefined;
    let at = 0;
    try {
      while (at < bytes.length) {
        const { number, value, next } = fieldAt(bytes, at);
        at = next;
        if (value === undefined) continue;
        if (number === 1) body = this.#typeUrl(value);
        else if (number === 2) values.push(value);
        else blank(value);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      bytes.fill(malformedByte, at);
    }
    for (const value of values) {
      if (body === undefined) blank(value);
      else this.#message(body, value, depth + 1);
    }
  }

  /** The type that is named; what is no type that Isthmus knows is given another name. */
  #typeUrl(url: Buffer): MessageType | undefined {
    const slash = url.lastIndexOf('/');
    const body = bodyNamed(url.toString('utf8', slash + 1));
    const isUsual = url.toString('utf8', 0, Math.max(slash, 0)) === 'type.googleapis.com';
    if (body === undefined) this.#pseudonyms.replace(isUsual ? url.subarray(slash) : url);
    else if (!isUsual && slash > 0) this.#pseudonyms.replace(url.subarray(0, slash));
    return body;
  }

  #field(message: string, field: Field | undefined, value: Buffer, depth: number): void {
    if (field === undefined) blank(value);
    else if (field.key !== undefined) this.#entry(message, field, value, depth);
    else this.#value(message, field, value, depth);
  }

  #value(message: string, field: Field, value: Buffer, depth: number): void {
    const { value: type, jsonName, repeated } = field;
    const scalar = 'scalar' in type ? type.scalar : undefined;
    if ('message' in type) this.#message(type.message, value, depth + 1);
    else if (scalar === 'string') this.#text(message, jsonName, value);
    else if (scalar === 'bytes') value.fill(0);
    // Numbers may come packed; anything else is no value of this field.
    else if (!repeated) blank(value);
  }

  /** One entry of a map. */
  #entry(message: string, field: Field, entry: Buffer, depth: number): void {
    let at = 0;
    let isRead = false;
    try {
      while (at < entry.length) {
        const { number, value, next } = fieldAt(entry, at);
        at = next;
        if (value === undefined) continue;
        if (number === 1 && field.key === 'string') {
          const key = value.toString('latin1');
          isRead = key === dryRun;
          if (!publicKey.test(key) && key !== '@type') this.#pseudonyms.replace(value);
        } else if (number !== 2) blank(value);
        else if (!isRead) this.#value(message, field, value, depth);
      }
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      entry.fill(malformedByte, at);
    }
  }

  #text(message: string, field: string, value: Buffer): void {
    const meaning = meanings[`${message}.${field}`];
    if (meaning === 'kept') return;
    const text = value.toString('latin1');
    if (meaning === 'collection' && plainCollection.test(text)) {
      this.#collections.add(text);
      return;
    }
    const isEnvoys =
      message.startsWith('istio.networking.v1alpha3.EnvoyFilter') || message.startsWith('google.protobuf.');
    if (isEnvoys && envoyName.test(text)) return;
    const as = isUtf8(value) ? this.#meant(meaning, value.toString()) : undefined;
    if (as === undefined) this.#pseudonyms.replace(value);
    else value.write(as);
  }

  /** A text in its meaning; undefined where it is just a text. */
  #meant(meaning: Meaning | undefined, text: string): string | undefined {
    switch (meaning) {
      case 'version':
        return this.#pseudonyms.ofVersion(text);
      case 'details':
        return this.#details(text);
      case 'regex':
        return text.replaceAll(regexParts, (part) =>
          // A few characters are the ends of a range, or a flag.
          part.length < 4 || /^[\\[{(]/.test(part) ? part : this.#pseudonyms.of(part),
        );
      case 'condition':
        // The name of an attribute, and what of it in brackets.
        if (!attribute.test(text)) return undefined;
        return text.replace(/\[.*/s, (rest) => this.#pseudonyms.of(rest));
      default:
        return undefined;
    }
  }

  #details(text: string): string {
    return text.replaceAll(/[\w./-]+|[^\0-\x7f]+/gu, (word) => {
      const plain = word.replace(/[.]$/, '');
      const isPlain =
        statusWords.has(plain.toLowerCase()) ||
        /^\d{1,3}$/.test(plain) ||
        this.#collections.has(plain) ||
        plainCollection.test(plain);
      return isPlain ? word : this.#pseudonyms.of(word);
    });
  }

  #headers(headers: HeaderList): HeaderList {
    return headers.map(([name, value]) => {
      if (plainHeaders.has(name)) return [name, value];
      if (name === 'grpc-message') return [name, this.#details(value)];
      return [name.startsWith('grpc-') ? name : this.#pseudonyms.of(name), this.#pseudonyms.of(value)];
    });
  }
}

/** Takes out what nobody knows. Readers may look whether it is text. */
function blank(value: Buffer): void {
  value.fill(isUtf8(value) ? 0 : malformedByte);
}

/** The field whose tag is at `at`: its content, where that is length-delimited, and where the next one begins. */
function fieldAt(bytes: Buffer, at: number): { number: number; value: Buffer | undefined; next: number } {
  const tag = readVarint(bytes, at, bytes.length);
  const number = Math.floor(tag / 8);
  const start = cursor;
  const next = skip(bytes, tag % 8, start, bytes.length);
  if (tag % 8 !== 2) return { number, value: undefined, next };
  readLength(bytes, start, bytes.length);
  return { number, value: bytes.subarray(cursor, next), next };
}

const known = new Map<string, MessageType>();

/** The body of any version of a kind; the fields are the same. */
function bodyNamed(name: string): MessageType | undefined {
  const found = known.get(name);
  if (found !== undefined || !/^istio\.[\w.]{1,200}$/.test(name)) return found;
  const kind = kindOfBody(name);
  if (kind === undefined) return undefined;
  const body = typeOfBody(kind);
  known.set(name, body);
  return body;
}
