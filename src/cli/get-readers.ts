import { IsthmusError } from '../model/errors.ts';
import { systemClock } from '../model/clock.ts';
import { type Kind, kindOfCollection, kindOfTypeUrl } from '../model/kinds.ts';
import { silentLogger } from '../model/logger.ts';
import { silentReporter } from '../model/reporter.ts';
import { SinkClient } from '../legacy/sink-client.ts';
import { defaultSourceProfile } from '../legacy/source-profile.ts';
import { type HostPort, formatHostPort } from '../net/address.ts';
import { defaultBackoff } from '../net/backoff.ts';
import { probeProtocol } from '../net/protocol-hint.ts';
import { resourceToObject } from '../schema/object.ts';
import { type ResourceView, viewResourceBytes } from '../wire/resource-view.ts';
import { type AdsClientHandlers, openAds } from '../xds/ads-client.ts';
import { v1Minor } from '../xds/istiod-version.ts';
import { readAdminList, readAdminPage } from './admin-client.ts';

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

/**
 * Asks as istiod does.
 * @param minor of the istiod 1 in whose name it asks; `kinds` are those that it has. @default a new one
 */
export function readXds(address: HostPort, kinds: readonly Kind[], reading: Reading, minor?: number): Reader {
  const subject = `xds://${formatHostPort(address)}`;
  const types = kinds.map((kind) => `${kind.group}/${versionAskedFor(kind, minor)}/${kind.kind}`);
  const handlers: AdsClientHandlers = {
    onResponse({ typeUrl, resources }) {
      const kind = kindOfTypeUrl(typeUrl);
      if (kind === undefined) return;
      reading.onKind({ kind, resources: resources.map(({ value }) => served(kind, value)) });
    },
    onEnd: (code, details) => reading.onEnd(streamError(subject, code, details)),
  };
  return openAds(address, types, handlers, minor);
}

const versionAskedFor = ({ versions }: Kind, minor = v1Minor): string | undefined =>
  minor < v1Minor ? versions[0] : versions.at(-1);

/** Asks as an old Pilot does. Dangerous on a live server: some panic, some feed only the last one who asked. */
export function readLegacy(address: HostPort, kinds: readonly Kind[], reading: Reading): Reader {
  const collections = kinds.flatMap(({ collection }) => collection ?? []);
  const client = new SinkClient(
    {
      name: 'get',
      address,
      collections,
      profile: defaultSourceProfile,
      maxMessageBytes: 2 ** 30,
      silentCollectionMs: 3000,
      backoff: defaultBackoff,
      lookAtPort: probeProtocol,
      clock: systemClock,
      random: Math.random,
      log: {
        ...silentLogger,
        warn(fields, message) {
          if (!('retryInMs' in fields)) return;
          client.stop();
          reading.onEnd(new IsthmusError('UNREACHABLE', `mcp://${formatHostPort(address)}`, message));
        },
      },
      reporter: silentReporter,
    },
    {
      async accept(collection, { bytes, spans }) {
        const kind = kindOfCollection(collection);
        if (kind === undefined) return;
        const resources: Served[] = [];
        for (let i = 0; i < spans.length; i += 2) resources.push(served(kind, bytes.subarray(spans[i], spans[i + 1])));
        reading.onKind({ kind, resources });
      },
      markEmpty(collection) {
        const kind = kindOfCollection(collection);
        if (kind !== undefined) reading.onKind({ kind, resources: [] });
      },
      remember() {},
    },
  );
  client.start();
  return { close: () => client.stop() };
}

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
  let path: string | null = `/debug/snapshot/${kind}?limit=5000`;
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

function served(kind: Kind, bytes: Buffer): Served {
  let view: ResourceView;
  try {
    view = viewResourceBytes(bytes);
  } catch {
    return {
      kind: kind.kind,
      namespace: '',
      name: '(unreadable)',
      version: '',
      bytes: bytes.length,
      object: async () => ({}),
    };
  }
  const slash = view.name.indexOf('/');
  return {
    kind: kind.kind,
    namespace: slash < 0 ? '' : view.name.slice(0, slash),
    name: view.name.slice(slash + 1),
    version: view.version,
    bytes: bytes.length,
    raw: bytes,
    object: async () => resourceToObject(view).object,
  };
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

function streamError(subject: string, code: number, details: string): IsthmusError {
  if (code === 12) {
    return new IsthmusError('WRONG_PROTOCOL', subject, 'it does not speak MCP-over-xDS', {
      hint: 'give the address of Isthmus itself (xds.listen), or use http:// for its admin port',
    });
  }
  // GOAWAY with INADEQUATE_SECURITY, as grpc-js says it.
  if (code === 7 && details.includes('not secure enough')) {
    return new IsthmusError('WRONG_PROTOCOL', subject, 'it speaks TLS, and is asked in plaintext here', {
      hint: `ask the admin port of the bridge instead (http://); isthmus check ${subject} shows the certificate`,
    });
  }
  if (code === 14)
    return new IsthmusError('UNREACHABLE', subject, details.replace(/\.? Resolution note: $/, ''), {
      hint: `is the bridge running, and is this its --xds-listen? isthmus check ${subject} looks for the reason`,
    });
  return new IsthmusError(
    'STREAM_ENDED',
    subject,
    `the stream ended with code ${code}${details === '' ? '' : `: ${details}`}`,
  );
}
