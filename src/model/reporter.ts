import type { BodyRepair, QuarantineReason } from './change.ts';

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

  pushed(kind: string, bytes: number): void;
  /** A peer acknowledged `kind` after so many seconds. */
  pushAcked(kind: string, seconds: number): void;
  pushNacked(kind: string): void;
  /** A type that is not sent to a peer because it is larger than that peer can receive. */
  pushTooLarge(kind: string): void;
  ackOverdue(kind: string): void;
  pushStreamEnded(reason: PushStreamEnd): void;

  /** A connection was turned away before it came to gRPC. @param reason one of net/door's turnedAwayReasons. */
  connectionRefused(listener: 'xds' | 'sink', reason: string): void;
  /** A message to a legacy sink. */
  outputPushed(collection: string, bytes: number): void;
  /** The answer of a legacy sink: an ACK, or a NACK with any code that it likes. */
  outputAcked(collection: string): void;
  outputNacked(collection: string, code: number): void;
  outputStreamEnded(reason: PushStreamEnd): void;
};

/** What is put right on the way in. */
export type Repair = 'bare_name' | 'create_time' | 'duplicate' | 'escaped_name' | BodyRepair;

/** How held removals end. */
export type HoldOutcome = 'released_by_operator' | 'confirmed_by_source' | 'recovered';

/** Why a stream of istiod's, or of a legacy sink, ended. */
export type PushStreamEnd = 'peer' | 'recycled' | 'send_timeout' | 'ack_timeout' | 'refused' | 'shutdown' | 'failed';

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
  pushed() {},
  pushAcked() {},
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
