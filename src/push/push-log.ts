import type { PushCause } from '../model/news.ts';
import { shortened } from '../model/texts.ts';

/** Responses of one stream that are kept: two for each type that an istiod asks for. */
export const maxPushes = 32;

/** What is kept of a refusal, in characters. */
const maxError = 500;

/** One response, and what came of it. */
export type Push = {
  readonly typeUrl: string;
  /** When it left. */
  readonly at: Date;
  readonly version: string;
  readonly resources: number;
  readonly bytes: number;
  readonly cause: PushCause;
  /** From when it was due until it left, in milliseconds. */
  readonly waitedMs: number;
  /** Undefined until there is one. `afterMs`: from when it left. `error`: what the peer has against it, where it refused. */
  readonly answer: { readonly afterMs: number; readonly error: string | undefined } | undefined;
};

/** The last responses of one stream, with their answers. */
export class PushLog {
  /** Oldest first. */
  readonly #pushes: Push[] = [];

  /** A response leaves. */
  left(push: Omit<Push, 'answer'>): void {
    if (this.#pushes.length === maxPushes) this.#pushes.shift();
    this.#pushes.push({ ...push, answer: undefined });
  }

  /**
   * The peer has answered the last response of a type.
   * @param error undefined = it has taken it.
   */
  answered(typeUrl: string, afterMs: number, error: string | undefined): void {
    const at = this.#pushes.findLastIndex((one) => one.typeUrl === typeUrl);
    const push = this.#pushes[at];
    if (push === undefined || push.answer !== undefined) return;
    this.#pushes[at] = { ...push, answer: { afterMs, error: error && shortened(error, maxError) } };
  }

  /** Newest first. */
  get all(): Push[] {
    return this.#pushes.toReversed();
  }
}
