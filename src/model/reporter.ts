import { bodyRepairs, type QuarantineReason } from './change.ts';
import type { PushCause } from './news.ts';

/**
 * What the core tells the outside while it works. The core knows no metrics library; observe/metrics.ts
 * implements this. Every text argument comes from a closed set: configured names, kinds, codes.
 */
export type Reporter = {
  /** A stream to a legacy source was opened, the first one included. */
  sourceStreamOpened(origin: string): void;
  sourceStreamEnded(origin: string, code: number): void;
  /** An answer that could not be sent any more, and the gRPC code with which its stream had ended. */
  sourceSendFailed(origin: string, code: number): void;
  resourcesReceived(origin: string, collection: string, bytes: number): void;
  /** An answer to a source: an ACK, or a NACK with its gRPC code. */
  sourceAcked(origin: string, collection: string): void;
  sourceNacked(origin: string, collection: string, code: number): void;
  quarantined(origin: string, kind: string, reason: QuarantineReason): void;
  changed(origin: string, kind: string, upserts: number, removals: number): void;
  repaired(origin: string, kind: string, what: Repair, count: number): void;
  /** Removals of one message that were not believed: they are held, or may be what could not be read in it. */
  removalsWithheld(origin: string, kind: string, count: number): void;
  /** Removals that were held are believed now, or undone. */
  holdEnded(origin: string, kind: string, outcome: HoldOutcome): void;

  /**
   * What has changed is there for istiods: so many changes as one publication, where the debounce has merged them.
   */
  published(changes: number): void;
  /** A response leaves, so many seconds after it was due. */
  pushed(kind: string, bytes: number, cause: PushCause, waitedSeconds: number): void;
  /** A peer acknowledged `kind` after so many seconds. */
  pushAcked(kind: string, seconds: number): void;
  /** A peer has what a source said so many seconds ago; of several changes the oldest counts. */
  propagated(kind: string, seconds: number): void;
  pushNacked(kind: string): void;
  /** A type that is not sent to a peer because it is larger than that peer can receive. */
  pushTooLarge(kind: string): void;
  ackOverdue(kind: string): void;
  pushStreamEnded(reason: PushStreamEnd): void;

  /** A connection was turned away before it came to gRPC. @param reason one of model/turned-away. */
  connectionRefused(listener: 'xds' | 'sink', reason: string): void;
  /** A message to a legacy sink. */
  outputPushed(collection: string, bytes: number): void;
  /** The answer of a legacy sink: an ACK, or a NACK with any code that it likes. */
  outputAcked(collection: string): void;
  outputNacked(collection: string, code: number): void;
  outputStreamEnded(reason: PushStreamEnd): void;
};

/** What is put right on the way in. A closed set: it is a metric label. */
export const repairs = ['bare_name', 'create_time', 'duplicate', 'escaped_name', ...bodyRepairs] as const;

export type Repair = (typeof repairs)[number];

/** How held removals end. A closed set: it is a metric label. */
export const holdOutcomes = ['released_by_operator', 'confirmed_by_source', 'recovered'] as const;

export type HoldOutcome = (typeof holdOutcomes)[number];

/** Why a stream of istiod's, or of a legacy sink, ended. A closed set: it is a metric label. */
export const pushStreamEnds = [
  'peer',
  'recycled',
  'send_timeout',
  'ack_timeout',
  'refused',
  'shutdown',
  'failed',
] as const;

export type PushStreamEnd = (typeof pushStreamEnds)[number];

/** Says nothing to nobody. */
export const silentReporter: Reporter = {
  sourceStreamOpened() {},
  sourceStreamEnded() {},
  sourceSendFailed() {},
  resourcesReceived() {},
  sourceAcked() {},
  sourceNacked() {},
  quarantined() {},
  changed() {},
  repaired() {},
  removalsWithheld() {},
  holdEnded() {},
  published() {},
  pushed() {},
  pushAcked() {},
  propagated() {},
  pushNacked() {},
  pushTooLarge() {},
  ackOverdue() {},
  pushStreamEnded() {},
  connectionRefused() {},
  outputPushed() {},
  outputAcked() {},
  outputNacked() {},
  outputStreamEnded() {},
};
