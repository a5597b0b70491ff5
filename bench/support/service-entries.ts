import { encodeResources } from '../../src/wire/legacy-messages.ts';
import { encodeResourceMessage } from '../../src/wire/resource-view.ts';
import { bodies } from '../../src/wire/root.ts';

export const collection = 'istio/networking/v1alpha3/serviceentries';

const bodyType = 'istio.networking.v1alpha3.ServiceEntry';
const otherType = 'istio.networking.v1alpha3.Gateway';
const createTime = new Date('2021-02-09T00:00:00Z');

/**
 * What is another than before. `all` and `one` (in the middle): of the same length, in the order of the message before.
 * `shuffled`: as `all`, in another order. `longer`: as `all`, with another length, longer and shorter in turn.
 */
export const changes = ['all', 'one', 'shuffled', 'longer'] as const;
export type Change = (typeof changes)[number];

/** What a client must find in the response to a change. */
export type Expected = {
  readonly resources: number;
  /** Text that every changed body holds once, and no other one. */
  readonly mark: string;
  readonly marked: number;
  /** Name of the changed resource, where it is one. */
  readonly name: string | undefined;
};

/** One resource's bytes and the places in them that say which revision it is; both texts have a fixed width. */
type Form = { readonly bytes: Buffer; readonly versionAt: number; readonly markAt: number };

type Entry = { readonly index: number; readonly name: string; form: Form; other: Form | undefined };

/** What the longer form of a resource has more. */
const extra = '-and-some-more';

/** Odd and no factor of a size, so that it leads to every place. */
const stride = 7919;

/**
 * The state of a legacy server: generated ServiceEntries with three endpoints each, about 260 bytes. The same
 * size gives the same bytes in every run. Their order is not that of their names.
 */
export class ServiceEntries {
  #entries: Entry[];
  #revision = 0;
  #random = 1;

  /** @param areBroken gives each a body of another kind, so that all of them are quarantined. */
  constructor(size: number, areBroken = false) {
    this.#entries = Array.from({ length: size }, (_, index) => newEntry(index, areBroken));
  }

  /** What a client must find that has never seen any of them. */
  get initial(): Expected {
    return { resources: this.#entries.length, mark: markOf(0), marked: this.#entries.length, name: undefined };
  }

  /** Changes a label of an endpoint, and the version. `hundred`: of so many, from everywhere. */
  change(what: Change | 'hundred'): Expected {
    const revision = ++this.#revision;
    if (what === 'shuffled') this.#shuffle();
    const middle = this.#entries.length >>> 1;
    const every = Math.max(1, Math.floor(this.#entries.length / 100));
    const changed =
      what === 'one'
        ? this.#entries.slice(middle, middle + 1)
        : what === 'hundred'
          ? this.#entries.filter((_, place) => place % every === 0)
          : this.#entries;
    for (const entry of changed) {
      if (what === 'longer') switchForm(entry);
      stamp(entry, revision);
    }
    return {
      resources: this.#entries.length,
      mark: markOf(revision),
      marked: changed.length,
      name: what === 'one' ? changed[0]?.name : undefined,
    };
  }

  /** Takes so many away for good, from everywhere. */
  remove(count: number): void {
    const step = Math.floor(this.#entries.length / count);
    let left = count;
    this.#entries = this.#entries.filter((_, place) => place % step !== 0 || left-- <= 0);
    this.#revision++;
  }

  /** The whole state as legacy MCP sends it, whatever has changed. */
  message(nonce: string): Buffer {
    return this.#encode(nonce, false, this.#entries);
  }

  /** Changes one resource, another one each time, and says so in an incremental message. */
  incremental(nonce: string, length: 'same' | 'other'): Buffer {
    const entry = this.#entries[(++this.#revision * stride) % this.#entries.length] as Entry;
    if (length === 'other') switchForm(entry);
    stamp(entry, this.#revision);
    return this.#encode(nonce, true, [entry]);
  }

  #encode(nonce: string, incremental: boolean, entries: readonly Entry[]): Buffer {
    return encodeResources({
      systemVersionInfo: String(this.#revision),
      collection,
      nonce,
      incremental,
      resources: entries.map(({ form }) => form.bytes),
      removedResources: [],
    });
  }

  /** Fisher and Yates, with the same random numbers in every run. */
  #shuffle(): void {
    const entries = this.#entries;
    for (let i = entries.length - 1; i > 0; i--) {
      this.#random = (Math.imul(this.#random, 1_664_525) + 1_013_904_223) >>> 0;
      const j = Math.floor((this.#random / 2 ** 32) * (i + 1));
      [entries[i], entries[j]] = [entries[j] as Entry, entries[i] as Entry];
    }
  }
}

const versionOf = (revision: number): string => `v${String(revision).padStart(8, '0')}`;
const markOf = (revision: number): string => `r${String(revision).padStart(8, '0')}`;

function stamp({ form: { bytes, versionAt, markAt } }: Entry, revision: number): void {
  bytes.write(versionOf(revision), versionAt, 'latin1');
  bytes.write(markOf(revision), markAt, 'latin1');
}

function switchForm(entry: Entry): void {
  const before = entry.form;
  entry.form = entry.other ?? newForm(entry.index, entry.name, extra);
  entry.other = before;
}

function newEntry(index: number, isBroken: boolean): Entry {
  const name = `team-${String(index % 20).padStart(2, '0')}/service-${idOf(index)}`;
  return { index, name, form: newForm(index, name, '', isBroken ? otherType : bodyType), other: undefined };
}

/** Multiplying by an odd number modulo 2^32 scatters the names and keeps them apart. */
const idOf = (index: number): string => (Math.imul(index, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');

function newForm(index: number, name: string, more: string, type = bodyType): Form {
  const endpoint = (number: number) => ({
    address: `10.${number}.${(index >>> 8) & 255}.${index & 255}`,
    ports: { http: 8080 },
  });
  const body = bodies()
    .lookupType(bodyType)
    .encode({
      hosts: [`service-${idOf(index)}.registry.example`],
      ports: [{ number: 80, protocol: 'HTTP', name: 'http' }],
      location: 1,
      resolution: 1,
      endpoints: [{ ...endpoint(1), labels: { revision: markOf(0) + more } }, endpoint(2), endpoint(3)],
    })
    .finish();
  const bytes = encodeResourceMessage({ name, version: versionOf(0), createTime, bodyType: type, body });
  return { bytes, versionAt: bytes.indexOf(versionOf(0)), markAt: bytes.indexOf(markOf(0)) };
}
