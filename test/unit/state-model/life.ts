import { expect } from 'vitest';
import type { Kind } from '../../../src/model/kinds.ts';
import { silentLogger } from '../../../src/model/logger.ts';
import { LastKnownGood } from '../../../src/state/last-known-good.ts';
import { answerMs, defaultGuard, type GuardOptions } from '../../../src/store/guard.ts';
import type { QuarantineEntry } from '../../../src/store/holding.ts';
import { encodeResources } from '../../../src/wire/legacy-messages.ts';
import { FakeIstiod } from '../../support/fake-istiod.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { truncated } from '../../support/wire-bytes.ts';
import { Bridge, encodeMessage, type Given, givenIn, kindOfUrl, type Message, typeUrlOf } from './bridge.ts';
import { kinds, late, type Event, type Origin } from './events.ts';
import { Trace } from './evidence.ts';
import { type Item, readingOf } from './item.ts';
import { bytesOf } from './item-bytes.ts';
import type { Meanings } from './meanings.ts';
import { lastGoodNote, Model } from './model.ts';
import { Published } from './published.ts';

/** Longer than the debounce and the gap between two bursts of a stream. */
const longMs = 2000;

/**
 * So few resources as these lives have are enough for it. No question comes in the same millisecond as an answer is
 * believed: which of them is first would be anybody's guess.
 */
const quickGuard: GuardOptions = { ...defaultGuard, minRemoved: 2, holdMs: 31_007 };

/** A message about something that nobody asks for. */
const strangerCollection = encodeResources({
  systemVersionInfo: 'any',
  collection: 'k8s/core/v1/pods',
  nonce: 'n',
  incremental: false,
  resources: [],
  removedResources: [],
});

/** A bridge, the plain model of it, and an istiod; everything is compared after each event. */
export class Life {
  readonly #nodeId: string;
  readonly #meanings: Meanings;
  #origins: readonly Origin[];
  /** What each source has, by origin and kind; survives the bridge. */
  readonly #sources = new Map<string, readonly Item[]>();
  readonly #guard: GuardOptions;
  #bridge: Bridge;
  #istiod: FakeIstiod;
  #model: Model;
  #trace = new Trace();
  #published = new Map(kinds.map((kind) => [kind, new Published()]));
  #saidAt = 0;
  /** How holds have ended. */
  readonly outcomes = new Set<string>();
  #nonce = 0;
  #seen = 0;

  constructor(origins: readonly Origin[], nodeId: string, meanings: Meanings, guard = quickGuard) {
    this.#origins = origins;
    this.#nodeId = nodeId;
    this.#meanings = meanings;
    this.#guard = guard;
    this.#bridge = new Bridge(guard);
    this.#model = new Model(guard);
    for (const { name, kinds: own } of origins) {
      this.#bridge.addSource(name, own);
      this.#model.addOrigin(name, own);
    }
    this.#istiod = this.#begin();
  }

  get bridge(): Bridge {
    return this.#bridge;
  }

  async happen(event: Event): Promise<void> {
    if ('origin' in event && !this.#model.holdings.has(event.origin)) return;
    switch (event.type) {
      case 'operator releases': {
        const holding = this.#model.holding(event.origin, event.kind);
        const isAny = (holding?.withheld.size ?? 0) > 0;
        if (isAny) {
          this.#trace.release(event.origin, event.kind, holding?.withheld ?? []);
          holding?.release('operator');
        }
        const removed = await this.#bridge.store.release(event.origin, event.kind.id);
        expect(removed !== undefined, 'something is released').toBe(isAny);
        if (isAny) this.#said();
        break;
      }
      case 'message':
        await this.#say(event.origin, event.message);
        break;
      case 'resource changes': {
        const { origin, kind, place, content, dialect, incremental, restMs } = event;
        const has = this.#sources.get(`${origin} ${kind.id}`) ?? [];
        const index = place % Math.max(1, has.length);
        const old = has[index];
        if (old?.form !== 'good') return;
        const item = { ...old, content, dialect };
        const items = incremental ? [item] : has.with(index, item);
        await this.#say(origin, { kind, incremental, items, removed: [] });
        await this.#pass(restMs);
        break;
      }
      case 'broken message':
        await this.#sayBroken(event.origin, event.message, event.missing);
        break;
      case 'stranger collection':
        expect(await this.#bridge.receive(event.origin, strangerCollection)).toBe('NACK 12 of n');
        break;
      case 'stream ends':
        this.#endStream(event.origin);
        break;
      case 'source returns':
        this.#endStream(event.origin);
        for (const kind of this.#kindsOf(event.origin)) {
          const has = this.#sources.get(`${event.origin} ${kind.id}`);
          if (has === undefined) continue;
          const items = event.says === 'nothing' ? [] : has.map((item) => turned(item, event.turn));
          await this.#say(event.origin, { kind, incremental: event.turn > 2, items, removed: [] });
        }
        break;
      case 'source is asked again': {
        const due = [...(this.#model.holdings.get(event.origin)?.values() ?? [])].flatMap(
          ({ hold }) => hold?.until ?? [],
        );
        if (due.length === 0) return;
        await this.#pass(Math.max(0, ...due.map((until) => until + 1 - this.#bridge.clock.now())));
        for (const kind of this.#kindsOf(event.origin)) {
          const items = event.andThen === 'is mute' ? undefined : this.#sources.get(`${event.origin} ${kind.id}`);
          if (items !== undefined) await this.#say(event.origin, { kind, incremental: false, items, removed: [] });
        }
        await this.#pass(answerMs - 1);
        if (event.andThen === 'goes') this.#endStream(event.origin);
        await this.#pass(2);
        break;
      }
      case 'counts as empty':
        this.#bridge.countAsEmpty(event.origin, event.kind, event.why);
        this.#model.holding(event.origin, event.kind)?.countAsEmpty(event.why);
        this.#said();
        break;
      case 'origin is added':
        if (this.#origins.includes(late)) return;
        this.#origins = [...this.#origins, late];
        for (const published of this.#published.values()) published.now();
        this.#bridge.addSource(late.name, late.kinds);
        this.#model.addOrigin(late.name, late.kinds);
        this.#said();
        break;
      case 'bridge restarts':
        await this.#restart(event.remembers ? tempFolder() : undefined);
        break;
      case 'time passes':
        await this.#pass(event.ms);
        break;
      case 'somebody looks':
        this.#checkGiven(event.kind, this.#bridge.look(event.kind));
    }
    this.#check();
  }

  /** Lets everything settle, and checks that an istiod has it all. */
  async end(): Promise<void> {
    await this.#pass(longMs);
    for (const kind of kinds) {
      const given = this.#bridge.look(kind);
      expect(given === undefined).toBe(!this.#published.get(kind)?.isCertain);
      this.#checkGiven(kind, given);
    }
  }

  /** Leaves no timer behind. */
  close(): void {
    this.#istiod.exchange.close();
    this.#bridge.store.close();
    expect(this.#bridge.clock.timers).toBe(0);
  }

  /** @param stateDir where what was known is kept meanwhile; undefined = it is lost. */
  async #restart(stateDir: string | undefined): Promise<void> {
    if (stateDir !== undefined) {
      const files = filesOf(this.#bridge, stateDir);
      await files.saveNow();
      await files.stop(longMs);
    }
    this.close();
    this.#bridge = new Bridge(this.#guard);
    for (const { name, kinds: own } of this.#origins) this.#bridge.addSource(name, own);
    if (stateDir !== undefined) {
      const files = filesOf(this.#bridge, stateDir);
      await files.load();
      expect(files.view.problems).toEqual([]);
      this.#model.restart();
    } else {
      this.#model = new Model(this.#guard);
      this.#trace = new Trace();
      for (const { name, kinds: own } of this.#origins) this.#model.addOrigin(name, own);
    }
    this.#published = new Map(kinds.map((kind) => [kind, new Published()]));
    this.#istiod = this.#begin();
  }

  #begin(): FakeIstiod {
    this.#saidAt = this.#seen = 0;
    this.#said();
    this.#bridge.store.onHold(({ outcome }) => outcome !== undefined && this.outcomes.add(outcome));
    const istiod = new FakeIstiod(this.#bridge, this.#nodeId);
    istiod.ask(...kinds.map(typeUrlOf));
    return istiod;
  }

  #kindsOf(origin: string): readonly Kind[] {
    return this.#origins.find(({ name }) => name === origin)?.kinds ?? [];
  }

  async #say(origin: string, message: Message): Promise<void> {
    const { kind, incremental, items, removed } = message;
    const nonce = String(++this.#nonce);
    const full = this.#model.take(origin, kind, incremental, items, removed, this.#bridge.clock.now());
    const answer = await this.#bridge.receive(origin, encodeMessage(message, nonce));
    expect(answer).toBe(`${full === undefined ? 'NACK 12' : 'ACK'} of ${nonce}`);
    if (full === undefined) return;
    this.#trace.add(origin, kind, full, items, removed);
    this.#remember(`${origin} ${kind.id}`, full, message);
    this.#said();
  }

  async #sayBroken(origin: string, message: Message, missing: number): Promise<void> {
    const whole = encodeMessage(message, 'n');
    const lastItem = message.items.at(-1);
    // Somewhere in its last resource; gRPC delivers whole messages, so the source has written it so.
    const length = lastItem === undefined ? 0 : bytesOf(lastItem, message.kind).length;
    const bytes = length === 0 ? Buffer.concat([whole, truncated(3)]) : whole.subarray(0, -(1 + (missing % length)));
    expect(await this.#bridge.receive(origin, bytes)).toBe('the stream is ended');
    this.#model.endStream(origin);
  }

  #endStream(origin: string): void {
    this.#bridge.endStream(origin);
    this.#model.endStream(origin);
  }

  #remember(source: string, full: boolean, { kind, items, removed }: Message): void {
    const gone = new Set(removed.map(({ key }) => key));
    for (const item of items) gone.add(readingOf(item, kind).key ?? '');
    const kept = full
      ? []
      : (this.#sources.get(source) ?? []).filter((item) => !gone.has(readingOf(item, kind).key ?? ''));
    this.#sources.set(source, [...kept, ...items]);
  }

  #said(): void {
    const now = this.#bridge.clock.now();
    this.#saidAt = now;
    for (const [kind, published] of this.#published) {
      published.said(now, this.#model.isComplete(kind), this.#trace.position, this.#model.merged(kind));
    }
  }

  async #pass(ms: number): Promise<void> {
    const { clock } = this.#bridge;
    const end = clock.now() + ms;
    for (let { due } = this.#model; due !== undefined && due <= end; due = this.#model.due) {
      // What is due already waits for its turn as long as the clock stands.
      await this.#run(Math.max(0, due - clock.now()));
      this.#model.act(clock.now());
      this.#said();
    }
    await this.#run(end - clock.now());
    if (ms < longMs || clock.now() - this.#saidAt < longMs) return;
    for (const kind of kinds) {
      const { version } = this.#bridge.store.snapshot(kind.id) ?? {};
      const last = this.#istiod.responses.findLast(({ typeUrl }) => typeUrl === typeUrlOf(kind));
      expect(last?.versionInfo, `what istiod has of ${kind.kind}`).toBe(version);
    }
  }

  async #run(ms: number): Promise<void> {
    await this.#bridge.clock.run(ms);
    this.#checkResponses();
    const now = this.#bridge.clock.now();
    for (const published of this.#published.values()) published.passed(now, this.#saidAt);
  }

  /** Every response is something that may be published. */
  #checkResponses(): void {
    const { responses } = this.#istiod;
    for (; this.#seen < responses.length; this.#seen++) {
      const { typeUrl, versionInfo, bytes } = responses[this.#seen] as (typeof responses)[number];
      this.#checkGiven(kindOfUrl(typeUrl), givenIn(versionInfo, bytes));
    }
  }

  #checkGiven(kind: Kind, given: Given | undefined): void {
    const published = this.#published.get(kind) as Published;
    const isAlone = this.#origins.filter((origin) => origin.kinds.includes(kind)).length === 1;
    published.check(
      given && new Map([...given.resources].map(([key, { text }]) => [key, text])),
      isAlone ? this.#trace.broughtSince(published.position, kind) : new Map(),
    );
    if (given === undefined) return;
    const keys = [...given.resources.keys()];
    const lost = [...this.#trace.provenSince(published.position, kind)].filter((key) => !given.resources.has(key));
    expect(lost, 'no source has said that it removed it').toEqual([]);
    expect(keys, 'in order, each once').toEqual([...new Set(keys)].toSorted());
    this.#meanings.check(kind, given);
  }

  #check(): void {
    const lost: string[] = [];
    const actual = new Map<string, unknown>();
    const expected = new Map<string, unknown>();
    for (const [origin, holdings] of this.#model.holdings) {
      for (const [kind, model] of holdings) {
        const place = `${origin} ${kind.kind}`;
        const effective = this.#bridge.effective(origin, kind);
        for (const key of this.#trace.proven(origin, kind)) if (!effective.has(key)) lost.push(`${place} ${key}`);
        const { sync, received, released, quarantine, withheld, hold } = this.#bridge.holding(origin, kind);
        actual.set(place, {
          effective,
          sync,
          received,
          released,
          withheld,
          held: hold && { keys: hold.keys, until: hold.until, isAsked: hold.isAsked },
          quarantine: reasonsIn(quarantine.values()),
        });
        expected.set(place, {
          effective: model.effective,
          sync: model.sync,
          received: model.received.size + model.strangers.size,
          released: model.received.size + model.strangers.size + model.withheld.size,
          withheld: model.withheld,
          held: model.hold && { keys: model.hold.keys, until: model.hold.until, isAsked: model.hold.isAsked },
          quarantine: model.quarantine,
        });
      }
    }
    for (const kind of kinds) {
      actual.set(kind.kind, this.#bridge.store.complete(kind.id));
      expected.set(kind.kind, this.#model.isComplete(kind));
    }
    expect(lost, 'no source has said that it removed it').toEqual([]);
    expect(actual).toEqual(expected);
  }
}

function filesOf({ store, clock }: Bridge, stateDir: string): LastKnownGood {
  return new LastKnownGood({ stateDir, store, clock, log: silentLogger, version: '1.2.3' });
}

function reasonsIn(entries: Iterable<QuarantineEntry>): Map<string, string> {
  return new Map(
    Array.from(entries, ({ key, reason, lastGoodSent }) => [key, reason + (lastGoodSent ? lastGoodNote : '')]),
  );
}

/** The same resource, written differently. */
function turned(item: Item, turn: number): Item {
  if (item.form !== 'good') return item;
  return { ...item, dialect: { ...item.dialect, turn, version: String(turn), later: turn % 2 === 0 } };
}
