import type { Listed } from '../model/snapshot.ts';
import type { Arena } from '../wire/arena.ts';
import type { ResourceTable } from '../wire/resource-table.ts';
import type { Spans } from '../wire/spans.ts';

/** What is held of one origin and kind: what a message is compared with, and where new bytes go. */
export type Held = {
  readonly resources: ResourceTable;
  /** May be another one after each turn of somebody else. */
  readonly arena: Arena;
  /**
   * Where resources that are in the merged list may be overwritten: counts what is there. Undefined where that is not
   * allowed, because another origin has a word in it.
   */
  readonly listed: Listed | undefined;
};

/** One message, as the source's protocol delivered it. */
export type IntakeMessage = {
  readonly bytes: Buffer;
  /** Start and end of each `istio.mcp.v1alpha1.Resource` in `bytes`, in pairs. */
  readonly spans: Spans;
  /**
   * Start and end of each as an entry of a DiscoveryResponse, for a file of ours, which has nothing else: they are taken
   * as they are.
   */
  readonly entries?: Spans;
  /** Names that the source says are gone; only meant where `full` is false. */
  readonly removed: readonly string[];
  readonly full: boolean;
};
