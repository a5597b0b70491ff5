/** A source's habits, in one table (design decision 6). Every field can be set in the config file. */
export type SourceProfile = {
  /** SinkNode.id of our requests. Galley 1.0 keeps its snapshot under "" and serves nobody else. */
  readonly sinkNodeId: string;
  /** Whether changes are asked for instead of whole states. Galley's first incremental message lies about its flag. */
  readonly incremental: boolean;
};

/** What is right for a server nobody has studied: asks for whole states, sends no pings, has no name. */
export const defaultSourceProfile: SourceProfile = { sinkNodeId: '', incremental: false };
