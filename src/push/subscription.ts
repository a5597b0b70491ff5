import type { SizeLevel } from '../model/size-level.ts';
import { Progress } from './progress.ts';

/** One type on one stream: what was sent, and what the peer said to it. */
export type Subscription = {
  readonly typeUrl: string;
  /** The last response; undefined before the first. */
  sent:
    | {
        readonly nonce: string;
        readonly version: string;
        readonly identity: string;
        readonly at: number;
        /** Of the whole response. */
        readonly bytes: number;
      }
    | undefined;
  /** True from a response until its ACK or NACK. */
  pending: boolean;
  ackedVersion: string | undefined;
  /** The peer's last objection, if that was its last word. */
  nack: string | undefined;
  /** What is not sent because the peer can't receive so much; another identity is tried again. `bytes` = it has at least. */
  tooLarge: { readonly identity: string; readonly bytes: number } | undefined;
  /** How the last response, sent or too large, stands to what the peer can receive. */
  size: SizeLevel;
  readonly progress: Progress;
};

/** @param now by the clock. */
export function newSubscription(typeUrl: string, now: number): Subscription {
  return {
    typeUrl,
    sent: undefined,
    pending: false,
    ackedVersion: undefined,
    nack: undefined,
    tooLarge: undefined,
    size: 'low',
    progress: new Progress(now),
  };
}
