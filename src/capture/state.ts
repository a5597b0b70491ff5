import type { Collection } from '../model/kinds.ts';
import { readResources } from '../wire/legacy-messages.ts';
import { newResourceParts, scanResource } from '../wire/resource-parts.ts';
import { MalformedError } from '../wire/scan.ts';
import type { Capture } from './capture.ts';
import { lastMessages, playsOf } from './script.ts';

/** A resource as it came. */
export type CapturedResource = {
  /** `metadata.name`, whatever it is; '' where there is none. */
  readonly name: string;
  /** An encoded `istio.mcp.v1alpha1.Resource`. */
  readonly raw: Buffer;
};

const parts = newResourceParts();

/**
 * What the source had at the end of a capture, by collection. What it does not know is empty; what it said nothing of is
 * not there.
 */
export function stateAtEnd(capture: Capture): Map<Collection, readonly CapturedResource[]> {
  const state = new Map<Collection, readonly CapturedResource[]>();
  for (const collection of capture.refused) state.set(collection, []);
  for (const [collection, messages] of lastMessages(playsOf(capture))) {
    let resources: CapturedResource[] = [];
    for (const { bytes, full } of messages) {
      const { spans, removedResources } = readResources(bytes);
      const brought: CapturedResource[] = [];
      for (let i = 0; i < spans.length; i += 2) brought.push(resourceOf(bytes.subarray(spans[i], spans[i + 1])));
      if (full) resources = brought;
      else {
        const gone = new Set([...removedResources, ...brought.map(({ name }) => name)]);
        resources = [...resources.filter(({ name }) => !gone.has(name)), ...brought];
      }
    }
    state.set(collection, resources);
  }
  return state;
}

function resourceOf(raw: Buffer): CapturedResource {
  try {
    scanResource(raw, 0, raw.length, parts);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
  }
  const { nameStart, nameEnd } = parts;
  return { name: nameStart < 0 ? '' : raw.toString('utf8', nameStart, nameEnd), raw };
}
