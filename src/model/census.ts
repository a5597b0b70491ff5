/** Resources that have something in common. */
export type Tally = {
  readonly count: number;
  /** Keys of the first {@link namesOfTally} of them, sorted. */
  readonly names: readonly string[];
};

/** Names that are kept of each tally: enough to find the others by. */
export const namesOfTally = 20;

/** What was counted of one kind, without looking at what istiod is sent of it. */
export type KindCensus = {
  /** By value of the label `istio.io/rev`; what has no such label is not in here. */
  readonly labels: ReadonlyMap<string, Tally>;
  /** Of values beyond the first 200, together. */
  readonly otherLabels: Tally;
  /** Hosts of ServiceEntries that ask istiod for a virtual address. */
  readonly unaddressedHosts: number;
};

/** Where what was counted can be read. */
export type CensusView = {
  /** As it was counted last; undefined where nothing is published of the kind, or it was never counted. */
  of(kindId: string): KindCensus | undefined;
  /**
   * Counts what has changed since the last time, unless that took long a short while ago. Settles when that is done: with
   * false where something has changed that was not counted.
   */
  refresh(): Promise<boolean>;
};
