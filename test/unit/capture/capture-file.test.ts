import { readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadCapture } from '../../../src/capture/capture.ts';
import { CaptureWriter, isCaptureFile, readCaptureFile } from '../../../src/capture/capture-file.ts';
import { type CaptureRecord, headerLine, recordLine } from '../../../src/capture/format.ts';
import { IsthmusError } from '../../../src/model/errors.ts';
import { captureHeader, requestBytes, resourcesBytes, streamRecords } from '../../support/capture-bytes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const se = 'istio/networking/v1alpha3/serviceentries';

const records: readonly CaptureRecord[] = [
  ...streamRecords(
    1,
    [
      [0, 'request', requestBytes(se)],
      [1.25, 'resources', resourcesBytes(se, '1')],
      [2, 'request', requestBytes(se, '1')],
    ],
    { at: 3, code: 14, details: 'gone' },
  ),
  { type: 'stop', at: 4, why: 'duration', refused: ['istio/x'] },
];

async function written(name: string, all: readonly CaptureRecord[] = records): Promise<string> {
  const path = join(tempFolder(), name);
  const writer = await CaptureWriter.create(path, captureHeader);
  for (const record of all) expect(await writer.write(record)).toBe(true);
  await writer.finish();
  return path;
}

async function read(path: string) {
  const found: { header: unknown; records: CaptureRecord[] } = { header: undefined, records: [] };
  const isCutOff = await readCaptureFile(path, {
    onHeader(header) {
      found.header = header;
    },
    onRecord(record) {
      found.records.push(record);
    },
  });
  return { ...found, isCutOff };
}

/** The message of the error that reading throws, which tells what to do. */
async function refused(path: string): Promise<string> {
  const error: unknown = await read(path).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IsthmusError)) throw new Error(`no error of ours: ${String(error)}`);
  expect(error.exitCode).toBe(2);
  return error.message;
}

function file(text: string | Buffer, name = 'x.capture'): string {
  const path = join(tempFolder(), name);
  writeFileSync(path, text);
  return path;
}

describe.each(['a.capture', 'a.capture.gz'])('%s', (name) => {
  test('says what was written', async () => {
    expect(await read(await written(name))).toEqual({ header: captureHeader, records, isCutOff: false });
  });

  test('is for its owner alone, and has its name only when it is whole', async () => {
    const path = join(tempFolder(), name);
    const writer = await CaptureWriter.create(path, captureHeader);
    expect(() => statSync(path)).toThrow('ENOENT');
    await writer.finish();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(() => statSync(`${path}.partial`)).toThrow('ENOENT');
    await expect(CaptureWriter.create(path, captureHeader)).rejects.toThrow('there is such a file already');
  });

  test('cut off anywhere, it is read up to there', async () => {
    const whole = readFileSync(await written(name));
    const cut = file('', name);
    const lengths = new Set<number>();
    for (let length = 1; length < whole.length; length++) {
      writeFileSync(cut, whole.subarray(0, length));
      const found = await read(cut).catch((error: Error) => error);
      if (found instanceof Error) {
        // Not even the first line is there.
        expect(found.message).toMatch(/line 1: it is no JSON|it is empty/);
        expect(lengths).toEqual(new Set());
      } else {
        expect(found.records).toEqual(records.slice(0, found.records.length));
        lengths.add(found.records.length);
      }
    }
    expect([...lengths]).toEqual([...records.keys(), records.length]);
  });

  test('it is written no larger than it may be, but for its last line', async () => {
    const path = join(tempFolder(), name);
    const writer = await CaptureWriter.create(path, captureHeader, 1000);
    const big = { type: 'resources', at: 1, stream: 1, bytes: Buffer.from(incompressible(2000)) } as const;
    expect(await writer.write(big)).toBe(false);
    expect(await writer.write({ type: 'open', at: 1, stream: 1 })).toBe(true);
    expect(await writer.write({ type: 'stop', at: 2, why: 'size', refused: [] })).toBe(true);
    await writer.finish();
    expect((await read(path)).records.map(({ type }) => type)).toEqual(['open', 'stop']);
  });
});

function incompressible(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = (state * 48_271) % 0x7fff_ffff) & 0xff);
}

test('any record is read as it was written', async () => {
  const moment = { at: fc.nat(1e9).map((at) => at / 1000), stream: fc.integer({ min: 1, max: 1e6 }) };
  const text = fc.string({ unit: 'grapheme' });
  const headers = fc.array(fc.tuple(text, text), { maxLength: 5 });
  const bytes = fc.uint8Array().map((all) => Buffer.from(all));
  const any = fc.oneof(
    fc.record({ ...moment, type: fc.constant('open' as const) }),
    fc.record({ ...moment, type: fc.constant('headers' as const), headers }),
    fc.record({ ...moment, type: fc.constantFrom('request' as const, 'resources' as const), bytes }),
    fc.record({
      ...moment,
      type: fc.constant('end' as const),
      by: fc.constantFrom('source' as const, 'capture' as const),
      code: fc.nat(20),
      details: text,
      trailers: headers,
      refusal: fc.boolean(),
    }),
    fc.record({
      type: fc.constant('stop' as const),
      at: moment.at,
      why: fc.constantFrom('interrupted' as const, 'duration' as const, 'size' as const),
      refused: fc.array(text, { maxLength: 5 }),
    }),
  );
  const path = file('');
  await fc.assert(
    fc.asyncProperty(fc.array(any, { maxLength: 10 }), async (all) => {
      writeFileSync(path, headerLine(captureHeader) + all.map(recordLine).join(''));
      expect((await read(path)).records).toEqual(all);
    }),
    { numRuns: 200 },
  );
});

describe('what is no capture is refused, with the line', () => {
  const good = headerLine(captureHeader);
  test.each([
    ['an empty file', '', 'it is empty'],
    ['YAML', 'kind: List\n', 'line 1: it is no JSON'],
    ['other JSON', '{"kind":"List"}\n', 'line 1: it does not begin as a capture does'],
    ['a list', '[]\n', 'line 1: it is no JSON object'],
    ['a newer one', '{"format":"isthmus-capture","version":2}\n', 'it is a capture of format 2'],
    ['a header that lacks something', '{"format":"isthmus-capture","version":1}\n', 'line 1: startedAt is no text'],
    ['a line that is no JSON', `${good}{]\n{}\n`, 'line 2: it is no JSON'],
    ['a record without a type', `${good}{"at":1}\n`, 'line 2: type is no text'],
    ['a time that is none', `${good}{"at":"1","type":"open","stream":1}\n`, 'line 2: at is no number'],
    ['a stream that is none', `${good}{"at":1,"type":"open","stream":0}\n`, 'line 2: stream is no number of a stream'],
    [
      'bytes that are none',
      `${good}{"at":1,"stream":1,"type":"request","bytes":"a!b="}\n`,
      'line 2: bytes is no base64',
    ],
    ['nesting without end', `${good}${'['.repeat(3 << 20)}\n`, 'line 2: it is longer than 1048576 bytes'],
    [
      'nesting in a message',
      `${good}{"at":1,"stream":1,"type":"request","bytes":"${'['.repeat(3 << 20)}"}\n`,
      'no base64',
    ],
    [
      'too many headers',
      `${good}{"at":1,"stream":1,"type":"headers","headers":[${'["a","b"],'.repeat(1000)}["a","b"]]}\n`,
      'more than 1000',
    ],
  ])('%s', async (_what, text, message) => {
    expect(await refused(file(text))).toContain(message);
  });

  test('what says to be compressed, and is not', async () => {
    expect(await refused(file(Buffer.from([0x1f, 0x8b, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])))).toMatch(
      /incorrect|unknown/,
    );
  });

  test('a file that is not there, and one that is no file', async () => {
    expect(await refused('/nowhere/x')).toContain('there is no such file');
    expect(await refused(tempFolder())).toContain('it is no regular file');
  });
});

test('a record of a type of a later time is passed over', async () => {
  const text = `${headerLine(captureHeader)}{"at":1,"stream":1,"type":"weather","sun":true}\n${recordLine({ type: 'open', at: 2, stream: 1 })}`;
  expect((await read(file(text))).records).toEqual([{ type: 'open', at: 2, stream: 1 }]);
});

test('a bomb costs no more than its lines', async () => {
  const bomb = gzipSync(Buffer.concat([Buffer.from(headerLine(captureHeader)), Buffer.alloc(64 << 20, 0x20)]));
  expect(bomb.length).toBeLessThan(1 << 20);
  const path = file(bomb);
  const { isCutOff, records: none } = await read(path);
  // 64 MiB of blanks without an end are a line that was cut off.
  expect([isCutOff, none]).toEqual([true, []]);
});

test('captures are told from other files by how they begin, compressed or not', async () => {
  expect(await isCaptureFile(await written('a.capture'))).toBe(true);
  expect(await isCaptureFile(await written('b.capture.gz'))).toBe(true);
  expect(await isCaptureFile(file('kind: List\n'))).toBe(false);
  expect(await isCaptureFile(file(''))).toBe(false);
  expect(await isCaptureFile(file(Buffer.from([0x1f, 0x8b, 1, 2])))).toBe(false);
  expect(await isCaptureFile(tempFolder())).toBe(false);
  expect(await isCaptureFile('/nowhere/x')).toBe(false);
});

test('as a whole: streams with their messages and ends, and whether it was ended in order', async () => {
  const path = await written('a.capture');
  expect(await loadCapture(path)).toMatchObject({
    header: captureHeader,
    streams: [{ messages: [{ type: 'request' }, { type: 'resources' }, { type: 'request' }], end: { code: 14 } }],
    refused: ['istio/x'],
    isCutOff: false,
  });
  truncateSync(path, statSync(path).size - 5);
  expect(await loadCapture(path)).toMatchObject({ streams: [{ end: { code: 14 } }], refused: [], isCutOff: true });
});
