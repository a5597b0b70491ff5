import { encodeResources } from '../../src/wire/legacy-messages.ts';
import { encodeResourceMessage } from '../../src/wire/resource-view.ts';
import { root } from '../../src/wire/root.ts';

export const collection = 'istio/networking/v1alpha3/serviceentries';

const bodyType = 'istio.networking.v1alpha3.ServiceEntry';
const createTime = new Date('2021-02-09T00:00:00Z');

/** What is another than before: every resource, or one of them. */
export const changes = ['all', 'one'] as const;
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

/** A ServiceEntry and the places in its bytes that say which revision it is; both texts have a fixed width. */
type Entry = { readonly name: string; readonly bytes: Buffer; readonly versionAt: number; readonly markAt: number };

/**
 * The state of a legacy server: generated ServiceEntries with three endpoints each, about 260 bytes. The same
 * size gives the same bytes in every run. Their order is not that of their names: Go servers walk through maps.
 */
export class ServiceEntries {
  readonly #entries: readonly Entry[];
  #revision = 0;

  constructor(size: number) {
    this.#entries = Array.from({ length: size }, (_, index) => newEntry(index));
  }

  /** What a client must find that has never seen any of them. */
  get initial(): Expected {
    return { resources: this.#entries.length, mark: markOf(0), marked: this.#entries.length, name: undefined };
  }

  /** Changes a label of an endpoint, and the version, of all or of one in the middle. */
  change(what: Change): Expected {
    const revision = ++this.#revision;
    const middle = this.#entries.length >>> 1;
    const changed = what === 'all' ? this.#entries : this.#entries.slice(middle, middle + 1);
    for (const { bytes, versionAt, markAt } of changed) {
      bytes.write(versionOf(revision), versionAt, 'latin1');
      bytes.write(markOf(revision), markAt, 'latin1');
    }
    return {
      resources: this.#entries.length,
      mark: markOf(revision),
      marked: changed.length,
      name: what === 'one' ? changed[0]?.name : undefined,
    };
  }

  /** The whole state as legacy MCP sends it, whatever has changed. */
  message(nonce: string): Buffer {
    const resources = this.#entries.map(({ bytes }) => bytes);
    const systemVersionInfo = String(this.#revision);
    return encodeResources({
      systemVersionInfo,
      collection,
      nonce,
      incremental: false,
      resources,
      removedResources: [],
    });
  }
}

const versionOf = (revision: number): string => `v${String(revision).padStart(8, '0')}`;
const markOf = (revision: number): string => `r${String(revision).padStart(8, '0')}`;

function newEntry(index: number): Entry {
  // Multiplying by an odd number modulo 2^32 scatters the names and keeps them apart.
  const id = (Math.imul(index, 2_654_435_761) >>> 0).toString(16).padStart(8, '0');
  const name = `team-${String(index % 20).padStart(2, '0')}/service-${id}`;
  const endpoint = (number: number) => ({
    address: `10.${number}.${(index >>> 8) & 255}.${index & 255}`,
    ports: { http: 8080 },
  });
  const body = root()
    .lookupType(bodyType)
    .encode({
      hosts: [`service-${id}.registry.example`],
      ports: [{ number: 80, protocol: 'HTTP', name: 'http' }],
      location: 1,
      resolution: 1,
      endpoints: [{ ...endpoint(1), labels: { revision: markOf(0) } }, endpoint(2), endpoint(3)],
    })
    .finish();
  const bytes = encodeResourceMessage({ name, version: versionOf(0), createTime, bodyType, body });
  return { name, bytes, versionAt: bytes.indexOf(versionOf(0)), markAt: bytes.indexOf(markOf(0)) };
}
