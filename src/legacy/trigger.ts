import type { ResourcesView } from '../wire/legacy-messages.ts';

/** Collections of the first message of Istio's sources that dial: of 1.1, and of 1.2 to 1.8. */
const triggerCollections: ReadonlySet<string> = new Set(['', '$triggerCollection']);

/**
 * True for the message with which Istio's sources open a stream to us. It means nothing, is to be refused with code 12
 * (UNIMPLEMENTED), and 1.1 takes no other first answer (pkg/mcp/source/client_source.go, 1.1.17 and 1.8.6).
 */
export function isTrigger({ collection, nonce, spans }: ResourcesView): boolean {
  return triggerCollections.has(collection) && nonce === '' && spans.length === 0;
}
