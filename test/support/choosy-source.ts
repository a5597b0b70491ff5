import type { LegacySource, SourceStream } from './legacy-source.ts';

/** How a source says that it does not know a collection. */
type Refusal = (collection: string) => readonly [code: number, details: string];

/** Istio's words (source.go processClientRequest). */
export const named: Refusal = (collection) => [3, `unsupported collection "${collection}"`];
export const unnamed: Refusal = () => [3, 'bad request'];

/**
 * Lets `source` answer as Istio's does: what it knows with an empty state, what it does not know by the end of the
 * stream, which overtakes the answers that were not sent yet.
 */
export function choose(source: LegacySource, known: ReadonlySet<string>, refusal: Refusal): void {
  source.onStream = (stream: SourceStream) => {
    stream.open();
    let over = false;
    stream.onRequest = ({ collection, responseNonce }) => {
      if (over || responseNonce !== '') return;
      if (known.has(collection)) {
        setImmediate(() => {
          if (!over) stream.send({ collection });
        });
        return;
      }
      over = true;
      stream.end(...refusal(collection));
    };
  };
}
