import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Kind } from '../../../src/model/kinds.ts';
import { readRows } from '../../../src/wire/resource-frame.ts';
import { viewResource } from '../../../src/wire/resource-view.ts';
import { LegacySource, type SourceStream } from '../../support/legacy-source.ts';
import { serviceEntry } from '../../support/resources.ts';
import { SinkLab } from '../../support/sink-lab.ts';
import { heldBy } from '../../support/source-view.ts';
import { noGuard } from '../../support/store-lab.ts';
import { until } from '../../support/until.ts';
import { collectionOf, encodeMessage, type Message } from './bridge.ts';
import { textOf } from './content.ts';
import { kinds, messageOf, withText } from './events.ts';
import { Trace } from './evidence.ts';
import { type HoldingModel, Model } from './model.ts';
import { propertyTimeoutMs, runs } from './runs.ts';

/** {@link SinkLab} calls its source so. */
const origin = 'lab';

const silentMs = 30_000;

/** A source that keeps a stream for so long has taken all that it was asked for. */
const takenMs = 5000;

const ends = {
  'with status OK': (stream) => stream.end(),
  'with an error': (stream) => stream.end(13, 'oops'),
  'by RST_STREAM': (stream) => stream.reset(),
  'by GOAWAY': (stream) => stream.goAway(),
  'with its connection': (_stream, source) => source.dropConnections(),
} as const satisfies Record<string, (stream: SourceStream, source: LegacySource) => void>;

type End = keyof typeof ends;

type Event =
  | { readonly type: 'message'; readonly message: Message }
  | { readonly type: 'stream ends'; readonly how: End }
  /** The source breaks off within a message. */
  | { readonly type: 'message breaks off'; readonly how: End; readonly message: Message; readonly at: number }
  | { readonly type: 'message that is none' }
  /** The source, or another one in its place, does not know it any more. */
  | { readonly type: 'collection is refused'; readonly kind: Kind }
  | { readonly type: 'time passes'; readonly ms: number };

const message = fc.constantFrom(...kinds).chain((kind) => messageOf(fc.constant(kind)));
const how = fc.constantFrom(...(Object.keys(ends) as End[]));
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ type: fc.constant('message' as const), message }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('stream ends' as const), how }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant('message breaks off' as const), how, message, at: fc.nat(1000) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: 'message that is none' as const }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('collection is refused' as const),
      kind: fc.constantFrom(...kinds.filter((kind) => kind !== serviceEntry)),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant('time passes' as const), ms: fc.constantFrom(60, 9000, silentMs) }),
  },
);

/** A source on a real socket, the sink that dials it, and what ADR 1 says about the two. */
class Streams {
  readonly #source: LegacySource;
  readonly #lab: SinkLab;
  readonly #model = new Model(noGuard);
  readonly #trace = new Trace();
  /** What the source does not know. */
  readonly #unknown = new Set<Kind>();
  /** What the sink knows to be unknown; it asks for the others. */
  readonly #refused = new Set<Kind>();
  readonly #everSpoken = new Set<Kind>();
  /** When the first message came on this stream. */
  #servesSince: number | undefined;
  /** When the present stream came. */
  #openSince = 0;
  #hasServed = false;
  #opened = 0;
  #nonce = 0;

  private constructor(source: LegacySource) {
    this.#source = source;
    this.#lab = new SinkLab(source.port, { collections: kinds.map(collectionOf) }, new Map(), noGuard);
    this.#model.addOrigin(origin, kinds);
    source.onStream = (stream) => {
      stream.open();
      stream.onRequest = ({ collection, responseNonce }) => {
        const isUnknown = [...this.#unknown].some((kind) => collectionOf(kind) === collection);
        if (responseNonce === '' && isUnknown) stream.end(3, `unsupported collection "${collection}"`);
      };
    };
  }

  static async start(): Promise<Streams> {
    const streams = new Streams(await LegacySource.listen());
    streams.#lab.client.start();
    return streams;
  }

  async happen(one: Event): Promise<void> {
    switch (one.type) {
      case 'message':
        await this.#say(one.message);
        break;
      case 'stream ends':
        await this.#end(one.how);
        break;
      case 'message breaks off': {
        const bytes = encodeMessage(one.message, 'n');
        (await this.#stream()).sendPart(bytes, one.at % (bytes.length + 5));
        await this.#end(one.how);
        break;
      }
      case 'message that is none':
        (await this.#stream()).sendBytes(Buffer.from([0x1a, 0x7f]));
        await this.#ended();
        break;
      case 'collection is refused':
        await this.#end('with status OK', () => this.#unknown.add(one.kind));
        break;
      case 'time passes':
        await this.#stream();
        this.#pass(one.ms);
    }
    this.#check();
  }

  async stop(): Promise<void> {
    await this.#stream();
    this.#pass(2000);
    this.#check();
    for (const kind of kinds) {
      const snapshot = this.#lab.store.snapshot(kind.id);
      const resources = snapshot && [...readRows(snapshot.pool, snapshot.rows)];
      const sent = resources && new Map(resources.map((one) => [one.key, textOf(viewResource(one))]));
      expect(sent, kind.kind).toEqual(this.#model.isComplete(kind) ? this.#model.merged(kind) : undefined);
    }
    await this.close();
  }

  async close(): Promise<void> {
    await this.#lab.stop();
    await this.#source.kill();
  }

  /** The stream on which everything is asked for that the source knows. */
  async #stream(): Promise<SourceStream> {
    const asked = kinds.filter((kind) => !this.#unknown.has(kind)).map(collectionOf);
    return until(
      'the sink has asked for all that the source knows',
      () => {
        const stream = this.#source.streams.at(-1);
        const isReady =
          stream?.closed === false &&
          stream.asked.length === asked.length &&
          asked.every((collection) => stream.asked.includes(collection)) &&
          this.#lab.client.connection.state === 'connected' &&
          this.#source.streams.length > this.#opened;
        if (!isReady) return undefined;
        for (const kind of this.#unknown) this.#refused.add(kind);
        this.#tellRefused();
        return stream;
      },
      { everyMs: 2 },
    );
  }

  async #say(said: Message): Promise<void> {
    const { kind, incremental, items, removed } = said;
    const stream = await this.#stream();
    const nonce = String(++this.#nonce);
    stream.sendBytes(encodeMessage(said, nonce));
    const reply = await until('a reply', () => stream.replies.find(({ responseNonce }) => responseNonce === nonce), {
      everyMs: 2,
    });
    if (this.#unknown.has(kind)) {
      expect(reply.errorDetail?.code).toBe(12);
      return;
    }
    expect(reply.errorDetail).toBeNull();
    const full = this.#model.take(origin, kind, incremental, items, removed, this.#lab.clock.now());
    this.#trace.add(origin, kind, full === true, items, removed);
    this.#everSpoken.add(kind);
    this.#hasServed = true;
    this.#servesSince ??= this.#lab.clock.now();
    this.#tellRefused();
  }

  async #end(by: End, before: () => unknown = () => {}): Promise<void> {
    const stream = await this.#stream();
    before();
    ends[by](stream, this.#source);
    await this.#ended();
  }

  async #ended(): Promise<void> {
    const { client, clock } = this.#lab;
    await until('the sink sees the end', () => client.connection.state === 'waiting', { everyMs: 2 });
    this.#opened = this.#source.streams.length;
    this.#model.endStream(origin);
    this.#servesSince = undefined;
    clock.advance(client.connection.retryInMs ?? 0);
    this.#openSince = clock.now();
  }

  #pass(ms: number): void {
    this.#lab.clock.advance(ms);
    if (this.#lab.clock.now() - this.#openSince >= takenMs) this.#hasServed = true;
    this.#tellRefused();
    this.#fallSilent();
  }

  /** What a source that serves something does not know, it has not. */
  #tellRefused(): void {
    if (!this.#hasServed) return;
    for (const kind of this.#refused) this.#holding(kind).countAsEmpty('unsupported');
  }

  #fallSilent(): void {
    if (this.#servesSince === undefined || this.#lab.clock.now() - this.#servesSince < silentMs) return;
    for (const kind of kinds) {
      if (kind === serviceEntry || this.#everSpoken.has(kind) || this.#refused.has(kind)) continue;
      this.#holding(kind).countAsEmpty('silent');
    }
  }

  #holding(kind: Kind): HoldingModel {
    return this.#model.holding(origin, kind) as HoldingModel;
  }

  #check(): void {
    for (const kind of kinds) {
      const model = this.#holding(kind);
      const { resources, sync, quarantine, withheld } = this.#lab.store.holding(origin, kind.id);
      const effective = new Map(heldBy(resources).map((one) => [one.key, textOf(viewResource(one))]));
      const lost = [...this.#trace.proven(origin, kind)].filter((key) => !effective.has(key));
      expect(lost, 'the source has not said that it removed it').toEqual([]);
      expect({ effective, sync, quarantine: new Set(quarantine.keys()), withheld: new Set(withheld) }).toEqual({
        effective: model.effective,
        sync: model.sync,
        quarantine: new Set(model.quarantine.keys()),
        withheld: model.withheld,
      });
    }
  }
}

test(
  'over real streams, which end in every way and at every moment, all is as ADR 1 says',
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 15, size: 'max' }).map(withText), async (events) => {
        const streams = await Streams.start();
        try {
          for (const one of events) await streams.happen(one);
          await streams.stop();
        } catch (error) {
          await streams.close();
          throw error;
        }
      }),
      runs(25),
    );
  },
  propertyTimeoutMs,
);
