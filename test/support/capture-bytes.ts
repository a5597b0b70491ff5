import type { Capture } from '../../src/capture/capture.ts';
import type { CaptureHeader, CaptureRecord } from '../../src/capture/format.ts';
import { encodeRequestResources, encodeResources } from '../../src/wire/legacy-messages.ts';

export const captureHeader: CaptureHeader = {
  isthmus: '1.2.3',
  startedAt: '2026-01-31T12:00:00.000Z',
  source: 'mcp://galley.istio-system:9901',
  collections: ['istio/networking/v1alpha3/serviceentries'],
  incremental: false,
  redacted: false,
};

/** What a sink says. */
export function requestBytes(collection: string, responseNonce = ''): Buffer {
  return encodeRequestResources({
    sinkNode: { id: '', annotations: {} },
    collection,
    responseNonce,
    incremental: false,
  });
}

/** What a source says. */
export function resourcesBytes(
  collection: string,
  nonce: string,
  resources: readonly Uint8Array[] = [],
  more: Partial<Parameters<typeof encodeResources>[0]> = {},
): Buffer {
  const rest = { systemVersionInfo: nonce, incremental: false, removedResources: [] };
  return encodeResources({ ...rest, collection, nonce, resources, ...more });
}

/** A step of a stream: its time, who speaks, and what. */
type Step = readonly [at: number, type: 'request' | 'resources', bytes: Buffer];

/** How a stream ended. */
type Ending = { readonly at: number; readonly code: number; readonly details: string; readonly refusal?: boolean };

/** The records of one stream. */
export function streamRecords(stream: number, steps: readonly Step[], end?: Ending): CaptureRecord[] {
  const records: CaptureRecord[] = [{ type: 'open', at: steps[0]?.[0] ?? 0, stream }];
  for (const [at, type, bytes] of steps) records.push({ at, stream, type, bytes });
  if (end !== undefined) {
    records.push({ stream, type: 'end', by: 'source', trailers: [], refusal: false, ...end });
  }
  return records;
}

/** What reading a file of these records would give. */
export function captureOf(records: readonly CaptureRecord[], refused: readonly string[] = []): Capture {
  const streams = new Map<number, Capture['streams'][number]>();
  for (const record of records) {
    if (record.type === 'stop') continue;
    const stream = streams.get(record.stream) ?? { messages: [], end: undefined };
    if (record.type === 'end') streams.set(record.stream, { ...stream, end: record });
    else if (record.type === 'request' || record.type === 'resources') {
      streams.set(record.stream, { ...stream, messages: [...stream.messages, record] });
    } else streams.set(record.stream, stream);
  }
  return { header: captureHeader, streams: [...streams.values()], refused, isCutOff: false };
}
