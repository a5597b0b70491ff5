import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  captureLimits,
  captureMagic,
  headerLine,
  readHeaderLine,
  readRecordLine,
  recordLine,
} from '../../../src/capture/format.ts';
import { decodeRequestResources, readResources } from '../../../src/wire/legacy-messages.ts';

const page = readFileSync(new URL('../../../docs/capture-format.md', import.meta.url), 'utf8');
const [header = '', ...lines] = Array.from(page.matchAll(/^\{.*\}$/gm), ([line]) => line);

test('the lines of docs/capture-format.md are read, and written, as they stand there', () => {
  expect(header.startsWith(captureMagic)).toBe(true);
  expect(headerLine(readHeaderLine(header, 'the page'))).toBe(`${header}\n`);
  const records = lines.map(readRecordLine);
  expect(records.map((record) => record?.type)).toEqual(['open', 'request', 'headers', 'resources', 'end', 'stop']);
  for (const [index, record] of records.entries()) {
    if (record === undefined) throw new Error(`line ${index} is of no type`);
    expect(recordLine(record)).toBe(`${lines[index]}\n`);
    if (record.type === 'request') expect(decodeRequestResources(record.bytes).collection).toMatch(/^istio\//);
    if (record.type === 'resources') expect(readResources(record.bytes).collection).toMatch(/^istio\//);
  }
});

test('its table lists every type of a record', () => {
  const listed = Array.from(page.matchAll(/^\| `(\w+)` \| (?:the|a) /gm), ([, name]) => name);
  expect(listed).toEqual(expect.arrayContaining(['open', 'headers', 'request', 'resources', 'end', 'stop']));
});

test('its limits are those of the code', () => {
  const number = (value: number) => value.toLocaleString('en-US');
  for (const text of [
    `${captureLimits.line >> 20} MiB`,
    `${captureLimits.smallLine >> 20} MiB`,
    `${number(captureLimits.list)} entries`,
    `${captureLimits.messages / 2 ** 30} GiB`,
    `${number(captureLimits.streams)} streams`,
    `${number(captureLimits.records)} records`,
  ]) {
    expect(page).toContain(text);
  }
});
