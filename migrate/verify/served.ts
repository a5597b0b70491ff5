import type { Reader, Served } from '../../src/cli/get-readers.ts';
import { readXds } from '../../src/cli/get-xds.ts';
import { IsthmusError } from '../../src/model/errors.ts';
import { type Kind, kinds as allKinds } from '../../src/model/kinds.ts';
import { formatHostPort, type HostPort } from '../../src/net/address.ts';
import { firstMinorOf } from '../../src/xds/istiod-version.ts';

/** What a bridge serves of one kind. */
export type ServedKind = {
  readonly kind: Kind;
  /** `namespace/name` → its bytes. */
  readonly resources: ReadonlyMap<string, Buffer>;
  /** Bytes of all of them: nearly those of the response. */
  readonly bytes: number;
};

/** The kinds that an istiod of that version asks for. */
export function kindsAskedFor(minor: number | undefined): readonly Kind[] {
  if (minor === undefined) return allKinds;
  return allKinds.filter(({ kind }) => (firstMinorOf[kind] ?? 0) <= minor);
}

/** A stream to a bridge, as istiod has one: what it served last, of each kind. */
export class BridgeStream {
  readonly kinds: readonly Kind[];
  readonly address: HostPort;
  readonly #minor: number | undefined;
  readonly #answers = new Map<string, readonly Served[]>();
  readonly #indexed = new Map<string, ServedKind>();
  #reader: Reader | undefined;
  #failure: IsthmusError | undefined;
  #responses = 0;
  #wake = (): void => {};

  /** @param minor of the istiod in whose place it asks; undefined = a new one, which is asked for every kind. */
  constructor(address: HostPort, minor: number | undefined) {
    this.address = address;
    this.#minor = minor;
    this.kinds = kindsAskedFor(minor);
  }

  /** Grows with every response. */
  get responses(): number {
    return this.#responses;
  }

  /** Kinds that it has said nothing of. */
  get silent(): readonly string[] {
    return this.kinds.filter(({ id }) => !this.#answers.has(id)).map(({ kind }) => kind);
  }

  /**
   * Opens the stream where there is none, and waits until every kind has come, or `timeoutMs` are over.
   * @throws IsthmusError UNREACHABLE or WRONG_PROTOCOL where there is no stream. What it said before counts no more then.
   */
  async ready(timeoutMs: number): Promise<void> {
    this.#failure = undefined;
    this.#reader ??= this.#open();
    const deadline = performance.now() + timeoutMs;
    while (this.#failure === undefined && this.silent.length > 0) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      await this.#change(left);
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** What it served last of a kind; undefined where it has said nothing of it. */
  served(kind: Kind): ServedKind | undefined {
    const resources = this.#answers.get(kind.id);
    if (resources === undefined) return undefined;
    let indexed = this.#indexed.get(kind.id);
    if (indexed === undefined) {
      indexed = indexOf(kind, resources);
      this.#indexed.set(kind.id, indexed);
    }
    return indexed;
  }

  close(): void {
    this.#reader?.close();
  }

  #open(): Reader {
    this.#answers.clear();
    this.#indexed.clear();
    return readXds(
      this.address,
      this.kinds,
      {
        onKind: ({ kind, resources }) => {
          this.#responses++;
          this.#answers.set(kind.id, resources);
          this.#indexed.delete(kind.id);
          this.#wake();
        },
        onEnd: (error) => {
          this.#reader = undefined;
          this.#failure =
            error ?? new IsthmusError('STREAM_ENDED', `xds://${formatHostPort(this.address)}`, 'the stream ended');
          this.#wake();
        },
      },
      this.#minor,
    );
  }

  #change(timeoutMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, timeoutMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

function indexOf(kind: Kind, served: readonly Served[]): ServedKind {
  const resources = new Map<string, Buffer>();
  let bytes = 0;
  for (const { namespace, name, raw } of served) {
    if (raw === undefined) continue;
    resources.set(`${namespace}/${name}`, raw);
    bytes += raw.length;
  }
  return { kind, resources, bytes };
}
