import { describe, expect, test } from 'vitest';
import { decide } from '../../../src/push/decide.ts';
import { newSubscription, type Subscription } from '../../../src/push/subscription.ts';

const typeUrl = 'networking.istio.io/v1/ServiceEntry';
const bogus = '2026-11-23 06:46:19.159701788 +0000 UTC m=+0.101981499';
const objection = { code: 3, message: 'no' };

const asked = (): Subscription => newSubscription(typeUrl, 0);
const sent = (nonce: string): Subscription => ({
  ...asked(),
  sent: { nonce, version: 'v1', identity: 'i1', at: 0, bytes: 1 },
  pending: true,
});
const answered = (nonce: string): Subscription => ({ ...sent(nonce), pending: false, ackedVersion: 'v1' });

describe('the first request of a type on a stream subscribes', () => {
  test.each([
    ['no nonce', ''],
    ['the made-up nonce of istiod', bogus],
    ['a nonce of an earlier stream', '1'],
  ])('with %s', (_what, responseNonce) => {
    expect(decide(undefined, { responseNonce })).toBe('subscribe');
  });

  test('even where it objects to something', () => {
    expect(decide(undefined, { responseNonce: bogus, errorDetail: objection })).toBe('subscribe');
  });
});

describe('a later request', () => {
  test.each([
    ['with the nonce that is out', sent('7'), '7', undefined, 'ack'],
    ['with the nonce that is out and an objection', sent('7'), '7', objection, 'nack'],
    ['with the nonce that is out and an empty objection', sent('7'), '7', {}, 'nack'],
    ['with the nonce before', sent('7'), '6', undefined, 'stale'],
    ['with the nonce before and an objection', sent('7'), '6', objection, 'stale'],
    ['without a nonce', sent('7'), '', undefined, 'stale'],
    ['with a made-up nonce', sent('7'), bogus, undefined, 'stale'],
    ['before anything was sent', asked(), bogus, undefined, 'stale'],
    ['before anything was sent, without a nonce', asked(), '', undefined, 'stale'],
    ['with a nonce that was answered', answered('7'), '7', undefined, 'stale'],
    ['with a nonce that was answered, and an objection', answered('7'), '7', objection, 'stale'],
  ])('%s', (_what, subscription, responseNonce, errorDetail, decision) => {
    expect(decide(subscription, { responseNonce, errorDetail })).toBe(decision);
  });
});
