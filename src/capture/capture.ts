import { IsthmusError } from '../model/errors.ts';
import type { Collection } from '../model/kinds.ts';
import { readCaptureFile } from './capture-file.ts';
import { type CaptureHeader, captureLimits, type StopRecord, type StreamRecord } from './format.ts';

/** One stream of a capture. */
export type CapturedStream = {
  /** What was sent, in the order of the file. */
  readonly messages: readonly Extract<StreamRecord, { type: 'request' | 'resources' }>[];
  /** Undefined where the capture ended first. */
  readonly end: Extract<StreamRecord, { type: 'end' }> | undefined;
};

/** A capture as a whole. */
export type Capture = {
  readonly header: CaptureHeader;
  /** In the order in which they began. */
  readonly streams: readonly CapturedStream[];
  /** Collections that the source does not know, as the capture says at its end. */
  readonly refused: readonly Collection[];
  /** True where its end is missing. */
  readonly isCutOff: boolean;
};

/**
 * Reads a capture into memory.
 * @throws IsthmusError USAGE where there is no such file, CONFIG_INVALID where it is no capture, or too large.
 */
export async function loadCapture(path: string): Promise<Capture> {
  let header: CaptureHeader | undefined;
  let stop: StopRecord | undefined;
  let bytes = 0;
  let records = 0;
  const streams = new Map<number, { messages: CapturedStream['messages'][number][]; end: CapturedStream['end'] }>();
  const isCut = await readCaptureFile(path, {
    onHeader(read) {
      header = read;
    },
    onRecord(record) {
      if (++records > captureLimits.records) throw tooLarge(path, `${captureLimits.records} records`);
      if (record.type === 'stop') {
        stop = record;
        return;
      }
      let stream = streams.get(record.stream);
      if (stream === undefined) {
        if (streams.size >= captureLimits.streams) throw tooLarge(path, `${captureLimits.streams} streams`);
        streams.set(record.stream, (stream = { messages: [], end: undefined }));
      }
      if (record.type === 'end') stream.end ??= record;
      if (record.type !== 'request' && record.type !== 'resources') return;
      bytes += record.bytes.length;
      if (bytes > captureLimits.messages) throw tooLarge(path, `${captureLimits.messages} bytes of messages`);
      stream.messages.push(record);
    },
  });
  // The first line is there, or reading has thrown.
  if (header === undefined) throw new Error(`${path} has no header`);
  return {
    header,
    streams: [...streams.values()],
    refused: stop?.refused ?? [],
    isCutOff: isCut || stop === undefined,
  };
}

function tooLarge(path: string, limit: string): IsthmusError {
  const hint = 'capture fewer collections, or for a shorter time';
  return new IsthmusError('CONFIG_INVALID', path, `it is too large to be read: it has more than ${limit}`, { hint });
}
