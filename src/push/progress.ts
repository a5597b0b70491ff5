import type { News, PushCause } from '../model/news.ts';

/** What a response was sent for. */
export type Departure = { readonly cause: PushCause; readonly waitedMs: number };

/**
 * How far one stream is behind with one type: what it lacks, since when, and what was sent and answered so far. Times are
 * by the clock, in milliseconds. Costs the same for one resource and for 100,000.
 */
export class Progress {
  /** Responses, their bytes, and how long they waited together from when they were due until they left. */
  pushes = 0;
  bytes = 0;
  waitedMs = 0;
  acks = 0;
  nacks = 0;
  /** Since when something is due; undefined while that is nothing. */
  #dueAt: number | undefined;
  /** What was published since the last response, or was in one that was refused. */
  #lacks: News | undefined;
  /** The last response: of when the oldest change in it is (where it has none, when it left), and when its ACK came. */
  #sent: { readonly since: number; readonly isNews: boolean; readonly ackedAt: number | undefined } | undefined;
  #isPending = false;

  /** @param now when the type was asked for. */
  constructor(now: number) {
    this.#dueAt = now;
  }

  /** Something was published. */
  changed(news: News, now: number): void {
    // Who has nothing yet waited for the whole, and not for what has changed in it.
    if (this.#sent === undefined) {
      this.#dueAt = now;
      return;
    }
    this.#dueAt ??= now;
    this.#lacks = older(this.#lacks, news);
  }

  /** A response leaves. */
  left(bytes: number, now: number): Departure {
    const isFirst = this.#sent === undefined;
    const cause = isFirst ? 'subscription' : (this.#lacks?.cause ?? 'change');
    const waitedMs = now - (this.#dueAt ?? now);
    this.pushes++;
    this.bytes += bytes;
    this.waitedMs += waitedMs;
    this.#sent = { since: this.#lacks?.since ?? now, isNews: this.#lacks !== undefined, ackedAt: undefined };
    this.#isPending = true;
    this.#lacks = undefined;
    this.#dueAt = undefined;
    return { cause, waitedMs };
  }

  /** Returns how long what a source said has taken to get there, in milliseconds; undefined where the response had nothing of it. */
  acked(now: number): number | undefined {
    this.acks++;
    this.#isPending = false;
    if (this.#sent === undefined) return undefined;
    const { since, isNews } = this.#sent;
    this.#sent = { ...this.#sent, ackedAt: now };
    return isNews ? now - since : undefined;
  }

  /** What was in the response is lacking still, until a later one is taken. */
  nacked(): void {
    this.nacks++;
    this.#isPending = false;
    if (this.#sent !== undefined) this.#lacks = older(this.#lacks, { since: this.#sent.since, cause: 'change' });
  }

  /**
   * What was published is what the last response had: a resource may have taken the place of its older form before that
   * was published, or have changed back. Returns the same as {@link acked} where the peer has it by now.
   */
  isSent(): number | undefined {
    this.#dueAt = undefined;
    const lacks = this.#lacks;
    if (lacks === undefined || this.#sent === undefined) return undefined;
    const { ackedAt, since } = this.#sent;
    if (this.#isPending) {
      this.#sent = { since: Math.min(since, lacks.since), isNews: true, ackedAt: undefined };
      this.#lacks = undefined;
      return undefined;
    }
    if (ackedAt === undefined) return undefined;
    this.#lacks = undefined;
    return ackedAt >= lacks.since ? ackedAt - lacks.since : undefined;
  }

  /** When the oldest change came in that the peer has not acknowledged; undefined where it has all. */
  get behindSince(): number | undefined {
    const pending = this.#isPending ? this.#sent?.since : undefined;
    return pending ?? this.#lacks?.since;
  }
}

function older(a: News | undefined, b: News): News {
  return a === undefined || b.since < a.since ? b : a;
}
