import { describe, expect, test } from 'vitest';
import { kinds } from '../../../src/model/kinds.ts';
import { faultsOf } from '../../../src/quarantine/batch-faults.ts';
import { faultOf } from '../../../src/quarantine/verdict.ts';
import { bodyFromJson } from '../../../src/schema/json.ts';
import { encodeResourceMessage } from '../../../src/wire/resource-view.ts';
import { serviceEntry } from '../../support/resources.ts';
import { bodied, brokenEntry, entryOf, invalidEntry, validEntry } from '../../support/service-entries.ts';
import { field, fields } from '../../support/wire-bytes.ts';
import { validationCases } from '../../support/validation/all.ts';

const verdict = (bytes: Buffer) => faultOf(serviceEntry.id, bytes);

describe('a resource', () => {
  test('that every istiod takes has no fault', () => {
    expect(verdict(validEntry('a/b'))).toBeUndefined();
  });

  test('that breaks a rule has the code of the first one, and up to three texts', () => {
    expect(verdict(invalidEntry('a/b'))).toEqual({
      reason: 'invalid_duplicates',
      message: expect.stringMatching(/spec\.ports\[1\]\.name.*istiod from 1\.14 on refuses the resource/),
    });
    const many = entryOf('a/b', { hosts: ['a_b.c', 'b_c.d', 'c_d.e', 'd_e.f', 'e_f.g'], resolution: 'DNS' });
    expect(verdict(many)?.message).toMatch(/^spec[^·]+ · spec[^·]+ · spec[^·]+ · and \d+ more$/);
  });

  test('whose body ends too early is malformed: istiod would delete what it has of it', () => {
    expect(verdict(brokenEntry('a/b'))).toEqual({
      reason: 'malformed',
      message: expect.stringMatching(/^its body is no istio\.networking\.v1alpha3\.ServiceEntry: .*deletes/),
    });
  });

  test('with text that is no UTF-8, at any depth, is malformed', () => {
    const noText = Buffer.from([0xff, 0xfe]);
    expect(verdict(bodied('a/b', field(1, noText)))).toMatchObject({ reason: 'malformed' });
    expect(verdict(bodied('a/b', fields(field(1, 'a.b'), field(6, field(1, noText)))))?.message).toMatch(
      /^spec\.endpoints\[0\]\.address holds text that is no valid UTF-8/,
    );
  });

  test('with a field that a newer Istio may know is not judged', () => {
    const newer = fields(field(1, 'a.b'), field(99, 'who knows'));
    expect(verdict(bodied('a/b', newer))).toBeUndefined();
  });
});

test('each of a batch is looked at, whatever the others are', () => {
  const all = [validEntry('a/1'), brokenEntry('a/2'), validEntry('a/3'), invalidEntry('a/4')];
  let end = 0;
  const ends = Int32Array.from(all, ({ length }) => (end += length));
  const { faults, failed } = faultsOf({ kindId: serviceEntry.id, bytes: new Uint8Array(Buffer.concat(all)), ends });
  expect([faults.map(([place, { reason }]) => [place, reason]), failed]).toEqual([
    [
      [1, 'malformed'],
      [3, 'invalid_duplicates'],
    ],
    0,
  ]);
});

test('bytes that are no resource at all are a mistake of ours, and cost no other one', () => {
  const all = [Buffer.from([0x0a, 0x7f]), invalidEntry('a/4')];
  let end = 0;
  const ends = Int32Array.from(all, ({ length }) => (end += length));
  const found = faultsOf({ kindId: serviceEntry.id, bytes: new Uint8Array(Buffer.concat(all)), ends });
  expect(found).toMatchObject({ faults: [[1, { reason: 'invalid_duplicates' }]], failed: 1, failure: /./ });
});

test('the written cases of all kinds have the same verdict as resources', () => {
  const wrong: string[] = [];
  let refused = 0;
  for (const { kind: name, title, subject, spec, finds } of validationCases) {
    const kind = kinds.find((one) => one.kind === name) ?? serviceEntry;
    const { body } = bodyFromJson(kind, spec);
    if (body === undefined) continue;
    const bytes = encodeResourceMessage({
      name: `${subject.namespace}/${subject.name}`,
      annotations: subject.annotations ?? {},
      bodyType: kind.body,
      body,
    });
    const reason = faultOf(kind.id, bytes)?.reason;
    if (reason !== undefined) refused++;
    const isRight = finds.length === 0 ? reason === undefined : finds.some((code) => reason === `invalid_${code}`);
    if (!isRight) wrong.push(`${name}: ${title}: ${reason ?? 'nothing'}`);
  }
  expect(wrong).toEqual([]);
  expect(refused).toBeGreaterThan(100);
});
