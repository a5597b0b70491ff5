import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';

/** Keeps grpc-js from writing to standard error by itself: what is wrong, our errors say. GRPC_VERBOSITY is obeyed. */
export function silenceGrpc(): void {
  const { GRPC_VERBOSITY, GRPC_NODE_VERBOSITY } = process.env;
  if ((GRPC_VERBOSITY ?? GRPC_NODE_VERBOSITY) === undefined) setLogVerbosity(logVerbosity.NONE);
}
