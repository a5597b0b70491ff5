import { IsthmusError } from '../model/errors.ts';
import type { Kind } from '../model/kinds.ts';
import { pageRows, readAdminList, readAdminPage } from './admin-client.ts';

/** One resource as some address serves it. */
export type Served = {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  /** Bytes on the wire. */
  readonly bytes: number;
  /** What came, where it came as bytes: legacy servers change a resource and keep its version. */
  readonly raw?: Buffer;
  /** The resource for people; called only when it is printed. Undefined where it is gone meanwhile. */
  readonly object: () => Promise<object | undefined>;
};

/** Everything that an address says of one kind. */
export type ServedKind = { readonly kind: Kind; readonly resources: readonly Served[] };

/** Where answers go, kind by kind, again whenever a kind changes. */
export type Reading = {
  onKind(served: ServedKind): void;
  /** Nothing more will come. `error` is set where that was not our doing. */
  onEnd(error: IsthmusError | undefined): void;
};

/** A running question; `close` ends it. */
export type Reader = { close(): void };

/** Asks the admin pages of a running bridge; costs its sources and istiods nothing. Ends when all is read. */
export function readAdmin(url: URL, kinds: readonly Kind[], reading: Reading): Reader {
  const abort = new AbortController();
  const { signal } = abort;
  const run = async () => {
    const snapshots = (await readAdminList(url, '/debug/snapshot', { signal })) as {
      kind: string;
      complete: boolean;
    }[];
    for (const kind of kinds) {
      const snapshot = snapshots.find((one) => one.kind === kind.kind);
      // A kind that no source can hold is not in the list; there are none of it.
      if (snapshot === undefined) reading.onKind({ kind, resources: [] });
      if (snapshot?.complete === true) reading.onKind({ kind, resources: await readSnapshot(url, kind, signal) });
    }
  };
  run().then(
    () => reading.onEnd(undefined),
    (error: unknown) => {
      if (signal.aborted) return;
      if (error instanceof IsthmusError) reading.onEnd(error);
      else reading.onEnd(new IsthmusError('WRONG_PROTOCOL', url.origin, 'its pages are not those of a bridge'));
    },
  );
  return { close: () => abort.abort() };
}

type Page = {
  readonly resources: readonly { key: string; version: string; bytes: number }[];
  readonly next: string | null;
};

async function readSnapshot(url: URL, { kind }: Kind, signal: AbortSignal): Promise<Served[]> {
  const resources: Served[] = [];
  let path: string | null = `/debug/snapshot/${kind}?limit=${pageRows}`;
  while (path !== null) {
    const page = (await readAdminPage(url, path, { signal })) as Page;
    for (const { key, version, bytes } of page.resources) {
      const [namespace = '', name = ''] = key.split('/');
      const one = `/debug/snapshot/${kind}/${encodeURIComponent(namespace)}/${encodeURIComponent(name)}`;
      const object = async () => (await readAdminPage(url, one, { signal })) as object | undefined;
      resources.push({ kind, namespace, name, version, bytes, object });
    }
    path = page.next;
  }
  return resources;
}

/**
 * Nothing came of these kinds. What was not answered at all is most likely no bridge.
 * @param asked how many kinds were asked for.
 */
export function silenceError(address: string, silent: readonly string[], asked: number): IsthmusError {
  if (silent.length === asked && asked > 1) {
    return new IsthmusError('UNREACHABLE', address, 'it has said nothing at all in time', {
      hint: `isthmus check ${address} looks for the reason`,
    });
  }
  return new IsthmusError('UNREACHABLE', address, `it has said nothing of ${silent.join(', ')}`, {
    hint:
      'no source has spoken of it yet (see isthmus status), or this is the address of something else' +
      (silent.length < asked ? '; --type leaves it out' : ''),
  });
}
