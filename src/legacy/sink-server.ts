import type { Server } from '@grpc/grpc-js';
import type { Clock } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import type { Reporter } from '../model/reporter.ts';
import { formatHostPort, type HostPort } from '../net/address.ts';
import type { AllowedPeers } from '../net/allowed-peers.ts';
import { defaultDoorLimits, type DoorLimits } from '../net/door.ts';
import {
  failCall,
  guarded,
  listen,
  nameOf,
  newServer,
  peerIdentities,
  type RawServerStream,
  serviceOf,
  stopServer,
} from '../net/grpc.ts';
import { type Keepalive, keepaliveOptions, towardsIstiods } from '../net/keepalive.ts';
import { plainIp } from '../net/network.ts';
import { logTurnedAway, type Port } from '../net/strangers.ts';
import { Throttle } from '../net/throttle.ts';
import type { ServerTls } from '../net/tls-server.ts';
import { resourceSink } from '../wire/services.ts';
import type { AwaitedSource } from './awaited-source.ts';
import { CalledStream } from './called-stream.ts';
import { type Caller, findMatch, type SourceMatch } from './source-match.ts';
import { printable, sourceVersionOf, versionHeader } from './source-version.ts';

/** Streams that are served at once. A source needs one, and another one for a moment. */
const defaultMaxStreams = 256;

/** The same, of one address: all sources may come through one proxy. */
const defaultMaxStreamsPerPeer = 64;

/** HTTP/2 streams of one connection; those beyond wait with a client that keeps to HTTP/2's rules. */
const maxStreamsPerConnection = 64;

/** Of streams that are refused, one line of each sort so often. */
const logEveryMs = 60_000;

/** What is shown of a stranger: so many names, and so much of each. */
const maxNames = 10;
const maxNameLength = 100;

/** Headers that say nothing of who it is. */
const commonHeaders: ReadonlySet<string> = new Set(['user-agent', versionHeader]);

const sourcesPort: Port = {
  port: 'the port for sources',
  client: 'a source',
  stranger: 'only legacy sources have business on this port: see who this is',
  dropTls:
    'where it is a source, let it dial in plaintext (Galley: --sinkAuthMode NONE), or set sink.tls (docs/tls.md)',
  addTls: 'where it is a source, let it speak TLS, or take sink.tls out of the config (docs/tls.md)',
  section: 'sink',
};

/** A source of the config that dials us. */
export type Expected = { readonly match: SourceMatch; readonly source: AwaitedSource };

export type SinkServerOptions = {
  readonly clock: Clock;
  readonly log: Logger;
  /** Told of connections that are turned away. @default nobody is */
  readonly reporter?: Pick<Reporter, 'connectionRefused'>;
  /** Names in the client certificate of a stream's connection. @default {@link peerIdentities} */
  readonly identitiesOf?: (call: RawServerStream) => readonly string[];
  /** @default plaintext */
  readonly tls?: ServerTls | undefined;
  /** @default every address */
  readonly allowedPeers?: AllowedPeers | undefined;
  /** HTTP/2 pings. Go's clients take any number. @default {@link towardsIstiods} */
  readonly keepalive?: Keepalive;
  /** Connections. @default {@link defaultDoorLimits} */
  readonly door?: DoorLimits;
  /** Of all peers together. @default 256 */
  readonly maxStreams?: number;
  /** Of one address. @default 64 */
  readonly maxStreamsPerPeer?: number;
};

/**
 * Where legacy sources dial in (`ResourceSink.EstablishResourceStream`). Finds out which source of the config each stream
 * is of, and turns away the others.
 */
export class SinkServer {
  readonly #options: SinkServerOptions;
  readonly #expected: () => Iterable<Expected>;
  readonly #server: Server;
  /** Open streams, with the address of each. */
  readonly #streams = new Map<RawServerStream, string>();
  readonly #refusals: Throttle<'all' | 'peer' | 'unknown'>;
  #isStopping = false;

  /** @param expected the sources that may dial in, in the order of the config, at the moment of each question. */
  constructor(options: SinkServerOptions, expected: () => Iterable<Expected>) {
    this.#options = options;
    this.#expected = expected;
    this.#refusals = new Throttle(options.clock, logEveryMs);
    this.#server = newServer({
      ...keepaliveOptions(options.keepalive ?? towardsIstiods),
      'grpc.max_concurrent_streams': maxStreamsPerConnection,
    });
    const method = resourceSink();
    this.#server.addService(serviceOf(method), { [nameOf(method)]: guarded((call) => this.#serve(call)) });
  }

  /**
   * @returns the port.
   * @throws IsthmusError LISTEN_FAILED
   */
  listen(address: HostPort): Promise<number> {
    const { clock, log, reporter, tls, allowedPeers, door = defaultDoorLimits } = this.#options;
    const logOf = logTurnedAway(sourcesPort, clock, log);
    return listen(this.#server, address, '--sink-listen', {
      what: 'gRPC (legacy MCP, ResourceSink)',
      limits: door,
      clock,
      tls,
      allowedPeers,
      onTurnedAway(turnedAway) {
        reporter?.connectionRefused('sink', turnedAway.why);
        logOf(turnedAway);
      },
    });
  }

  /** Open streams, of whomever. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Stops listening, and returns when all streams are gone, or after `graceMs`. The sources end their streams themselves. */
  async stop(graceMs: number): Promise<void> {
    this.#isStopping = true;
    await stopServer(this.#server, graceMs);
  }

  #serve(call: RawServerStream): void {
    if (this.#isStopping) {
      failCall(call, 14, 'Isthmus is shutting down');
      return;
    }
    const caller = this.#callerOf(call);
    const tooMany = this.#tooMany(caller.host);
    if (tooMany !== undefined) {
      failCall(call, 8, tooMany);
      return;
    }
    this.#streams.set(call, caller.host);
    for (const event of ['cancelled', 'close', 'error']) call.on(event, () => this.#streams.delete(call));
    const found = findMatch(this.#expected(), caller);
    if (found === undefined) {
      this.#refuse(call, caller);
      return;
    }
    found.source.take(new CalledStream(call, this.#options.clock), {
      peer: formatHostPort(caller),
      version: sourceVersionOf(call.metadata),
    });
  }

  #callerOf(call: RawServerStream): Caller {
    const { identitiesOf = peerIdentities } = this.#options;
    const peer = call.getPeer();
    const colon = peer.lastIndexOf(':');
    return {
      identities: identitiesOf(call),
      meta: (name) => call.metadata.get(name).map(String),
      metaNames: Object.keys(call.metadata.getMap()),
      host: plainIp(peer.slice(0, colon)),
      port: Number(peer.slice(colon + 1)),
    };
  }

  /** Why no further stream of this address is served; undefined where it is. */
  #tooMany(host: string): string | undefined {
    const { maxStreams = defaultMaxStreams, maxStreamsPerPeer = defaultMaxStreamsPerPeer, log } = this.#options;
    const hosts = [...this.#streams.values()];
    const isOfAll = hosts.length >= maxStreams;
    if (!isOfAll && hosts.filter((one) => one === host).length < maxStreamsPerPeer) return undefined;
    const before = this.#refusals.pass(isOfAll ? 'all' : 'peer');
    if (before !== undefined) {
      const limit = isOfAll ? maxStreams : maxStreamsPerPeer;
      const hint = 'a source needs one stream: see who opens so many (docs/limits.md)';
      const fields = { peer: host, limit, ...(before > 0 ? { before } : {}), hint };
      log.warn(fields, 'too many streams on the port for sources; new ones are refused');
    }
    return isOfAll ? 'too many streams' : `too many streams of ${host}: ${maxStreamsPerPeer} are served at once`;
  }

  /** Of a stranger. What is in its headers may be a secret: their names are told alone. */
  #refuse(call: RawServerStream, caller: Caller): void {
    const { identities, metaNames, host } = caller;
    const shown = (names: readonly string[]) => names.slice(0, maxNames).map((name) => printable(name, maxNameLength));
    const meta = shown(metaNames.filter((name) => !commonHeaders.has(name)));
    const names = shown(identities);
    const seen = [
      `address ${host}`,
      `headers: ${meta.join(', ') || 'none'}`,
      names.length === 0 ? 'no client certificate' : `identities: ${names.join(', ')}`,
    ].join('; ');
    const advice = 'add a source with a match for one of these to sources in the config of Isthmus';
    failCall(call, 7, `no source of Isthmus matches this stream (${seen}); ${advice}`);
    const before = this.#refusals.pass('unknown');
    if (before === undefined) return;
    const [identity] = names;
    const example = identity === undefined ? `{ address: ${host} }` : `{ identity: "${identity}" }`;
    const hint = `where it is meant to feed Isthmus, add to the config: sources: [{ name: NAME, match: ${example} }]`;
    const fields = { peer: formatHostPort(caller), identities: names, headers: meta, hint };
    this.#options.log.warn(
      { ...fields, ...(before > 0 ? { before } : {}) },
      'a source has dialled in that no match of the config is for; it was refused',
    );
  }
}
