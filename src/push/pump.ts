import type { Clock, Timer } from '../model/clock.ts';

/** One response that is ready to go. */
export type Outgoing = { readonly send: () => Promise<void> };

/** Waits, in milliseconds; see design.md decision 12. */
export type PumpOptions = {
  /** Least time between two bursts; istiod's own debounce is starved by responses that are nearer than 100 ms. */
  readonly minGapMs: number;
  /** Time for the peer to take one response off the wire. */
  readonly sendTimeoutMs: number;
  /** Without an ACK for so long, the operator is told. */
  readonly ackWarnMs: number;
  /** Without an ACK for so long, the stream is ended. */
  readonly ackTimeoutMs: number;
};

export const defaultPump: PumpOptions = {
  minGapMs: 250,
  sendTimeoutMs: 60_000,
  ackWarnMs: 30_000,
  ackTimeoutMs: 300_000,
};

/** What a pump works for. */
export type PumpTarget = {
  /** Everything that is due now. Called once per burst; what it returns is sent in this order. */
  due(): readonly Outgoing[];
  /** True while the peer owes an answer. */
  awaiting(): boolean;
  onAckOverdue(): void;
  /** All that was sent is taken and answered. Called before the next burst, which closing the pump prevents. */
  onIdle(): void;
  /** Ends the stream. Called at most once; the pump is closed then. */
  onGiveUp(reason: 'send_timeout' | 'ack_timeout' | 'failed', error?: unknown): void;
};

/**
 * Decides when one stream sends. One burst is in flight at a time: the next one waits until the peer has answered
 * all of it and `minGapMs` has passed. Whatever changes meanwhile is one later burst, so a slow peer costs no
 * memory and always gets the newest state. Knows nothing of types, bytes or transports.
 */
export class Pump {
  readonly #options: PumpOptions;
  readonly #clock: Clock;
  readonly #target: PumpTarget;
  #neverTimeOut = false;
  #sending = false;
  #closed = false;
  #lastBurst = Number.NEGATIVE_INFINITY;
  #wake: { readonly timer: Timer; readonly at: number } | undefined;
  #ackTimers: Timer[] = [];
  #sendTimer: Timer | undefined;

  constructor(options: PumpOptions, clock: Clock, target: PumpTarget) {
    this.#options = options;
    this.#clock = clock;
    this.#target = target;
  }

  /** True between two bursts: nothing on the wire, nothing owed. */
  get idle(): boolean {
    return !this.#sending && !this.#target.awaiting();
  }

  /** Something may be due, in `delayMs` at the soonest: what comes until then goes with it. */
  wake(delayMs = 0): void {
    if (this.#closed || !this.idle) return;
    const now = this.#clock.now();
    const at = Math.max(now + delayMs, this.#lastBurst + this.#options.minGapMs);
    if (at <= now) {
      this.#stopWaiting();
      void this.#burst();
      return;
    }
    if (this.#wake !== undefined && this.#wake.at <= at) return;
    this.#stopWaiting();
    const timer = this.#clock.after(at - now, () => {
      this.#wake = undefined;
      this.wake();
    });
    this.#wake = { timer, at };
  }

  /** For a peer whose streams must not be ended: it may answer whenever it likes. */
  neverTimeOut(): void {
    this.#neverTimeOut = true;
  }

  /** The peer answered something. */
  answered(): void {
    if (this.#target.awaiting()) return;
    this.#stopAckTimers();
    if (!this.#sending) this.#becameIdle();
  }

  close(): void {
    this.#closed = true;
    this.#stopWaiting();
    this.#stopAckTimers();
    this.#sendTimer?.cancel();
  }

  async #burst(): Promise<void> {
    this.#sending = true;
    let sent = 0;
    try {
      for (const { send } of this.#target.due()) {
        sent++;
        this.#sendTimer = this.#clock.after(this.#options.sendTimeoutMs, () => this.#giveUp('send_timeout'));
        await send();
        this.#sendTimer.cancel();
        if (this.#closed) return;
      }
    } catch (error) {
      this.#giveUp('failed', error);
      return;
    } finally {
      this.#sendTimer?.cancel();
      this.#sending = false;
    }
    if (sent === 0) return;
    this.#lastBurst = this.#clock.now();
    if (this.#target.awaiting()) this.#startAckTimers();
    else this.#becameIdle();
  }

  #becameIdle(): void {
    this.#target.onIdle();
    // What changed meanwhile found the pump busy.
    this.wake();
  }

  #giveUp(reason: 'send_timeout' | 'ack_timeout' | 'failed', error?: unknown): void {
    if (this.#closed) return;
    this.close();
    this.#target.onGiveUp(reason, error);
  }

  #startAckTimers(): void {
    const { ackWarnMs, ackTimeoutMs } = this.#options;
    this.#ackTimers = [this.#clock.after(ackWarnMs, () => this.#target.onAckOverdue())];
    if (!this.#neverTimeOut) {
      this.#ackTimers.push(this.#clock.after(ackTimeoutMs, () => this.#giveUp('ack_timeout')));
    }
  }

  #stopAckTimers(): void {
    for (const timer of this.#ackTimers) timer.cancel();
    this.#ackTimers = [];
  }

  #stopWaiting(): void {
    this.#wake?.timer.cancel();
    this.#wake = undefined;
  }
}
