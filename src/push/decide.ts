import type { Subscription } from './subscription.ts';

/** What a request means. */
export type Decision = 'subscribe' | 'ack' | 'nack' | 'stale';

/** The part of a request that decides. */
export type Answer = { readonly responseNonce: string; readonly errorDetail?: unknown };

/**
 * Tells an ACK from everything else. The first request of a type on a stream subscribes whatever nonce it
 * carries: istiod sends a made-up one, on reconnects too (adsc.go ConfigInitialRequests, 1.9 to 1.30). After that
 * only the nonce of the last response counts.
 */
export function decide(subscription: Subscription | undefined, answer: Answer): Decision {
  if (subscription === undefined) return 'subscribe';
  if (!subscription.pending || subscription.sent?.nonce !== answer.responseNonce) return 'stale';
  return answer.errorDetail === undefined ? 'ack' : 'nack';
}
