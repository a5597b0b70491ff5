import { setFlagsFromString } from 'node:v8';

/** How much may come, in percent of what is left after a collection, before V8 begins the next one. */
const growingPercent = 200;

/**
 * Has V8 collect less often. It counts the memory of buffers as growth of the heap, and a push brings several times the
 * heap in buffers: by its own choice it would mark everything up to three times in each (docs/adr/0011).
 */
export function collectLessOften(): void {
  setFlagsFromString(`--heap-growing-percent=${growingPercent}`);
}
