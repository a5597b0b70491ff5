import { unwrap } from './apply.ts';
import type { AnyMessage, McpResource } from './wire.ts';

type Decoded = { readonly bytes: Uint8Array; readonly resource: McpResource };

/** Decodes the resources of one type's responses; what has the bytes of last time is not decoded again. */
export class ResponseDecoder {
  #last: Decoded[] = [];
  #placeOf = new Map<string, number>();

  /** A function for the resources of one response, to be called with each in order. */
  begin(): (any: AnyMessage) => McpResource {
    const last = this.#last;
    const placeOf = this.#placeOf;
    const next: Decoded[] = [];
    const nextPlaceOf = new Map<string, number>();
    this.#last = next;
    this.#placeOf = nextPlaceOf;
    let guess = 0;
    return (any) => {
      let found = last[guess];
      if (found !== undefined && Buffer.compare(found.bytes, any.value) === 0) {
        guess++;
      } else {
        // A copy: otherwise each resource would keep all of the response in which it changed last.
        const bytes = Buffer.from(any.value);
        found = { bytes, resource: unwrap({ ...any, value: bytes }) };
        const place = placeOf.get(found.resource.metadata?.name ?? '');
        if (place !== undefined) guess = place + 1;
      }
      nextPlaceOf.set(found.resource.metadata?.name ?? '', next.length);
      next.push(found);
      return found.resource;
    };
  }
}
