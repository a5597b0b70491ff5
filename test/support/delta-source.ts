import { createHash } from 'node:crypto';
import { kindOfCollection } from '../../src/model/kinds.ts';
import { entry, type LegacySource, type SourceStream } from './legacy-source.ts';

/** Name → version of the resources of a collection; the version is the content, too. */
export type Versions = Readonly<Record<string, string>>;

/** Collection → what is in it. */
export type Dataset = Readonly<Record<string, Versions>>;

type Options = {
  /** Whether changes are sent to whoever asks for them. */
  readonly incremental: boolean;
  /** Whether the very first message of a stream is flagged as no change, as from 1.6 on. Its content is the same. */
  readonly firstIsUnflagged: boolean;
};

/** What happened to one message. */
type Answered = {
  readonly sink: string;
  readonly collection: string;
  readonly systemVersionInfo: string;
  readonly isRefused: boolean;
};

/** One collection on one stream. */
type Watch = {
  acked: Versions;
  pending: { readonly nonce: string; readonly version: string; readonly versions: Versions } | undefined;
  isOpen: boolean;
  isIncremental: boolean;
  /** Version of what was last answered. */
  version: string;
};

/** The version that Istio's stress test gives to a state: a hash over names and versions. */
export function systemVersion(versions: Versions): string {
  const hash = createHash('sha256');
  for (const name of Object.keys(versions).toSorted()) hash.update(name).update(versions[name] ?? '');
  return hash.digest('base64');
}

/**
 * Lets a scripted server send as Istio's source does (pkg/mcp/source/source.go, 1.1 to 1.8): one unanswered message per
 * collection, of what came meanwhile the newest state only, changes against what was last acknowledged on the stream, and
 * nothing more after a refusal until something changes.
 */
export class DeltaSource {
  /** Called with each answer, before anything else is sent of its collection. */
  onAnswer: (answered: Answered) => void = () => {};
  /** Called before each message. */
  onSend: (sink: string) => void = () => {};
  /** Messages sent, flagged as changes, and names said to be removed. */
  readonly sent = { messages: 0, incremental: 0, removed: 0 };
  /** Answers to nothing that is out. */
  stale = 0;
  readonly #options: Options;
  readonly #pushes = new Map<SourceStream, () => void>();
  #dataset: Dataset;

  constructor(source: LegacySource, dataset: Dataset, options: Options) {
    this.#options = options;
    this.#dataset = dataset;
    source.onStream = (stream) => this.#serve(stream);
  }

  publish(dataset: Dataset): void {
    this.#dataset = dataset;
    for (const [stream, push] of this.#pushes) {
      if (stream.closed) this.#pushes.delete(stream);
      else push();
    }
  }

  #serve(stream: SourceStream): void {
    stream.open();
    const watches = new Map<string, Watch>();
    let sink = '';
    this.#pushes.set(stream, () => {
      for (const [collection, watch] of watches) this.#push(stream, sink, collection, watch);
    });
    stream.onRequest = ({ sinkNode, collection, responseNonce, errorDetail, incremental }) => {
      sink = sinkNode.id;
      const watch = watches.get(collection) ?? newWatch();
      watches.set(collection, watch);
      const { pending } = watch;
      if (responseNonce !== (pending?.nonce ?? '')) {
        this.stale++;
        return;
      }
      if (pending !== undefined) {
        watch.version = pending.version;
        watch.pending = undefined;
        const isRefused = errorDetail !== null;
        if (!isRefused) watch.acked = pending.versions;
        this.onAnswer({ sink, collection, systemVersionInfo: pending.version, isRefused });
      }
      watch.isOpen = true;
      watch.isIncremental = incremental;
      this.#push(stream, sink, collection, watch);
    };
  }

  #push(stream: SourceStream, sink: string, collection: string, watch: Watch): void {
    const versions = this.#dataset[collection] ?? {};
    const version = systemVersion(versions);
    if (stream.closed || !watch.isOpen || version === watch.version) return;
    const isDelta = this.#options.incremental && watch.isIncremental;
    const isFirst = stream.sentMessages === 0;
    const names = Object.keys(versions).filter((name) => !isDelta || versions[name] !== watch.acked[name]);
    const removedResources = isDelta ? Object.keys(watch.acked).filter((name) => !(name in versions)) : [];
    const incremental = isDelta && !(this.#options.firstIsUnflagged && isFirst);
    const kind = kindOfCollection(collection)?.body;
    const resources = names.map((name) => entry(name, versions[name], { version: versions[name] }, kind));
    this.onSend(sink);
    const nonce = stream.send({ collection, systemVersionInfo: version, incremental, resources, removedResources });
    watch.isOpen = false;
    watch.pending = { nonce, version, versions };
    this.sent.messages++;
    if (incremental) this.sent.incremental++;
    this.sent.removed += removedResources.length;
  }
}

function newWatch(): Watch {
  return { acked: {}, pending: undefined, isOpen: false, isIncremental: false, version: '' };
}
